// Reads actions.d strictly: whatever is not understood allows nothing.
#include "agent/actuator/actions_file.h"

#include <sys/stat.h>

#include <array>

#include "common/limits.h"
#include "common/probe_spec.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
using yaml::Entry;
using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

constexpr std::int64_t kPerHourMax = 1000;
constexpr auto kCooldownMax = 24h;

void report_unit(const Node& node, std::string_view name, Problems& problems) {
  const bool lacks_type = is_unit_name(std::string(name) + ".service");
  problems.error(node.place(),
                 "'" + std::string(name) + "' is no unit's full name, such as nginx.service",
                 lacks_type ? std::string(name) + ".service" : "");
}

const programs::FolderWords& folder_words() {
  static const programs::FolderWords kWords{"action", "actions", "so this host allows no action",
                                            "root", limits::kActionsPerHostMax};
  return kWords;
}

// Reads one action; `problems` says whether it may be used.
class ActionReader {
 public:
  ActionReader(const Entry& entry, programs::Owner owner, Problems& problems)
      : entry_(entry),
        problems_(problems),
        reader_(entry.value, "action '" + entry.key.text() + "'", problems),
        program_(reader_, folder_words(), owner, problems) {}

  Action read() {
    action_.name = entry_.key.text();
    if (entry_.value.kind() != yaml::Kind::map) return action_;
    program_.read_parameters();
    static const std::array<std::string, 2> kKinds{"exec", "systemd"};
    const auto what = reader_.exactly_one_of(kKinds);
    if (what && what->key.text() == "exec") action_.what = program_.read_program(what->value);
    if (what && what->key.text() == "systemd") read_unit_command(what->value);
    read_bounds();
    if (!what) {
      reader_.ignore_rest();
      return action_;
    }
    program_.report_unused();
    action_.parameters = program_.parameters();
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
    const auto name = programs::parameter_reference(text);
    if (!name) {
      if (!is_unit_name(text)) report_unit(node, text, problems_);
      return;
    }
    program_.note_reference(node, text);
    const auto parameter = program_.parameters().find(*name);
    if (parameter == program_.parameters().end()) return;
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
  Problems& problems_;
  MapReader reader_;
  programs::ProgramReader program_;
  Action action_;
};

// The actions of a folder, or of one file that is a copy.
ActionsFolder read(const std::string& path, programs::Owner owner, bool is_file,
                   Problems& problems) {
  const auto action = [&](const Entry& entry) {
    return ActionReader(entry, owner, problems).read();
  };
  if (is_file) return programs::read_file<Action>(path, owner, folder_words(), problems, action);
  return programs::read_folder<Action>(path, owner, folder_words(), problems, action);
}

}  // namespace

ActionsFolder read_actions(const std::string& path, uid_t owner, Problems& problems) {
  return read(path, owner, false, problems);
}

ActionsFolder read_actions_copy(const std::string& path, Problems& problems) {
  struct stat info {};
  const bool is_folder = ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  return read(path, std::nullopt, !is_folder, problems);
}

}  // namespace firebreak::actuator
