// What hosts allow, as far as a policy's `host` actions have to fit it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "common/time.h"

namespace firebreak::policy {

// An entry of a host's actions.d.
struct HostEntry {
  Duration timeout{};
  // Why an order with these parameters is refused there; nothing when it is not.
  std::function<std::optional<std::string>(const std::map<std::string, std::string>& parameters)>
      problem_of;
};
using HostEntries = std::map<std::string, HostEntry>;  // of one kind of host

}  // namespace firebreak::policy
