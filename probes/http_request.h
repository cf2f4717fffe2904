// The request of an HTTP probe: made from a spec and the secrets on this host, and re-made for each
// redirect.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/probe_spec.h"
#include "common/result.h"
#include "probes/url.h"

namespace firebreak::probes {

struct HttpRequest {
  std::string method;
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;  // those of the spec and credentials
  std::string body;
  std::vector<std::string> secrets;         // what must not be shown of the headers
  std::vector<std::string> secret_headers;  // names, lower-case: they stay with their origin
};

// Reads the secret files. Refuses methods and headers that would end up as another request.
Result<HttpRequest> make_request(const HttpSpec& spec);

// Turns `request` into what a redirect asks for: method and body as RFC 9110 says, credentials and
// cookies only within the same origin, never from https down to http.
Result<void> follow(HttpRequest& request, int status, std::string_view location);

std::string to_wire(const HttpRequest& request);

}  // namespace firebreak::probes
