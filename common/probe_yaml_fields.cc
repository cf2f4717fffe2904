// Hosts, ports, one-line texts, ranges, and what every HTTP request may have, from YAML.
#include "common/probe_yaml_fields.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace firebreak::probe_yaml {

using yaml::Node;
using yaml::Problems;

void read_text(const Node& node, std::string& into, Problems& problems) {
  if (auto text = node.as_string(problems)) into = *std::move(text);
}

void read_lines(const Node& node, std::string& into, Problems& problems) {
  read_text(node, into, problems);
  if (into.find('\0') != std::string::npos)
    problems.error(node.place(), node.label() + " must not hold a NUL byte");
}

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

void read_line(const Node& node, std::string& into, Problems& problems, std::size_t max_bytes) {
  auto text = node.as_string(problems, max_bytes);
  if (!text) return;
  if (!is_one_line(*text))
    problems.error(node.place(), node.label() + " must be one line without control characters");
  into = *std::move(text);
}

void check_host(const Node& node, const std::string& host, Problems& problems) {
  if (host.empty() || host.size() > limits::kHostBytesMax || !is_one_line(host))
    problems.error(node.place(), "not a host's name; write the target as host:port");
}

void check_count(const Node& node, std::size_t count, std::size_t most, Problems& problems) {
  if (count > most)
    problems.error(node.name_place(), node.label() + " holds " + std::to_string(count) +
                                          " entries, at most " + std::to_string(most) +
                                          " can be sent to an agent");
}

void read_endpoint(const Node& node, std::string& host, std::uint16_t& port, Problems& problems) {
  const auto text = node.as_string(problems);
  if (!text) return;
  std::string_view rest = *text;
  if (rest.empty() || rest.front() == '/') {
    host = *text;
    return check_host(node, host, problems);
  }
  const std::size_t colon = rest.rfind(':');
  const bool bracketed = rest.front() == '[';
  // "::1" is all address.
  const bool has_port = colon != std::string_view::npos &&
                        (bracketed ? rest[colon - 1] == ']' : colon == rest.find(':'));
  std::string_view name = has_port ? rest.substr(0, colon) : rest;
  if (bracketed && name.size() > 2) name = name.substr(1, name.size() - 2);
  host = std::string(name);
  check_host(node, host, problems);
  if (!has_port) return;
  const std::string_view digits = rest.substr(colon + 1);
  unsigned value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size() || value == 0 ||
      value > 65535)
    problems.error(node.place(), "'" + std::string(digits) +
                                     "' is not a port; write the target as host:port, 1 to 65535");
  port = static_cast<std::uint16_t>(value);
}

void read_host(const Node& node, std::string& host, Problems& problems) {
  if (!node) return;
  read_text(node, host, problems);
  check_host(node, host, problems);
}

void read_port(const Node& node, std::uint16_t& port, Problems& problems) {
  if (const auto value = node.as_int(problems, 1, 65535)) port = static_cast<std::uint16_t>(*value);
}

void check_url(const Node& node, const std::string& url, Problems& problems) {
  const std::string_view rest = url.rfind("https://", 0) == 0  ? std::string_view(url).substr(8)
                                : url.rfind("http://", 0) == 0 ? std::string_view(url).substr(7)
                                                               : std::string_view();
  const bool clean =
      std::none_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c == '\x7f'; });
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.empty() || !clean)
    problems.error(node.place(),
                   "not a URL that can be asked; write it like https://api.example.com/health");
  else if (authority.find('@') != std::string_view::npos)
    problems.error(
        node.place(),
        "a URL must not hold a user or password; use basic_user and basic_password_file");
}

void read_headers(const Node& node, HttpSpec& http, Problems& problems) {
  check_count(node, node.entries().size(), limits::kHttpRequestHeadersMax, problems);
  for (const auto& entry : node.as_map(problems)) {
    const auto value = entry.value.as_string(problems);
    if (!value) continue;
    if (!is_header_name(entry.key.text()) || !is_one_line(*value))
      problems.error(
          entry.key.place(),
          "not a header that can be sent: a name is letters, digits and -, a value is one line");
    http.headers.emplace_back(entry.key.text(), *value);
  }
}

namespace {

void read_header_files(const Node& node, HttpSpec& http, Problems& problems) {
  check_count(node, node.entries().size(), limits::kHttpRequestHeadersMax, problems);
  for (const auto& entry : node.as_map(problems)) {
    std::string file;
    read_line(entry.value, file, problems);
    if (!is_header_name(entry.key.text()))
      problems.error(entry.key.place(), "not a header's name: letters, digits and -");
    http.header_files.emplace_back(entry.key.text(), std::move(file));
  }
}

}  // namespace

void read_http_access(yaml::MapReader& reader, HttpSpec& http, Problems& problems) {
  if (const Node files = reader.optional("header_files")) read_header_files(files, http, problems);
  read_line(reader.optional("bearer_token_file"), http.bearer_token_file, problems);
  read_line(reader.optional("basic_user"), http.basic_user, problems);
  read_line(reader.optional("basic_password_file"), http.basic_password_file, problems);
  read_tls(reader, http.tls, problems);  // of http, too: a redirect may lead to https
  const Node socket = reader.optional("unix_socket");
  read_line(socket, http.unix_socket, problems, limits::kUnixPathBytesMax);
  if (socket && !http.unix_socket.starts_with('/'))
    problems.error(socket.place(), "not the path of a socket; it begins with /");
}

std::vector<Node> read_tls(yaml::MapReader& reader, TlsSpec& tls, Problems& problems) {
  const Node verify = reader.optional("tls_verify");
  const Node ca_file = reader.optional("tls_ca_file");
  const Node server_name = reader.optional("tls_server_name");
  const Node certificate = reader.optional("tls_certificate_file");
  const Node key = reader.optional("tls_key_file");
  if (const auto wanted = verify.as_bool(problems)) tls.verify = *wanted;
  read_line(ca_file, tls.ca_file, problems);
  read_line(server_name, tls.server_name, problems, limits::kHostBytesMax);
  read_line(certificate, tls.certificate_file, problems);
  read_line(key, tls.key_file, problems);
  if (static_cast<bool>(certificate) != static_cast<bool>(key))
    problems.error((certificate ? certificate : key).name_place(),
                   "'tls_certificate_file' and 'tls_key_file' belong together");
  std::vector<Node> given{verify, ca_file, server_name, certificate, key};
  std::erase_if(given, [](const Node& node) { return !node; });
  return given;
}

std::optional<TlsSpec> read_tls_wish(yaml::MapReader& reader, Problems& problems) {
  const Node tls = reader.optional("tls");
  TlsSpec spec;
  const auto about_tls = read_tls(reader, spec, problems);
  if (tls.as_bool(problems).value_or(false)) return spec;
  for (const Node& about : about_tls)
    problems.error(about.name_place(), about.label() + " is about TLS; say 'tls: true' beside it");
  return std::nullopt;
}

std::optional<Range> read_range(const Node& node, Problems& problems) {
  const auto text = node.as_string(problems, limits::kRangeBytesMax);
  if (!text) return std::nullopt;
  const auto range = parse_range(*text);
  if (!range)
    problems.error(node.place(), "'" + *text +
                                     "' is not a range; write 80 to alert above 80, 10: below 10, "
                                     "@10:20 between");
  return range;
}

}  // namespace firebreak::probe_yaml
