// Requests are written by hand: five lines are all that a probe needs.
#include "probes/http_request.h"

#include <algorithm>
#include <array>

#include "common/base64.h"
#include "common/secret.h"

namespace firebreak::probes {
namespace {

constexpr std::array kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

bool is_token(std::string_view text) {
  static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

bool has_header(const HttpRequest& request, std::string_view lower_name) {
  return std::any_of(
      request.headers.begin(), request.headers.end(),
      [lower_name](const auto& header) { return lower(header.first) == lower_name; });
}

Result<void> check_header(const std::string& name, std::string_view value) {
  const std::string folded = lower(name);
  if (!is_token(name) || !is_field_value(value))
    return make_error(Errc::invalid_argument,
                      "header '" + name + "' holds a character that no header may hold");
  if (folded == "content-length" || folded == "transfer-encoding" || folded == "connection")
    return make_error(Errc::invalid_argument, "header '" + name + "' is set by the probe itself");
  return {};
}

Result<void> add_credentials(const HttpSpec& spec, HttpRequest& request) {
  for (const auto& [name, file] : spec.header_files) {
    const auto value = read_password_file(file);
    if (!value) return value.error();
    if (!is_field_value(value->reveal()))
      return make_error(Errc::invalid_argument, file + ": holds more than one line, not a header");
    request.secrets.push_back(value->reveal());
    request.secret_headers.push_back(lower(name));
    request.headers.emplace_back(name, value->reveal());
  }
  if (!spec.bearer_token_file.empty()) {
    const auto token = read_password_file(spec.bearer_token_file);
    if (!token) return token.error();
    if (!is_field_value(token->reveal()))
      return make_error(Errc::invalid_argument,
                        spec.bearer_token_file + ": holds more than one line, not a token");
    request.secrets.push_back(token->reveal());
    request.headers.emplace_back("Authorization", "Bearer " + token->reveal());
  }
  if (!spec.basic_password_file.empty()) {
    const auto password = read_password_file(spec.basic_password_file);
    if (!password) return password.error();
    const std::string encoded = to_base64(spec.basic_user + ":" + password->reveal());
    request.secrets.push_back(encoded);
    request.secrets.push_back(password->reveal());
    request.headers.emplace_back("Authorization", "Basic " + encoded);
  }
  return {};
}

}  // namespace

Result<HttpRequest> make_request(const HttpSpec& spec) {
  HttpRequest request;
  auto url = parse_url(spec.url);
  if (!url) return url.error();
  request.url = *std::move(url);
  if (std::find(kMethods.begin(), kMethods.end(), spec.method) == kMethods.end())
    return make_error(
        Errc::invalid_argument,
        "method '" + spec.method + "' is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS");
  request.method = spec.method;
  for (const auto& [name, value] : spec.headers)
    if (const auto good = check_header(name, value); !good) return good.error();
  for (const auto& [name, file] : spec.header_files)
    if (const auto good = check_header(name, ""); !good) return good.error();
  request.headers = spec.headers;
  request.body = spec.body;
  if (const auto added = add_credentials(spec, request); !added) return added.error();
  return request;
}

Result<void> follow(HttpRequest& request, int status, std::string_view location) {
  auto next = resolve_redirect(request.url, location);
  if (!next) return next.error();
  if (request.url.tls && !next->tls)
    return make_error(Errc::invalid_argument, "it leads from https down to http");
  boost::system::error_code not_numeric;
  const auto address = boost::asio::ip::make_address(next->host, not_numeric);
  if (!not_numeric && is_metadata_address(address))
    return make_error(Errc::invalid_argument, "a link-local or metadata address");
  if (!same_origin(request.url, *next))
    std::erase_if(request.headers, [&secret = request.secret_headers](const auto& header) {
      const std::string name = lower(header.first);
      return name == "authorization" || name == "cookie" || name == "host" ||
             std::find(secret.begin(), secret.end(), name) != secret.end();
    });
  const bool was_post = request.method == "POST";
  if ((status == 303 && request.method != "HEAD") ||
      ((status == 301 || status == 302) && was_post)) {
    request.method = "GET";
    request.body.clear();
  }
  request.url = *std::move(next);
  return {};
}

std::string to_wire(const HttpRequest& request) {
  std::string text = request.method + " " + request.url.target + " HTTP/1.1\r\n";
  if (!has_header(request, "host")) text += "Host: " + host_header(request.url) + "\r\n";
  if (!has_header(request, "user-agent")) text += "User-Agent: firebreak\r\n";
  if (!has_header(request, "accept")) text += "Accept: */*\r\n";
  text += "Connection: close\r\n";
  for (const auto& [name, value] : request.headers)
    text.append(name).append(": ").append(value).append("\r\n");
  const bool takes_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (takes_body || !request.body.empty())
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return text + "\r\n" + request.body;
}

}  // namespace firebreak::probes
