// OpenSSL through Asio's context, and directly where Asio has no word for it.
#include "probes/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <functional>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>

#include "common/file.h"
#include "common/limits.h"
#include "common/secret.h"

namespace firebreak::probes {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::size_t kContextsMax = 64;  // distinct files; then all are loaded again

std::string last_problem() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return text.data();
}

struct OwnPem {
  std::string certificate;
  Secret key;
};

Result<OwnPem> read_own(const ClientCertificate& own) {
  OwnPem pem;
  if (own.certificate_file.empty()) return pem;
  auto certificate = read_small_file(own.certificate_file, limits::kTlsChainBytesMax);
  if (!certificate) return certificate.error();
  auto key = read_secret_file(own.key_file);
  if (!key) return key.error();
  return OwnPem{*std::move(certificate), *std::move(key)};
}

Result<void> show(ssl::context& context, const ClientCertificate& own, const OwnPem& pem) {
  if (pem.certificate.empty()) return {};
  boost::system::error_code failed;
  // A key behind a pass phrase is refused; without this OpenSSL would ask the terminal.
  const auto nothing = [](std::size_t, ssl::context::password_purpose) { return std::string(); };
  context.set_password_callback(nothing, failed);
  context.use_certificate_chain(boost::asio::buffer(pem.certificate), failed);
  if (failed)
    return make_error(Errc::invalid_argument, own.certificate_file + ": " + failed.message());
  context.use_private_key(boost::asio::buffer(pem.key.reveal()), ssl::context::pem, failed);
  if (failed) return make_error(Errc::invalid_argument, own.key_file + ": " + failed.message());
  return {};
}

struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

Certificate peer_certificate(SSL* session) {
  return Certificate(SSL_get1_peer_certificate(session));
}

std::string subject_of(const X509* certificate) {
  std::array<char, 256> subject{};
  X509_NAME_oneline(X509_get_subject_name(certificate), subject.data(),
                    static_cast<int>(subject.size()));
  return subject.data();
}

std::optional<double> days_left(const X509* certificate) {
  int days = 0;
  int seconds = 0;
  if (certificate == nullptr ||
      ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1)
    return std::nullopt;
  return days + seconds / 86400.0;
}

}  // namespace

Result<std::shared_ptr<ssl::context>> TlsContexts::get(bool verify, const std::string& ca_file,
                                                       const ClientCertificate& own) {
  const auto pem = read_own(own);
  if (!pem) return pem.error();
  Key key{verify, ca_file, 0, 0};
  if (!pem->certificate.empty())
    key.own = std::hash<std::string>{}(pem->certificate + pem->key.reveal());
  if (!ca_file.empty()) {
    struct stat info {};
    if (::stat(ca_file.c_str(), &info) != 0)
      return make_error(Errc::not_found, "CA file " + ca_file + " cannot be read on this host");
    key.changed_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  }
  if (const auto known = contexts_.find(key); known != contexts_.end()) return known->second;

  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(verify ? ssl::verify_peer : ssl::verify_none);
  boost::system::error_code failed;
  if (verify && ca_file.empty()) context->set_default_verify_paths(failed);
  if (verify && !ca_file.empty()) context->load_verify_file(ca_file, failed);
  if (failed)
    return make_error(Errc::invalid_argument, "CA file " + ca_file + ": " + failed.message());
  const auto shown = show(*context, own, *pem);
  if (!shown) return shown.error();
  if (contexts_.size() >= kContextsMax) contexts_.clear();
  contexts_.emplace(std::move(key), context);
  return context;
}

Result<void> expect_server_name(ssl_st* session, const std::string& name, bool verify) {
  boost::system::error_code not_numeric;
  boost::asio::ip::make_address(name, not_numeric);
  const bool numeric = !not_numeric;
  std::string copy = name;  // SSL_set_tlsext_host_name() is a macro with a C cast
  if (!numeric &&
      SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, copy.data()) != 1)
    return make_error(Errc::invalid_argument, "'" + name + "' cannot be a TLS server name");
  if (!verify) return {};
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(session);
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int accepted = numeric ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str())
                               : X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size());
  if (accepted != 1)
    return make_error(Errc::invalid_argument,
                      "'" + name + "' cannot be verified: " + last_problem());
  return {};
}

Result<void> offer_protocol(ssl_st* session, const std::string& protocol) {
  std::vector<unsigned char> offer{static_cast<unsigned char>(protocol.size())};
  offer.insert(offer.end(), protocol.begin(), protocol.end());
  if (SSL_set_alpn_protos(session, offer.data(), static_cast<unsigned>(offer.size())) != 0)
    return make_error(Errc::invalid_argument, "'" + protocol + "' cannot be offered by ALPN");
  return {};
}

std::string chosen_protocol(ssl_st* session) {
  const unsigned char* text = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session, &text, &size);
  return {text, text + size};
}

std::string describe_session(ssl_st* session) {
  std::string text = std::string(SSL_get_version(session)) + ", " + SSL_get_cipher_name(session);
  const Certificate certificate = peer_certificate(session);
  if (!certificate) return text;
  text += ", certificate of " + subject_of(certificate.get());
  if (const auto days = days_left(certificate.get()))
    text += ", expires in " + std::to_string(static_cast<int>(*days)) + " days";
  return text;
}

std::string certificate_problem(ssl_st* session) {
  const long verdict = SSL_get_verify_result(session);
  return verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict);
}

std::optional<double> tls_version(ssl_st* session) {
  switch (SSL_version(session)) {
    case TLS1_2_VERSION:
      return 1.2;
    case TLS1_3_VERSION:
      return 1.3;
    default:
      return std::nullopt;
  }
}

std::optional<double> certificate_days_left(ssl_st* session) {
  return days_left(peer_certificate(session).get());
}

std::optional<Expiry> soonest_expiry(ssl_st* session) {
  const STACK_OF(X509)* chain = SSL_get_verify_result(session) == X509_V_OK
                                    ? SSL_get0_verified_chain(session)
                                    : SSL_get_peer_cert_chain(session);
  std::optional<Expiry> soonest;
  for (int i = 0; i < sk_X509_num(chain); ++i) {  // of no chain: -1
    const X509* const certificate = sk_X509_value(chain, i);
    const auto days = days_left(certificate);
    if (days && (!soonest || *days < soonest->days))
      soonest = Expiry{*days, subject_of(certificate)};
  }
  return soonest;
}

}  // namespace firebreak::probes
