// The deployment's own certificate authority: makes it, issues certificates, reads who one is for.
//
// Every identity is a certificate with exactly one URI name, spiffe://firebreak/ROLE/NAME. Agents
// and operators get the key usage clientAuth, coordinators serverAuth, so that a stolen agent key
// cannot pose as a coordinator. Keys are ECDSA P-256. Thread-safe: no state but the files.
//
// Below the folder `dir`: ca.crt, ca.key, agents/NAME.{crt,key}, operators/NAME.{crt,key} and
// coordinators/NAME.{crt,key}. Keys are readable by their owner alone. A file is complete or absent
// and is never overwritten.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/secret.h"
#include "common/time.h"

namespace firebreak::pki {

enum class Role { agent, operator_, coordinator };
// "agent", "operator", "coordinator"
[[nodiscard]] const char* to_string(Role role);

struct Identity {
  Role role = Role::agent;
  std::string name;
  friend bool operator==(const Identity&, const Identity&) = default;
};

// "spiffe://firebreak/agent/web-1"
[[nodiscard]] std::string identity_uri(const Identity& identity);
// Accepts exactly what identity_uri() writes for a valid name; permission_denied for anything else.
Result<Identity> parse_identity(std::string_view uri);

struct KeyPairFiles {
  std::string certificate;
  std::string key;
};

// Makes the authority: valid ten years from `now`, allowed to sign end entities only. `deployment`
// (a valid name) is shown in the subjects of its certificates. already_exists when either file is
// there.
Result<KeyPairFiles> init_ca(const std::string& dir, const std::string& deployment, WallTime now);

struct IssueRequest {
  Role role = Role::agent;
  std::string name;                // is_valid_name
  std::vector<std::string> hosts;  // DNS names and IP addresses; coordinators need one, others none
  int valid_days = 365;            // 1 to 3650, and not beyond the authority's own end
};

// Makes a key and a certificate for it, valid from five minutes before `now` (clocks differ).
Result<KeyPairFiles> issue(const std::string& dir, const IssueRequest& request, WallTime now);

// For the terminal, after 'firebreak pki ...': what was made, which file goes where, what is next.
[[nodiscard]] std::string describe_authority(const std::string& dir, const KeyPairFiles& files);
[[nodiscard]] std::string describe_issued(const std::string& dir, const IssueRequest& request,
                                          const KeyPairFiles& files);

struct CertificateInfo {
  std::optional<Identity> identity;  // none in an authority's certificate
  WallTime not_before;
  WallTime not_after;
};

// The first certificate of a PEM file. permission_denied when its URI name is not an identity.
Result<CertificateInfo> read_certificate_info(const std::string& file);

// What one side of a TLS connection presents and trusts, as PEM.
struct TlsMaterial {
  std::string certificate;
  Secret key;
  std::string ca;
  Identity identity;
};
struct TlsFiles {
  std::string certificate;
  std::string key;  // may be "credential:NAME", see read_secret_file
  std::string ca;
};

// Reads the three files and makes sure that they belong together: the key is the certificate's, the
// authority signed it, it names an identity. Its dates are not judged: an agent with an expired
// certificate goes on probing while the coordinator refuses it; warn with read_certificate_info.
Result<TlsMaterial> read_tls_material(const TlsFiles& files);

}  // namespace firebreak::pki
