// Copies of a good one, each with one fault.
#include "tests/hostile/certificates.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <stdexcept>

#include "common/clock.h"
#include "tests/support/forge.h"

namespace firebreak::hostile {
namespace {

template <class T>
T or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

pki::KeyPairFiles issue(const std::string& dir, pki::Role role, const std::string& name,
                        const std::string& host) {
  pki::IssueRequest request;
  request.role = role;
  request.name = name;
  if (!host.empty()) request.hosts = {host};
  return or_throw(pki::issue(dir, request, SystemClock().wall()));
}

pki::KeyPairFiles make_authority(const std::string& dir) {
  std::filesystem::create_directories(dir);
  return or_throw(pki::init_ca(dir, "hostile", SystemClock().wall()));
}

}  // namespace

Certificates::Certificates() {
  const std::string signer = make_authority(folder_.path()).key;
  const std::string stranger = make_authority(folder_ / "stranger").key;
  good = issue(folder_.path(), pki::Role::coordinator, "good", "127.0.0.1");
  other_host = issue(folder_.path(), pki::Role::coordinator, "other", "elsewhere.example");
  for_clients = issue(folder_.path(), pki::Role::agent, "client", "");
  expired = changed(
      "expired.crt",
      [](X509* one) {
        X509_gmtime_adj(X509_getm_notBefore(one), -7200);
        X509_gmtime_adj(X509_getm_notAfter(one), -3600);
      },
      signer);
  not_yet = changed(
      "not_yet.crt", [](X509* one) { X509_gmtime_adj(X509_getm_notBefore(one), 3600); }, signer);
  of_a_stranger = changed(
      "stranger.crt", [](X509*) {}, stranger);
  self_signed = testing::self_signed(good, folder_ / "self.crt");
  testing::forge(
      good.certificate, folder_ / "sha1.crt", signer, [](X509*) {}, EVP_sha1());
  weak_digest = {folder_ / "sha1.crt", good.key};
  weak_key = with_weak_key();
}

pki::KeyPairFiles Certificates::changed(const std::string& name,
                                        const std::function<void(X509*)>& change,
                                        const std::string& signer) {
  testing::forge(good.certificate, folder_ / name, signer, change);
  return {folder_ / name, good.key};
}

pki::KeyPairFiles Certificates::with_weak_key() {
  const testing::KeyPtr key(EVP_RSA_gen(1024), &EVP_PKEY_free);
  const testing::FilePtr file = testing::open_file(folder_ / "weak.key", "w");
  if (!key ||
      PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    throw std::runtime_error("cannot make a weak key");
  testing::forge(good.certificate, folder_ / "weak.crt", folder_ / "ca.key",
                 [&key](X509* one) { X509_set_pubkey(one, key.get()); });
  return {folder_ / "weak.crt", folder_ / "weak.key"};
}

}  // namespace firebreak::hostile
