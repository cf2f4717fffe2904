// Certificates with OpenSSL 3: the authority, end entities, and reading them back.
#include "common/pki.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <utility>

#include "common/assert.h"
#include "common/file.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::pki {
namespace {

using namespace std::chrono_literals;

template <auto free_function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using GeneralNames = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using Store = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;

constexpr std::string_view kUriPrefix = "spiffe://firebreak/";
constexpr std::array<Role, 3> kRoles{Role::agent, Role::operator_, Role::coordinator};
constexpr auto kClockDifference = 5min;  // a host whose clock is behind accepts a new certificate
constexpr auto kAuthorityLifetime = 24h * 3652;  // ten years
constexpr int kValidDaysMax = 3650;
constexpr std::size_t kSerialBytes = 16;  // 128 random bits; RFC 5280 allows 20 octets

Error openssl_error(const std::string& what) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  return make_error(Errc::internal, what + ": OpenSSL says " + reason.data());
}

Error system_error(const std::string& path, const char* what) {
  const Errc code = errno == ENOENT   ? Errc::not_found
                    : errno == EEXIST ? Errc::already_exists
                    : errno == EACCES ? Errc::permission_denied
                                      : Errc::unavailable;
  return make_error(code, path + ": " + what + ": " + std::strerror(errno));
}

std::string plural(Role role) {
  return std::string(to_string(role)) + "s";
}

// --- Files -------------------------------------------------------------------------------------

Result<> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(path, "cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return system_error(path, "cannot flush to disk");
  return {};
}

Result<> flush_directory(const std::string& dir) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error(dir, "cannot open the folder");
  const bool flushed = ::fsync(fd) == 0;
  ::close(fd);
  if (!flushed) return system_error(dir, "cannot flush the folder to disk");
  return {};
}

// Writes under a name nobody else uses, then links it into place: link() refuses an existing name,
// so of two writers one wins, and a crash leaves at worst a hidden spare file.
Result<> create_file(const std::string& path, std::string_view bytes, mode_t mode) {
  std::array<unsigned char, 8> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return openssl_error("no random number");
  const std::filesystem::path target(path);
  std::string suffix;
  for (const unsigned char byte : random) suffix += "0123456789abcdef"[byte & 15u];
  const std::string spare =
      (target.parent_path() / ("." + target.filename().string() + "." + suffix)).string();
  const int fd = ::open(spare.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return system_error(spare, "cannot create the file");
  Result<> outcome = write_all(fd, bytes, spare);
  ::close(fd);
  if (outcome && ::link(spare.c_str(), path.c_str()) != 0)
    outcome = system_error(path, "cannot create the file");
  ::unlink(spare.c_str());
  if (!outcome) return outcome;
  return flush_directory(target.parent_path().string());
}

Result<> make_directories(const std::string& dir) {
  std::error_code failure;
  std::filesystem::create_directories(dir, failure);
  if (failure)
    return make_error(Errc::unavailable, dir + ": cannot make the folder: " + failure.message());
  return {};
}

Result<> refuse_existing(const KeyPairFiles& files) {
  for (const std::string& path : {files.certificate, files.key}) {
    std::error_code failure;
    if (std::filesystem::exists(std::filesystem::symlink_status(path, failure)))
      return make_error(
          Errc::already_exists,
          path + " exists and is never overwritten; move it and its pair away to make a new one");
  }
  return {};
}

// --- PEM ---------------------------------------------------------------------------------------

Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string contents(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// A key in a file is never encrypted; without this OpenSSL would ask the terminal for a pass
// phrase.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

Result<Certificate> parse_certificate(std::string_view pem, const std::string& where) {
  const Bio bio = reader(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  ERR_clear_error();
  if (!certificate)
    return make_error(Errc::invalid_argument,
                      where + ": no certificate in PEM form; expected -----BEGIN CERTIFICATE-----");
  return certificate;
}

Result<Key> parse_key(const Secret& pem, const std::string& where) {
  const Bio bio = reader(pem.reveal());
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  ERR_clear_error();
  if (!key)
    return make_error(Errc::invalid_argument, where + ": no unencrypted private key in PEM form");
  return key;
}

Result<std::string> to_pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1)
    return openssl_error("cannot encode a certificate");
  return contents(bio);
}

Result<Secret> to_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_error("cannot encode a private key");
  return Secret(contents(bio));
}

