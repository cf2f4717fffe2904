// What a server may show of itself, and should not be believed.
#pragma once

#include <openssl/x509.h>

#include <functional>
#include <string>

#include "common/pki.h"
#include "tests/support/temp_dir.h"

namespace firebreak::hostile {

// For 127.0.0.1, of one authority, unless it says otherwise.
class Certificates {
 public:
  Certificates();

  [[nodiscard]] std::string authority() const { return folder_ / "ca.crt"; }

  pki::KeyPairFiles good;
  pki::KeyPairFiles other_host;
  pki::KeyPairFiles expired;
  pki::KeyPairFiles not_yet;
  pki::KeyPairFiles self_signed;
  pki::KeyPairFiles of_a_stranger;  // who has our authority's name
  pki::KeyPairFiles weak_key;       // RSA with 1024 bits
  pki::KeyPairFiles weak_digest;    // SHA-1
  pki::KeyPairFiles for_clients;    // a client's

 private:
  pki::KeyPairFiles changed(const std::string& name, const std::function<void(X509*)>& change,
                            const std::string& signer);
  pki::KeyPairFiles with_weak_key();

  testing::TempDir folder_;
};

}  // namespace firebreak::hostile
