// The checks that the owner of this host lets probes run: the files of checks.d
// (docs/reference/probes.md, "exec").
//
// A policy names a check; what is run, for how long at most, and which parameters may be given,
// stands in a file on the host that only root can write.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "common/probe_spec.h"
#include "common/programs/files.h"
#include "common/programs/keep.h"
#include "common/result.h"
#include "common/yaml.h"
#include "probes/check_keeper.h"

namespace firebreak::probes {

struct Check {
  programs::Program program;
  programs::Parameters parameters;
  Duration timeout{};  // the most; a probe's own may be shorter
};
using ChecksFolder = programs::Folder<Check>;

// As agent/actuator reads actions.d, and as strictly.
ChecksFolder read_checks(const std::string& path, uid_t owner, yaml::Problems& problems);

// What exec probes run. Belongs to the Prober's thread.
class Checks {
 public:
  Checks(ChecksFolder folder, std::unique_ptr<CheckKeeper> keeper)
      : folder_(std::move(folder)), keeper_(std::move(keeper)) {}

  struct Order {
    programs::Invocation invocation;
    Duration timeout{};
  };
  // What the owner of this host lets such a probe do; the error says why nothing.
  [[nodiscard]] Result<Order> order_of(const ExecSpec& spec) const;
  [[nodiscard]] CheckKeeper& keeper() { return *keeper_; }
  // What is allowed from now on; what runs goes on.
  void replace(ChecksFolder folder) { folder_ = std::move(folder); }

 private:
  ChecksFolder folder_;
  std::unique_ptr<CheckKeeper> keeper_;
};

// Reads the folder, and forks the process that keeps what is run. A mistake allows less and is only
// in `problems`; the error is about the process.
Result<std::shared_ptr<Checks>> open_checks(const std::string& path, uid_t owner,
                                            yaml::Problems& problems);

}  // namespace firebreak::probes
