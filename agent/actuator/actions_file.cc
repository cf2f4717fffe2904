// Reads actions.d strictly: whatever is not understood allows nothing.
#include "agent/actuator/actions_file.h"

#include <dirent.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include <re2/re2.h>

#include "agent/actuator/decide.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
using yaml::Entry;
using yaml::MapReader;
using yaml::Node;
using yaml::Place;
using yaml::Problems;

constexpr std::size_t kPathBytesMax = 4096;
constexpr std::int64_t kPerHourMax = 1000;
constexpr auto kCooldownMax = 24h;

Place whole(const std::string& file) {
  Place place;
  place.file = file;
  return place;
}

// Nothing: the files are copies of another host's.
using Owner = std::optional<uid_t>;

// Why somebody other than the owner could change it; nothing when nobody else can.
std::optional<std::string> ownership_problem(const struct stat& info, Owner owner) {
  if (!owner) return std::nullopt;
  if (info.st_uid != *owner && info.st_uid != 0) {
    return "belongs to user " + std::to_string(info.st_uid) + ", it has to belong to " +
           (*owner == 0 ? "root: chown root" : "user " + std::to_string(*owner));
  }
  if ((info.st_mode & 022) != 0) return "may be written by others than its owner: chmod go-w";
  return std::nullopt;
}