// --- Reading certificates ----------------------------------------------------------------------

std::string text_of(const ASN1_STRING* value) {
  const unsigned char* data = ASN1_STRING_get0_data(value);
  return {data, data + ASN1_STRING_length(value)};
}

std::vector<std::string> uri_names(const X509* certificate) {
  std::vector<std::string> uris;
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) uris.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  return uris;
}

Result<Identity> identity_of(const X509* certificate, const std::string& where) {
  const std::vector<std::string> uris = uri_names(certificate);
  if (uris.size() != 1)
    return make_error(Errc::permission_denied,
                      where + ": the certificate has " + std::to_string(uris.size()) +
                          " URI names, an identity is exactly one; issue it with 'firebreak pki'");
  auto identity = parse_identity(uris.front());
  if (!identity) return make_error(identity.error().code, where + ": " + identity.error().message);
  return identity;
}

Result<WallTime> to_wall(const ASN1_TIME* time, const std::string& where) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1)
    return make_error(Errc::corrupt, where + ": the certificate's dates cannot be read");
  return WallTime(std::chrono::seconds(::timegm(&fields)));
}

// --- Making certificates -----------------------------------------------------------------------

bool set_serial(X509* certificate) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  const BigNumber number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool add_text(X509_NAME* name, const char* field, const std::string& value) {
  const std::vector<unsigned char> bytes(value.begin(), value.end());
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes.data(),
                                    static_cast<int>(bytes.size()), -1, 0) == 1;
}

bool set_dates(X509* certificate, WallTime from, WallTime to) {
  const auto seconds = [](WallTime at) {
    return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  };
  return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(from)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(to)) != nullptr;
}

// `value` is always one of our own literals: OpenSSL's extension language never sees input.
bool add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

using Address = std::vector<unsigned char>;

// The bytes of an IPv4 or IPv6 address, or empty when `host` is neither.
Address to_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1)
    return {bytes.begin(), bytes.begin() + 4};
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.end()};
  return {};
}

// RFC 1123 host names: labels of letters, digits and inner hyphens; no wildcard, no final dot.
bool is_dns_name(std::string_view host) {
  const auto is_label_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (host.empty() || host.size() > 253) return false;
  for (std::size_t start = 0; start <= host.size();) {
    const std::size_t end = std::min(host.find('.', start), host.size());
    const std::string_view label = host.substr(start, end - start);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        !std::all_of(label.begin(), label.end(), is_label_char))
      return false;
    start = end + 1;
  }
  return true;
}

bool add_name(GENERAL_NAMES* names, int kind, const std::string& bytes) {
  std::unique_ptr<GENERAL_NAME, Free<GENERAL_NAME_free>> name(GENERAL_NAME_new());
  std::unique_ptr<ASN1_STRING, Free<ASN1_STRING_free>> value(
      ASN1_STRING_type_new(kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!name || !value ||
      ASN1_STRING_set(value.get(), bytes.data(), static_cast<int>(bytes.size())) != 1)
    return false;
  GENERAL_NAME_set0_value(name.get(), kind, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) == 0) return false;
  static_cast<void>(name.release());
  return true;
}

bool add_alternative_names(X509* certificate, const IssueRequest& request) {
  const GeneralNames names(sk_GENERAL_NAME_new_null());
  if (!names || !add_name(names.get(), GEN_URI, identity_uri({request.role, request.name})))
    return false;
  for (const std::string& host : request.hosts) {
    const Address address = to_address(host);
    const bool added = address.empty() ? add_name(names.get(), GEN_DNS, host)
                                       : add_name(names.get(), GEN_IPADD,
                                                  std::string(address.begin(), address.end()));
    if (!added) return false;
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) ==
         1;
}

