// Reads coordinator.yaml; every mistake is shown with its place at once.
#include "coordinator/config.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "common/file.h"
#include "common/limits.h"
#include "common/tls_yaml.h"
#include "common/yaml.h"

namespace firebreak::coordinator {
namespace {

constexpr std::string_view kAddressWanted =
    "an address and a port such as 0.0.0.0:7443 or [::]:7443";

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.size() > limits::kHostBytesMax) return std::nullopt;
  if (host.find_first_of("[]/ ") != std::string_view::npos) return std::nullopt;
  if (!in_brackets && host.find(':') != std::string_view::npos) return std::nullopt;
  Address address;
  address.host = host;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || read.ec != std::errc{} || read.ptr != port.data() + port.size())
    return std::nullopt;
  return address;
}

Address read_address(const yaml::Node& node, yaml::Problems& problems) {
  if (!node) return {};
  const auto text = node.as_string(problems);
  if (!text) return {};
  const auto address = parse_address(*text);
  if (!address)
    problems.error(
        node.place(),
        node.label() + " must be " + std::string(kAddressWanted) + ", not '" + *text + "'",
        text->find(':') == std::string::npos && text->find('.') != std::string::npos
            ? *text + ":7443"
            : "");
  return address.value_or(Address{});
}

// "10GiB", "512MiB".
std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{}) return std::nullopt;
  const std::string_view unit(read.ptr,
                              static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  const int shift = unit == "MiB" ? 20 : unit == "GiB" ? 30 : unit == "TiB" ? 40 : 0;
  if (shift == 0 || number == 0 || number > (UINT64_MAX >> shift)) return std::nullopt;
  return number << shift;
}

JournalLimits read_journal(const yaml::Node& node, yaml::Problems& problems) {
  JournalLimits read;
  if (!node) return read;
  yaml::MapReader map(node, "'journal'", problems);
  if (const auto keep = map.optional("keep").as_duration(problems, limits::kJournalKeepMin))
    read.keep = *keep;
  const yaml::Node size = map.optional("size");
  if (!size) return read;
  const auto text = size.as_string(problems);
  const auto bytes = text ? parse_size(*text) : std::nullopt;
  if (bytes && *bytes >= limits::kJournalBytesMin)
    read.bytes = *bytes;
  else if (text)
    problems.error(
        size.place(),
        size.label() + " must be a size of at least 64MiB such as 10GiB, not '" + *text + "'");
  return read;
}

Config read_config(const yaml::Node& root, yaml::Problems& problems) {
  yaml::MapReader map(root, "the coordinator's configuration", problems);
  Config config;
  config.listen = read_address(map.optional("listen"), problems);
  config.tls = yaml::read_tls_files(map.required("tls"), problems);
  config.policy = yaml::read_absolute_path(map.required("policy"), problems);
  config.state = yaml::read_absolute_path(map.required("state"), problems);
  config.journal = read_journal(map.optional("journal"), problems);
  return config;
}

}  // namespace

std::string to_string(const Address& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<Config> parse_config(const std::string& file_name, const std::string& text) {
  yaml::Problems problems;
  const auto document = yaml::parse(file_name, text, problems);
  Config config;
  if (document) config = read_config(document->root(), problems);
  if (!problems.ok()) return make_error(Errc::invalid_argument, problems.render());
  return config;
}

Result<Config> load_config(const std::string& path) {
  const auto text = read_small_file(path, limits::kYamlBytesMax);
  if (!text) return text.error();
  return parse_config(path, *text);
}

}  // namespace firebreak::coordinator
