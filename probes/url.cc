// Boost.URL parses; what a probe may not have is refused here.
#include "probes/url.h"

#include <algorithm>
#include <string>

#include <boost/url.hpp>

namespace firebreak::probes {
namespace {

namespace urls = boost::urls;
namespace ip = boost::asio::ip;

constexpr std::size_t kUrlBytesMax = 8192;

Error refused(std::string_view text, std::string_view why) {
  return make_error(Errc::invalid_argument,
                    "URL '" + std::string(text.substr(0, 256)) + "': " + std::string(why));
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

// A colon belongs to IPv6 addresses alone: "host%3A1" would be read back as another URL.
bool is_host(const urls::url_view_base& parsed, const std::string& host) {
  if (parsed.host_type() == urls::host_type::ipv6)
    return std::all_of(host.begin(), host.end(),
                       [](char c) { return c == ':' || is_host_character(c); });
  return parsed.host_type() != urls::host_type::ipvfuture &&
         std::all_of(host.begin(), host.end(), is_host_character);
}

Result<Url> check(const urls::url_view_base& parsed, std::string_view text) {
  Url url;
  if (parsed.scheme_id() == urls::scheme::https)
    url.tls = true;
  else if (parsed.scheme_id() != urls::scheme::http)
    return refused(text, "only http:// and https:// can be probed");
  if (parsed.has_userinfo())
    return refused(text, "put credentials into basic_password_file or bearer_token_file");
  url.host = parsed.host_address();
  if (url.host.empty()) return refused(text, "it names no host");
  if (!is_host(parsed, url.host))
    return refused(text, "its host holds a character that no host name has");
  url.port = url.tls ? 443 : 80;
  if (parsed.has_port() && !parsed.port().empty()) {
    url.port = parsed.port_number();
    if (url.port == 0) return refused(text, "its port is not between 1 and 65535");
  }
  const auto path = parsed.encoded_path();
  const auto query = parsed.encoded_query();
  // Boost 1.81 takes "http://host:.com/" for the path ".com/".
  if (!path.empty() && path.front() != '/') return refused(text, "its port is not a number");
  url.target = path.empty() ? "/" : std::string(path.data(), path.size());
  if (parsed.has_query()) url.target += "?" + std::string(query.data(), query.size());
  return url;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) return refused(text, "longer than 8 KiB");
  const auto parsed = urls::parse_uri(text);
  if (!parsed) return refused(text, "not a URL such as https://api.example.com/health");
  if (parsed->has_fragment()) return refused(text, "a fragment (#...) is never sent; leave it out");
  return check(*parsed, text);
}

Result<Url> resolve_redirect(const Url& base, std::string_view location) {
  if (location.size() > kUrlBytesMax) return refused(location, "longer than 8 KiB");
  const auto reference = urls::parse_uri_reference(location);
  const std::string base_text = to_string(base);
  const auto base_parsed = urls::parse_uri(base_text);
  if (!reference || !base_parsed) return refused(location, "not a URL");
  urls::url resolved;
  if (!urls::resolve(*base_parsed, *reference, resolved)) return refused(location, "not a URL");
  return check(resolved, location);
}

std::string host_header(const Url& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + url.host + "]" : url.host;
  if (url.port != (url.tls ? 443 : 80)) text += ":" + std::to_string(url.port);
  return text;
}

std::string to_string(const Url& url) {
  return (url.tls ? "https://" : "http://") + host_header(url) + url.target;
}

bool same_origin(const Url& a, const Url& b) {
  return a.tls == b.tls && a.port == b.port && a.host == b.host;
}

bool is_metadata_address(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return is_metadata_address(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
  if (address.is_v4()) return (address.to_v4().to_uint() >> 16) == 0xA9FE;  // 169.254.0.0/16
  static const auto kAwsMetadata = ip::make_address_v6("fd00:ec2::254");
  return address.to_v6().is_link_local() || address.to_v6().to_bytes() == kAwsMetadata.to_bytes();
}

}  // namespace firebreak::probes