Result<> check_request(const IssueRequest& request) {
  if (!is_valid_name(request.name))
    return make_error(Errc::invalid_argument,
                      "'" + escape_line(request.name, 80) + "' is not a name for " +
                          plural(request.role) +
                          ": use up to 63 of a-z 0-9 . _ - and start with a letter or digit");
  if (request.valid_days < 1 || request.valid_days > kValidDaysMax)
    return make_error(Errc::invalid_argument, "a certificate is valid 1 to 3650 days, not " +
                                                  std::to_string(request.valid_days));
  const bool serves = request.role == Role::coordinator;
  if (serves && request.hosts.empty())
    return make_error(Errc::invalid_argument,
                      "a coordinator's certificate needs the names that agents dial: add --host");
  if (!serves && !request.hosts.empty())
    return make_error(Errc::invalid_argument,
                      "only a coordinator's certificate carries host names: drop --host");
  if (request.hosts.size() > limits::kCertificateHostsMax)
    return make_error(Errc::resource_exhausted, "more than 64 host names in one certificate");
  for (const std::string& host : request.hosts)
    if (to_address(host).empty() && !is_dns_name(host))
      return make_error(Errc::invalid_argument,
                        "'" + escape_line(host, 80) + "' is neither a DNS name nor an IP address");
  return {};
}

struct Authority {
  Certificate certificate;
  Key key;
};

KeyPairFiles authority_files(const std::string& dir) {
  return {dir + "/ca.crt", dir + "/ca.key"};
}

Result<Authority> read_authority(const std::string& dir) {
  const KeyPairFiles files = authority_files(dir);
  const auto pem = read_small_file(files.certificate, limits::kPemFileBytesMax);
  if (!pem && pem.error().code == Errc::not_found)
    return make_error(Errc::not_found,
                      files.certificate + ": no authority here yet; run 'firebreak pki init'");
  if (!pem) return pem.error();
  const auto key_pem = read_secret_file(files.key);
  if (!key_pem) return key_pem.error();
  auto certificate = parse_certificate(*pem, files.certificate);
  if (!certificate) return certificate.error();
  auto key = parse_key(*key_pem, files.key);
  if (!key) return key.error();
  if (X509_check_ca(certificate->get()) != 1 ||
      X509_check_private_key(certificate->get(), key->get()) != 1) {
    ERR_clear_error();
    return make_error(
        Errc::failed_precondition,
        dir + ": ca.crt and ca.key are not one authority; restore both from a backup");
  }
  return Authority{std::move(*certificate), std::move(*key)};
}

// Subject, dates, serial and key: what every certificate of ours has. Unsigned.
Result<Certificate> draft(X509_NAME* issuer, const std::string& organisation,
                          const std::string& common_name, EVP_PKEY* key, WallTime from,
                          WallTime to) {
  Certificate certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !set_serial(certificate.get()) || !set_dates(certificate.get(), from, to) ||
      X509_set_pubkey(certificate.get(), key) != 1)
    return openssl_error("cannot make a certificate");
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  if (!add_text(subject, "O", organisation) || !add_text(subject, "CN", common_name) ||
      X509_set_issuer_name(certificate.get(), issuer == nullptr ? subject : issuer) != 1)
    return openssl_error("cannot name a certificate");
  return certificate;
}

std::string organisation(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
  if (at < 0) return "firebreak";
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

Result<> sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) <= 0)
    return openssl_error("cannot sign a certificate");
  return {};
}

Result<> write_pair(const KeyPairFiles& files, X509* certificate, EVP_PKEY* key) {
  const auto certificate_pem = to_pem(certificate);
  if (!certificate_pem) return certificate_pem.error();
  const auto key_pem = to_pem(key);
  if (!key_pem) return key_pem.error();
  // The key first: a certificate in the folder means that its key is there.
  if (const auto written = create_file(files.key, key_pem->reveal(), 0600); !written)
    return written.error();
  return create_file(files.certificate, *certificate_pem, 0644);
}

Result<Key> new_key() {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) return openssl_error("cannot make a P-256 key");
  return key;
}