bool is_in(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr std::string_view kUnitCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.@-\\";
constexpr std::array<std::string_view, 8> kUnitTypes{".service", ".socket", ".target",    ".timer",
                                                     ".path",    ".mount",  ".automount", ".slice"};

bool is_unit_name(std::string_view name) {
  if (name.size() > 255 || name.starts_with('-') || !is_in(name, kUnitCharacters)) return false;
  return std::any_of(kUnitTypes.begin(), kUnitTypes.end(), [name](std::string_view type) {
    return name.size() > type.size() && name.ends_with(type);
  });
}

void report_unit(const Node& node, std::string_view name, Problems& problems) {
  const bool lacks_type = is_unit_name(std::string(name) + ".service");
  problems.error(node.place(),
                 "'" + std::string(name) + "' is no unit's full name, such as nginx.service",
                 lacks_type ? std::string(name) + ".service" : "");
}

// Reads one action; `problems` says whether it may be used.
class ActionReader {
 public:
  ActionReader(const Entry& entry, Owner owner, Problems& problems)
      : entry_(entry),
        owner_(owner),
        problems_(problems),
        reader_(entry.value, "action '" + entry.key.text() + "'", problems) {}

  Action read() {
    action_.name = entry_.key.text();
    if (entry_.value.kind() != yaml::Kind::map) return action_;
    if (const Node node = reader_.optional("parameters")) read_parameters(node);
    static const std::array<std::string, 2> kKinds{"exec", "systemd"};
    const auto what = reader_.exactly_one_of(kKinds);
    if (what && what->key.text() == "exec") read_program(what->value);
    if (what && what->key.text() == "systemd") read_unit_command(what->value);
    read_bounds();
    if (!what) {
      reader_.ignore_rest();
      return action_;
    }
    for (const auto& [name, place] : parameter_places_) {
      if (used_.contains(name)) continue;
      std::string message = "parameter '" + name + "' is not used: write ${";
      message.append(name).append("} as a whole argument, or remove it");
      problems_.error(place, std::move(message));
    }
    return action_;
  }

 private:
  void read_bounds() {
    if (const auto timeout =
            reader_.required("timeout").as_duration(problems_, 100ms, limits::kActionTimeoutMax)) {
      action_.timeout = *timeout;
    }
    if (const auto cooldown =
            reader_.optional("cooldown").as_duration(problems_, Duration{0}, kCooldownMax)) {
      action_.cooldown = *cooldown;
    }
    if (const auto per_hour = reader_.optional("per_hour").as_int(problems_, 1, kPerHourMax)) {
      action_.per_hour = static_cast<std::size_t>(*per_hour);
    }
  }

  void read_parameters(const Node& node) {
    for (const Entry& entry : node.as_map(problems_)) {
      const auto name = entry.key.as_name(problems_);
      if (!name) continue;
      parameter_places_.emplace(*name, entry.key.place());
      MapReader reader(entry.value, "parameter '" + *name + "'", problems_);
      if (entry.value.kind() != yaml::Kind::map) continue;
      static const std::array<std::string, 3> kKinds{"one_of", "integer", "pattern"};
      const auto kind = reader.exactly_one_of(kKinds);
      if (!kind) continue;
      if (kind->key.text() == "one_of") read_one_of(*name, kind->value);
      if (kind->key.text() == "integer") read_integer(*name, kind->value);
      if (kind->key.text() == "pattern") read_pattern(*name, kind->value);
    }
  }

  void read_one_of(const std::string& name, const Node& node) {
    OneOf one_of;
    for (const Node& item : node.as_list(problems_)) {
      const auto value = item.as_string(problems_);
      if (!value) continue;
      if (const auto problem = unsafe_value(*value))
        problems_.error(item.place(), "a value " + *problem);
      one_of.values.push_back(*value);
    }
    if (node.kind() == yaml::Kind::sequence && one_of.values.empty()) {
      problems_.error(node.name_place(), "'one_of' names no value, so the action could never run");
    }
    action_.parameters[name] = std::move(one_of);
  }

  void read_integer(const std::string& name, const Node& node) {
    MapReader reader(node, "'integer'", problems_);
    const Node low = reader.required("min");
    const Node high = reader.required("max");
    const auto min = low.as_int(problems_, 0);
    const auto max = high.as_int(problems_, 0);
    if (min && max && *min > *max) problems_.error(high.place(), "'max' is less than 'min'");
    action_.parameters[name] = Integer{min.value_or(0), max.value_or(0)};
  }

  void read_pattern(const std::string& name, const Node& node) {
    const auto text = node.as_string(problems_);
    if (!text) return;
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    auto regex = std::make_shared<const re2::RE2>(*text, options);
    if (!regex->ok()) {
      problems_.error(node.place(), "this is no regular expression of RE2: " + regex->error());
      return;
    }
    action_.parameters[name] = Pattern{std::move(regex)};
  }

  // Notes that a parameter is used; false when the text is not a reference to a known one.
  void note_reference(const Node& node, const std::string& text) {
    const auto name = parameter_reference(text);
    if (name && parameter_places_.contains(*name)) {
      used_.insert(*name);
    } else if (name) {
      std::vector<std::string> names;
      for (const auto& [known, place] : parameter_places_) names.push_back(known);
      problems_.error(node.place(), "there is no parameter '" + *name + "'",
                      did_you_mean(*name, names));
    } else if (text.find("${") != std::string::npos) {
      problems_.error(node.place(),
                      "a parameter has to be a whole argument, such as ${name}; nothing may stand "
                      "before or after it");
    }
  }

  void read_program(const Node& node) {
    Program program;
    std::vector<Node> items;
    if (node.kind() != yaml::Kind::sequence) {
      node.report_type(problems_, "a list: the program's full path, then its arguments");
    } else {
      items = node.items();
    }
    if (items.size() > limits::kActionArgsMax) {
      problems_.error(node.name_place(),
                      "'exec' has " + std::to_string(items.size()) + " items, at most " +
                          std::to_string(limits::kActionArgsMax) + " are allowed");
    }
    if (node.kind() == yaml::Kind::sequence && items.empty()) {
      problems_.error(node.name_place(), "'exec' names no program");
    }
    for (const Node& item : items) {
      program.argv.push_back(item.as_string(problems_, kPathBytesMax).value_or(""));
      note_reference(item, program.argv.back());
    }
    read_surroundings(program);
    if (!items.empty()) check_program(items.front(), program);
    action_.what = std::move(program);
  }

  void read_surroundings(Program& program) {
    if (const Node user = reader_.optional("user")) {
      program.user = user.as_string(problems_, 64).value_or("");
      if (owner_ && !program.user.empty() && ::getpwnam(program.user.c_str()) == nullptr) {
        problems_.error(user.place(), "this host has no user '" + program.user + "'");
      }
    }
    const Node directory = reader_.optional("directory");
    if (const auto path = directory.as_string(problems_, kPathBytesMax)) {
      program.working_directory = *path;
      if (!path->starts_with('/')) {
        problems_.error(directory.place(), "'directory' has to be a full path, such as /srv");
      }
    }
    if (const Node environment = reader_.optional("environment")) {
      for (const Entry& entry : environment.as_map(problems_)) {
        const std::string& name = entry.key.text();
        if (name.empty() || !is_in(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")) {
          problems_.error(entry.key.place(),
                          "an environment variable's name holds only A-Z, 0-9 and _");
        }
        program.environment[name] = entry.value.as_string(problems_).value_or("");
      }
    }
  }

  void check_program(const Node& node, const Program& program) {
    const std::string& path = program.argv.front();
    if (!path.starts_with('/')) {
      problems_.error(node.place(),
                      "a program has to be given by its full path, such as /usr/bin/true");
      return;
    }
    check_shell(node, program);
    if (!owner_) return;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      problems_.error(node.place(), "there is no program " + path);
    } else if (!S_ISREG(info.st_mode) || (info.st_mode & 0111) == 0) {
      problems_.error(node.place(), path + " is not an executable file");
    } else if (const auto problem = ownership_problem(info, owner_);
               problem && (program.user.empty() || program.user == "root")) {
      problems_.error(node.place(), "this program runs as root but " + *problem + ' ' + path);
    }
  }

  // A shell would read a parameter's value as a program.
  void check_shell(const Node& node, const Program& program) {
    static const std::set<std::string, std::less<>> kShells{"sh",  "bash", "dash", "zsh",
                                                            "ksh", "env",  "eval", "xargs"};
    const std::string& path = program.argv.front();
    const auto base = path.substr(path.rfind('/') + 1);
    if (!kShells.contains(base) || used_.empty()) return;
    problems_.error(node.place(), "a parameter must not be given to " + base +
                                      ", which may run its value: call a script by its own path");
  }

  void read_unit_command(const Node& node) {
    UnitCommand command;
    MapReader reader(node, "'systemd'", problems_);
    static const std::array<std::string, 4> kVerbs{"start", "stop", "restart", "reload"};
    if (const auto verb = reader.required("verb").as_word(problems_, kVerbs)) {
      command.verb = kVerbs.at(*verb);
    }
    const Node unit = reader.required("unit");
    if (const auto name = unit.as_string(problems_)) {
      command.unit = *name;
      check_unit(unit, *name);
    }
    action_.what = std::move(command);
  }

  void check_unit(const Node& node, const std::string& text) {
    const auto name = parameter_reference(text);
    if (!name) {
      if (!is_unit_name(text)) report_unit(node, text, problems_);
      return;
    }
    note_reference(node, text);
    const auto parameter = action_.parameters.find(*name);
    if (parameter == action_.parameters.end()) return;
    const auto* one_of = std::get_if<OneOf>(&parameter->second);
    if (one_of == nullptr) {
      problems_.error(node.place(),
                      "a unit's name may only come from a parameter with 'one_of', so "
                      "that this file lists every unit");
      return;
    }
    for (const std::string& value : one_of->values) {
      if (!is_unit_name(value)) report_unit(node, value, problems_);
    }
  }

  const Entry& entry_;
  Owner owner_;
  Problems& problems_;
  MapReader reader_;
  Action action_;
  std::map<std::string, Place> parameter_places_;
  std::set<std::string> used_;
};

using Places = std::map<std::string, Place>;

// The actions of one file; `places` knows those of the files before it.
AllowList read_file(const std::string& path, Owner owner, const Places& places, Places& own,
                    Problems& problems) {
  AllowList allowed;
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    problems.error(whole(path), "cannot be read: " + std::generic_category().message(errno));
    return allowed;
  }
  if (!S_ISREG(info.st_mode)) {
    problems.error(whole(path), "is not a regular file: copy the file itself here");
    return allowed;
  }
  if (const auto problem = ownership_problem(info, owner)) {
    problems.error(whole(path), *problem + ' ' + path);
    return allowed;
  }
  const auto document = yaml::load(path, problems);
  if (!document) return allowed;
  MapReader reader(document->root(), "an actions file", problems);
  for (const Entry& entry : reader.required("actions").as_map(problems)) {
    const auto name = entry.key.as_name(problems);
    if (!name) continue;
    if (const auto first = places.find(*name); first != places.end()) {
      problems.error(entry.key.place(), "action '" + *name + "' is already defined in " +
                                            first->second.file + ':' +
                                            std::to_string(first->second.line));
    }
    own.emplace(*name, entry.key.place());
    allowed.emplace(*name, ActionReader(entry, owner, problems).read());
  }
  return allowed;
}

