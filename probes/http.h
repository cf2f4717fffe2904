// HTTP/1.1 over TCP or TLS: ask, follow allowed redirects, judge the answer.
//
// Yields the value "status", and those of handshake() over TLS. A body longer than
// limits::kHttpBodyBytesMax is judged by its beginning, which the evidence says.
#pragma once

#include <string>
#include <vector>

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/http_response.h"

namespace firebreak::probes {

Awaitable<void> probe_http(Attempt& attempt, const HttpSpec& spec);

// The same without a verdict on success: false after attempt.fail().
Awaitable<bool> ask_http(Attempt& attempt, const HttpSpec& spec, HttpResponse& response);
// `wish` must live as long as what is returned.
Awaitable<bool> ask_http(Attempt& attempt, const HttpSpec& spec, HttpResponse& response,
                         const BodyWish& wish);

// Whether it is one of them: "200", or of a class such as "2xx".
[[nodiscard]] bool status_matches(int status, const std::vector<std::string>& patterns);

}  // namespace firebreak::probes
