// Small files, whole: a configuration, a certificate, a password are read; a service's own state is
// replaced.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/result.h"

namespace firebreak {

enum class Readable {
  by_anyone,
  by_owner,  // refused when others may read it (group members may)
};

// Never waits: a FIFO, a terminal or a device in the file's place is refused, for its name may come
// from somebody who wants this process to hang. At most `bytes_max`, else resource_exhausted.
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max,
                                    Readable readable = Readable::by_anyone);

// FOLDER/NAME holds `text` and is durable, or it is as it was and an error says why. A crash may
// leave NAME.new, which the next call overwrites.
Result<> replace_small_file(const std::string& folder, const std::string& name,
                            std::string_view text);

}  // namespace firebreak
