// The http and https URLs that a probe may ask for, and where a redirect may lead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "common/result.h"

namespace firebreak::probes {

struct Url {
  bool tls = false;
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 80;
  std::string target;  // path and query as they go into the request line
  friend bool operator==(const Url&, const Url&) = default;
};

// http:// or https://, a host, no user name or password, no fragment.
Result<Url> parse_url(std::string_view text);
// Where `location` (absolute or relative, its fragment dropped) leads from `base`.
Result<Url> resolve_redirect(const Url& base, std::string_view location);

// "api.example.com", "[::1]:8080": for the Host header, the port left out when it is the scheme's.
std::string host_header(const Url& url);
std::string to_string(const Url& url);
// Credentials may go on to `b`.
bool same_origin(const Url& a, const Url& b);

// Link-local and cloud metadata services: what a redirect of a hostile target would be after.
bool is_metadata_address(const boost::asio::ip::address& address);

}  // namespace firebreak::probes
