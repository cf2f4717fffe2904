// What the owner of this host allows: the files of actions.d (docs/reference/actions.md).
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/actuator/action.h"
#include "common/programs/files.h"
#include "common/yaml.h"

namespace firebreak::actuator {

using ActionsFolder = programs::Folder<Action>;

// Reads every *.yaml below `path`, in the order of their names; not its subfolders. The folder, the
// files and every program that runs as the actuator's own user have to belong to `owner` (root in
// production) and to be writable by nobody else. Each mistake is reported with its place; a file
// with one allows nothing. Without the folder, nothing is allowed and that is a warning.
ActionsFolder read_actions(const std::string& path, uid_t owner, yaml::Problems& problems);

// A copy of what another host allows, a folder or one file of it. Whom the files belong to, and
// which programs and users there are, is not looked at: that is known on that host alone.
ActionsFolder read_actions_copy(const std::string& path, yaml::Problems& problems);

}  // namespace firebreak::actuator