// The paths of the folder's *.yaml files, sorted.
std::vector<std::string> yaml_files(DIR* folder, const std::string& path, Problems& problems) {
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name.starts_with('.')) continue;
    std::string file = path;
    file.append("/").append(name);
    if (name.ends_with(".yml")) {
      problems.warning(whole(file), "is not read: rename it to end in .yaml");
    }
    if (name.ends_with(".yaml")) files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end());
  return files;
}

ActionsFolder read_folder(const std::string& path, Owner owner, Problems& problems) {
  ActionsFolder result;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  if (!folder && errno == ENOENT) {
    problems.warning(whole(path), "does not exist, so this host allows no action");
    return result;
  }
  struct stat info {};
  if (!folder || ::fstat(::dirfd(folder.get()), &info) != 0) {
    problems.error(whole(path), "cannot be read: " + std::generic_category().message(errno));
    return result;
  }
  const auto folder_problem = ownership_problem(info, owner);
  if (folder_problem) problems.error(whole(path), *folder_problem + ' ' + path);
  Places places;
  for (const std::string& file : yaml_files(folder.get(), path, problems)) {
    ++result.files;
    Places own;
    const std::size_t errors = problems.errors();
    AllowList allowed = read_file(file, owner, places, own, problems);
    if (!folder_problem && problems.errors() == errors &&
        result.allowed.size() + allowed.size() > limits::kActionsPerHostMax) {
      problems.error(whole(file), "there are more than " +
                                      std::to_string(limits::kActionsPerHostMax) + " actions in " +
                                      path);
    }
    if (folder_problem || problems.errors() != errors) {
      ++result.files_refused;
      continue;
    }
    places.merge(own);
    result.allowed.merge(allowed);
  }
  return result;
}

}  // namespace

ActionsFolder read_actions(const std::string& path, uid_t owner, Problems& problems) {
  return read_folder(path, owner, problems);
}

ActionsFolder read_actions_copy(const std::string& path, Problems& problems) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    problems.error(whole(path), "cannot be read: " + std::generic_category().message(errno));
    return {};
  }
  if (S_ISDIR(info.st_mode)) return read_folder(path, std::nullopt, problems);
  ActionsFolder result;
  result.files = 1;
  Places own;
  const std::size_t errors = problems.errors();
  AllowList allowed = read_file(path, std::nullopt, {}, own, problems);
  if (problems.errors() == errors)
    result.allowed = std::move(allowed);
  else
    result.files_refused = 1;
  return result;
}

}  // namespace firebreak::actuator
