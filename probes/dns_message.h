// DNS messages: a question to bytes, an answer from them (RFC 1035, 4; SRV: RFC 2782; AAAA: RFC
// 3596).
//
// Pure. Nothing is trusted: names are followed through compression only backwards and up to 255
// bytes, at most limits::kDnsAnswersMax records are taken. Without EDNS: an answer of more than 512
// bytes comes over TCP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace firebreak::probes {

struct DnsQuestion {
  std::string name;        // as dns_name() gives it
  std::uint16_t type = 1;  // as dns_type_number() gives it
  friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

struct DnsRecord {
  std::string name;
  std::uint16_t type = 0;
  std::uint32_t ttl_seconds = 0;
  // As zone files have it, names without the last dot and in lower case: "10 mail.example.com".
  // TXT: its strings joined. Of a type that nobody can ask for: empty.
  std::string data;
  friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};

struct DnsAnswer {
  int rcode = 0;
  bool truncated = false;  // then `records` is empty: ask over TCP
  bool authoritative = false;
  std::vector<DnsRecord> records;  // of the answer section
};

// A name, or for PTR an address, in the one form that is compared here: lower case, no last dot,
// "." for the root; a byte that is no plain character of a name as \DDD. `text` as is_dns_name()
// wants it.
[[nodiscard]] std::string dns_name(std::string_view text, std::uint16_t type);
// Of one of dns_types().
[[nodiscard]] std::uint16_t dns_type_number(std::string_view type);
// "NOERROR", "NXDOMAIN"; "RCODE23" when it has no name.
[[nodiscard]] std::string dns_rcode_name(int rcode);

// With the wish for recursion. At most 512 bytes.
[[nodiscard]] std::string dns_query(std::uint16_t id, const DnsQuestion& question);

// not_found: whatever this is, it is no answer to that question (another id, another question, a
// query): wait on. corrupt: it is, and is broken.
[[nodiscard]] Result<DnsAnswer> parse_dns_answer(std::string_view message, std::uint16_t id,
                                                 const DnsQuestion& question);

// The records that answer: of the type that was asked, of the name or of what its aliases lead to.
[[nodiscard]] std::vector<DnsRecord> records_for(const DnsAnswer& answer,
                                                 const DnsQuestion& question);

// Data of a record as a person writes it, in the form that DnsRecord::data has.
[[nodiscard]] std::string dns_data(std::string_view text, std::uint16_t type);

// The addresses of "nameserver" lines of resolv.conf(5), the first three; this host when there is
// none.
[[nodiscard]] std::vector<std::string> nameservers_of(std::string_view resolv_conf);

}  // namespace firebreak::probes