Result<Certificate> make_end_entity(const Authority& authority, const IssueRequest& request,
                                    EVP_PKEY* key, WallTime now) {
  const auto authority_end = to_wall(X509_get0_notAfter(authority.certificate.get()), "ca.crt");
  if (!authority_end) return authority_end.error();
  const WallTime end = now + std::chrono::days(request.valid_days);
  if (end > *authority_end)
    return make_error(Errc::failed_precondition,
                      "the authority itself ends before that; ask for fewer than " +
                          std::to_string(request.valid_days) + " days or make a new authority");
  X509* issuer = authority.certificate.get();
  X509_NAME* issuer_name = X509_get_subject_name(issuer);
  auto certificate =
      draft(issuer_name, organisation(issuer_name), request.name, key, now - kClockDifference, end);
  if (!certificate) return certificate;
  X509* subject = certificate->get();
  const char* usage = request.role == Role::coordinator ? "serverAuth" : "clientAuth";
  if (!add_extension(subject, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(subject, issuer, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(subject, issuer, NID_ext_key_usage, usage) ||
      !add_alternative_names(subject, request) ||
      !add_extension(subject, issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(subject, issuer, NID_authority_key_identifier, "keyid:always"))
    return openssl_error("cannot describe a certificate");
  if (const auto signed_ = sign(subject, authority.key.get()); !signed_) return signed_.error();
  return certificate;
}

// The authority signed the certificate; dates and purpose are judged by the peer at each handshake.
bool is_signed_by(X509* certificate, X509* authority) {
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  const bool verified =
      store && context && X509_STORE_add_cert(store.get(), authority) == 1 &&
      X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) == 1 &&
      (X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_NO_CHECK_TIME), true) &&
      X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  return verified;
}

}  // namespace

const char* to_string(Role role) {
  switch (role) {
    case Role::agent:
      return "agent";
    case Role::operator_:
      return "operator";
    case Role::coordinator:
      return "coordinator";
  }
  assertion_failed("a role that does not exist", __FILE__, __LINE__);
}

std::string identity_uri(const Identity& identity) {
  return std::string(kUriPrefix) + to_string(identity.role) + "/" + identity.name;
}

Result<Identity> parse_identity(std::string_view uri) {
  if (uri.substr(0, kUriPrefix.size()) == kUriPrefix) {
    const std::string_view path = uri.substr(kUriPrefix.size());
    const std::size_t slash = std::min(path.find('/'), path.size());
    for (const Role role : kRoles) {
      if (path.substr(0, slash) != to_string(role) || slash == path.size()) continue;
      const std::string_view name = path.substr(slash + 1);
      if (is_valid_name(name)) return Identity{role, std::string(name)};
    }
  }
  return make_error(Errc::permission_denied,
                    "'" + escape_line(uri, 120) +
                        "' is not an identity: expected spiffe://firebreak/ROLE/NAME with ROLE "
                        "agent, operator or coordinator");
}

Result<KeyPairFiles> init_ca(const std::string& dir, const std::string& deployment, WallTime now) {
  if (!is_valid_name(deployment))
    return make_error(Errc::invalid_argument,
                      "'" + escape_line(deployment, 80) +
                          "' is not a name for a deployment: use up to 63 of a-z 0-9 . _ - and "
                          "start with a letter or digit");
  const KeyPairFiles files = authority_files(dir);
  if (const auto absent = refuse_existing(files); !absent) return absent.error();
  if (const auto made = make_directories(dir); !made) return made.error();
  const auto key = new_key();
  if (!key) return key.error();
  const auto certificate = draft(nullptr, deployment, "firebreak authority", key->get(),
                                 now - kClockDifference, now + kAuthorityLifetime);
  if (!certificate) return certificate.error();
  X509* self = certificate->get();
  if (!add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(self, self, NID_key_usage, "critical,keyCertSign") ||
      !add_extension(self, self, NID_subject_key_identifier, "hash"))
    return openssl_error("cannot describe a certificate");
  if (const auto signed_ = sign(self, key->get()); !signed_) return signed_.error();
  if (const auto written = write_pair(files, self, key->get()); !written) return written.error();
  return files;
}

