// What the definitions of several probe kinds hold: readers of one field each, for
// common/probe_yaml*.cc alone.
//
// Each writes into its argument what was read and says into `problems` what no agent would take; a
// missing node changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/limits.h"
#include "common/probe_spec.h"
#include "common/range.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

[[nodiscard]] bool is_one_line(std::string_view text);  // no control characters
void read_text(const yaml::Node& node, std::string& into, yaml::Problems& problems);
// Text that may have any number of lines; a message cannot hold a NUL.
void read_lines(const yaml::Node& node, std::string& into, yaml::Problems& problems);
// Text that stands on one line of whatever protocol it goes into.
void read_line(const yaml::Node& node, std::string& into, yaml::Problems& problems,
               std::size_t max_bytes = limits::kTextBytesMax);
void check_host(const yaml::Node& node, const std::string& host, yaml::Problems& problems);
void check_count(const yaml::Node& node, std::size_t count, std::size_t most,
                 yaml::Problems& problems);
// "host:port", "[::1]:6379", "host", "::1", "/run/postgresql".
void read_endpoint(const yaml::Node& node, std::string& host, std::uint16_t& port,
                   yaml::Problems& problems);
// As monitoring plugins write them (common/range.h).
[[nodiscard]] std::optional<Range> read_range(const yaml::Node& node, yaml::Problems& problems);
void read_host(const yaml::Node& node, std::string& host, yaml::Problems& problems);
void read_port(const yaml::Node& node, std::uint16_t& port, yaml::Problems& problems);

void check_url(const yaml::Node& node, const std::string& url, yaml::Problems& problems);
void read_headers(const yaml::Node& node, HttpSpec& http, yaml::Problems& problems);
// The keys about TLS, and those of them that are there.
std::vector<yaml::Node> read_tls(yaml::MapReader& reader, TlsSpec& tls, yaml::Problems& problems);
// The same beside 'tls', without which they mean nothing.
std::optional<TlsSpec> read_tls_wish(yaml::MapReader& reader, yaml::Problems& problems);
// Credentials, TLS and socket of a request.
void read_http_access(yaml::MapReader& reader, HttpSpec& http, yaml::Problems& problems);
// A limit on a value.
std::optional<Range> read_range(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak::probe_yaml
