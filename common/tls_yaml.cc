// Each mistake names its place; what was meant is guessed where there is one guess.
#include "common/tls_yaml.h"

namespace firebreak::yaml {
namespace {

constexpr std::string_view kCredential = "credential:";

void check_path(const Node& node, const std::string& text, Problems& problems) {
  if (text.starts_with(kCredential)) {
    problems.error(node.place(), node.label() + " must be a path; only 'key' may be a credential");
  } else if (text.empty() || text.front() != '/') {
    problems.error(node.place(), node.label() + " must be an absolute path, not '" + text + "'",
                   text.empty() ? "" : "/etc/firebreak/" + text);
  }
}

std::string read_key(const Node& node, Problems& problems) {
  const auto text = node.as_string(problems);
  if (!text) return {};
  if (!text->starts_with(kCredential)) check_path(node, *text, problems);
  return *text;
}

}  // namespace

std::string read_absolute_path(const Node& node, Problems& problems) {
  const auto text = node.as_string(problems);
  if (!text) return {};
  check_path(node, *text, problems);
  return *text;
}

pki::TlsFiles read_tls_files(const Node& node, Problems& problems) {
  MapReader map(node, "'tls'", problems);
  pki::TlsFiles files;
  files.certificate = read_absolute_path(map.required("certificate"), problems);
  files.key = read_key(map.required("key"), problems);
  files.ca = read_absolute_path(map.required("ca"), problems);
  return files;
}

}  // namespace firebreak::yaml
