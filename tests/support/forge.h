// Certificates that our authority would never make: what an attacker, or another tool with the
// authority's key, could present.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "common/pki.h"

namespace firebreak::testing {

using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using FilePtr = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

inline FilePtr open_file(const std::string& path, const char* mode) {
  FilePtr file(std::fopen(path.c_str(), mode), &std::fclose);
  if (!file) throw std::runtime_error("cannot open " + path);
  return file;
}

inline CertificatePtr read_certificate(const std::string& path) {
  const FilePtr file = open_file(path, "r");
  return {PEM_read_X509(file.get(), nullptr, nullptr, nullptr), &X509_free};
}

inline KeyPtr read_key(const std::string& path) {
  const FilePtr file = open_file(path, "r");
  return {PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
}

// Copies the certificate at `from` to `to`, changed by `change` and signed anew with `signer`'s
// key, over that digest.
inline void forge(const std::string& from, const std::string& to, const std::string& signer,
                  const std::function<void(X509*)>& change, const EVP_MD* digest = EVP_sha256()) {
  const CertificatePtr certificate = read_certificate(from);
  const KeyPtr key = read_key(signer);
  change(certificate.get());
  const FilePtr file = open_file(to, "w");
  if (X509_sign(certificate.get(), key.get(), digest) <= 0 ||
      PEM_write_X509(file.get(), certificate.get()) != 1)
    throw std::runtime_error("cannot forge " + to);
}

// Replaces the subject's alternative names, in OpenSSL's notation: "URI:a,URI:b".
inline void replace_names(X509* certificate, const std::string& names) {
  const int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  if (at >= 0) X509_EXTENSION_free(X509_delete_ext(certificate, at));
  if (names.empty()) return;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Its own issuer: what anybody can make with `openssl req -x509`.
inline pki::KeyPairFiles self_signed(const pki::KeyPairFiles& like, const std::string& to) {
  forge(like.certificate, to, like.key, [](X509* certificate) {
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    const int at = X509_get_ext_by_NID(certificate, NID_authority_key_identifier, -1);
    if (at >= 0) X509_EXTENSION_free(X509_delete_ext(certificate, at));
  });
  return {to, like.key};
}

}  // namespace firebreak::testing
