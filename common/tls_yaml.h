// What the configurations of both services have in common: absolute paths, and TLS files.
#pragma once

#include <string>

#include "common/pki.h"
#include "common/yaml.h"

namespace firebreak::yaml {

// A service has no working folder that anybody would think of, so paths are absolute.
std::string read_absolute_path(const Node& node, Problems& problems);
// {certificate, key, ca}; only the key may be "credential:NAME".
pki::TlsFiles read_tls_files(const Node& node, Problems& problems);

}  // namespace firebreak::yaml