Result<KeyPairFiles> issue(const std::string& dir, const IssueRequest& request, WallTime now) {
  if (const auto fine = check_request(request); !fine) return fine.error();
  const auto authority = read_authority(dir);
  if (!authority) return authority.error();
  const std::string folder = dir + "/" + plural(request.role);
  const KeyPairFiles files{folder + "/" + request.name + ".crt",
                           folder + "/" + request.name + ".key"};
  if (const auto absent = refuse_existing(files); !absent) return absent.error();
  if (const auto made = make_directories(folder); !made) return made.error();
  const auto key = new_key();
  if (!key) return key.error();
  const auto certificate = make_end_entity(*authority, request, key->get(), now);
  if (!certificate) return certificate.error();
  if (const auto written = write_pair(files, certificate->get(), key->get()); !written)
    return written.error();
  return files;
}

std::string describe_authority(const std::string& dir, const KeyPairFiles& files) {
  return "made the authority, valid ten years\n  " + files.certificate +
         "  goes to every host as /etc/firebreak/pki/ca.crt\n  " + files.key +
         "  signs every certificate: back it up, and let it never leave this machine\n"
         "next: firebreak pki coordinator NAME --host HOST --dir " +
         dir + "\n";
}

std::string describe_issued(const std::string& dir, const IssueRequest& request,
                            const KeyPairFiles& files) {
  const std::string role = to_string(request.role);
  const bool for_person = request.role == Role::operator_;
  const std::string target = for_person ? "~/.config/firebreak/" : "/etc/firebreak/pki/";
  return "made a certificate for " + identity_uri({request.role, request.name}) + ", valid " +
         std::to_string(request.valid_days) + " days; copy to " +
         (for_person ? "that person's machine:\n  " : "that host:\n  ") + files.certificate +
         "  as " + target + role + ".crt\n  " + files.key + "  as " + target + role +
         ".key, mode 0600, and delete it here\n  " + dir + "/ca.crt  as " + target + "ca.crt\n";
}

Result<CertificateInfo> read_certificate_info(const std::string& file) {
  const auto pem = read_small_file(file, limits::kPemFileBytesMax);
  if (!pem) return pem.error();
  const auto certificate = parse_certificate(*pem, file);
  if (!certificate) return certificate.error();
  CertificateInfo info;
  const bool is_authority = X509_check_ca(certificate->get()) != 0;
  if (!is_authority) {
    auto identity = identity_of(certificate->get(), file);
    if (!identity) return identity.error();
    info.identity = std::move(*identity);
  }
  const auto from = to_wall(X509_get0_notBefore(certificate->get()), file);
  if (!from) return from.error();
  const auto to = to_wall(X509_get0_notAfter(certificate->get()), file);
  if (!to) return to.error();
  info.not_before = *from;
  info.not_after = *to;
  return info;
}

Result<TlsMaterial> read_tls_material(const TlsFiles& files) {
  auto ca_pem = read_small_file(files.ca, limits::kPemFileBytesMax);
  if (!ca_pem) return ca_pem.error();
  const auto authority = parse_certificate(*ca_pem, files.ca);
  if (!authority) return authority.error();
  auto certificate_pem = read_small_file(files.certificate, limits::kPemFileBytesMax);
  if (!certificate_pem) return certificate_pem.error();
  const auto certificate = parse_certificate(*certificate_pem, files.certificate);
  if (!certificate) return certificate.error();
  auto key_pem = read_secret_file(files.key);
  if (!key_pem) return key_pem.error();
  const auto key = parse_key(*key_pem, files.key);
  if (!key) return key.error();
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    ERR_clear_error();
    return make_error(Errc::failed_precondition,
                      files.key + " is not the key of " + files.certificate);
  }
  if (!is_signed_by(certificate->get(), authority->get()))
    return make_error(Errc::failed_precondition, files.certificate +
                                                     " was not issued by the authority in " +
                                                     files.ca + "; use that authority's ca.crt");
  auto identity = identity_of(certificate->get(), files.certificate);
  if (!identity) return identity.error();
  return TlsMaterial{std::move(*certificate_pem), std::move(*key_pem), std::move(*ca_pem),
                     std::move(*identity)};
}

}  // namespace firebreak::pki
