// A listening Unix stream socket at a path.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/fd.h"
#include "common/result.h"

namespace firebreak {

// Listens at `path`, not blocking, with that mode; with `group` the file is given to it, without
// one it has the group that its folder gives it. A socket that nobody listens on is replaced;
// already_exists when somebody does, or when it is no socket.
Result<Fd> make_unix_listener(const std::string& path, mode_t mode,
                              std::optional<gid_t> group = std::nullopt);

}  // namespace firebreak
