// Reads what the owner of this host allows strictly: whatever is not understood allows nothing.
#include "common/programs/files.h"

#include <dirent.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <re2/re2.h>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak::programs {
namespace {

using yaml::Entry;
using yaml::MapReader;
using yaml::Node;
using yaml::Place;
using yaml::Problems;

constexpr std::size_t kPathBytesMax = 4096;

Place whole(const std::string& file) {
  Place place;
  place.file = file;
  return place;
}

bool is_in(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
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

}  // namespace

std::optional<std::string> ownership_problem(const struct stat& info, Owner owner) {
  if (!owner) return std::nullopt;
  if (info.st_uid != *owner && info.st_uid != 0) {
    return "belongs to user " + std::to_string(info.st_uid) + ", it has to belong to " +
           (*owner == 0 ? "root: chown root" : "user " + std::to_string(*owner));
  }
  if ((info.st_mode & 022) != 0) return "may be written by others than its owner: chmod go-w";
  return std::nullopt;
}

void ProgramReader::read_parameters() {
  const Node node = item_.optional("parameters");
  if (!node) return;
  for (const Entry& entry : node.as_map(problems_)) {
    const auto name = entry.key.as_name(problems_);
    if (!name) continue;
    places_.emplace(*name, entry.key.place());
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

void ProgramReader::read_one_of(const std::string& name, const Node& node) {
  OneOf one_of;
  for (const Node& item : node.as_list(problems_)) {
    const auto value = item.as_string(problems_);
    if (!value) continue;
    if (const auto problem = unsafe_value(*value))
      problems_.error(item.place(), "a value " + *problem);
    one_of.values.push_back(*value);
  }
  if (node.kind() == yaml::Kind::sequence && one_of.values.empty()) {
    problems_.error(node.name_place(),
                    "'one_of' names no value, so the " + words_.item + " could never run");
  }
  parameters_[name] = std::move(one_of);
}

void ProgramReader::read_integer(const std::string& name, const Node& node) {
  MapReader reader(node, "'integer'", problems_);
  const Node low = reader.required("min");
  const Node high = reader.required("max");
  const auto min = low.as_int(problems_, 0);
  const auto max = high.as_int(problems_, 0);
  if (min && max && *min > *max) problems_.error(high.place(), "'max' is less than 'min'");
  parameters_[name] = Integer{min.value_or(0), max.value_or(0)};
}

void ProgramReader::read_pattern(const std::string& name, const Node& node) {
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
  parameters_[name] = Pattern{std::move(regex)};
}

void ProgramReader::note_reference(const Node& node, const std::string& text) {
  const auto name = parameter_reference(text);
  if (name && places_.contains(*name)) {
    used_.insert(*name);
  } else if (name) {
    std::vector<std::string> names;
    for (const auto& [known, place] : places_) names.push_back(known);
    problems_.error(node.place(), "there is no parameter '" + *name + "'",
                    did_you_mean(*name, names));
  } else if (text.find("${") != std::string::npos) {
    problems_.error(node.place(),
                    "a parameter has to be a whole argument, such as ${name}; nothing may stand "
                    "before or after it");
  }
}

Program ProgramReader::read_program(const Node& node) {
  Program program;
  std::vector<Node> items;
  if (node.kind() != yaml::Kind::sequence) {
    node.report_type(problems_, "a list: the program's full path, then its arguments");
  } else {
    items = node.items();
  }
  if (items.size() > limits::kActionArgsMax) {
    problems_.error(node.name_place(), "'exec' has " + std::to_string(items.size()) +
                                           " items, at most " +
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
  return program;
}

void ProgramReader::read_surroundings(Program& program) {
  if (const Node user = item_.optional("user")) {
    program.user = user.as_string(problems_, 64).value_or("");
    if (owner_ && !program.user.empty() && ::getpwnam(program.user.c_str()) == nullptr) {
      problems_.error(user.place(), "this host has no user '" + program.user + "'");
    }
  }
  const Node directory = item_.optional("directory");
  if (const auto path = directory.as_string(problems_, kPathBytesMax)) {
    program.working_directory = *path;
    if (!path->starts_with('/')) {
      problems_.error(directory.place(), "'directory' has to be a full path, such as /srv");
    }
  }
  if (const Node environment = item_.optional("environment")) {
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

void ProgramReader::check_program(const Node& node, const Program& program) {
  const std::string& path = program.argv.front();
  if (!path.starts_with('/')) {
    problems_.error(node.place(),
                    "a program has to be given by its full path, such as /usr/bin/true");
    return;
  }
  check_shell(node, path);
  if (!owner_) return;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    problems_.error(node.place(), "there is no program " + path);
  } else if (!S_ISREG(info.st_mode) || (info.st_mode & 0111) == 0) {
    problems_.error(node.place(), path + " is not an executable file");
  } else if (const auto problem = ownership_problem(info, owner_);
             problem && (program.user.empty() || program.user == "root")) {
    problems_.error(node.place(),
                    "this program runs as " + words_.runs_as + " but " + *problem + ' ' + path);
  }
}

// A shell would read a parameter's value as a program.
void ProgramReader::check_shell(const Node& node, const std::string& path) {
  static const std::set<std::string, std::less<>> kShells{"sh",  "bash", "dash", "zsh",
                                                          "ksh", "env",  "eval", "xargs"};
  const auto base = path.substr(path.rfind('/') + 1);
  if (!kShells.contains(base) || used_.empty()) return;
  problems_.error(node.place(), "a parameter must not be given to " + base +
                                    ", which may run its value: call a script by its own path");
}

void ProgramReader::report_unused() {
  for (const auto& [name, place] : places_) {
    if (used_.contains(name)) continue;
    std::string message = "parameter '" + name + "' is not used: write ${";
    message.append(name).append("} as a whole argument, or remove it");
    problems_.error(place, std::move(message));
  }
}

std::vector<std::string> list_folder(const std::string& path, Owner owner, const FolderWords& words,
                                     bool& refused, Problems& problems) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  if (!folder && errno == ENOENT) {
    problems.warning(whole(path), "does not exist, " + words.without);
    return {};
  }
  struct stat info {};
  if (!folder || ::fstat(::dirfd(folder.get()), &info) != 0) {
    problems.error(whole(path), "cannot be read: " + std::generic_category().message(errno));
    return {};
  }
  const auto folder_problem = ownership_problem(info, owner);
  if (folder_problem) problems.error(whole(path), *folder_problem + ' ' + path);
  refused = folder_problem.has_value();
  return yaml_files(folder.get(), path, problems);
}

std::vector<Entry> read_items(const std::string& path, Owner owner, const FolderWords& words,
                              const Places& places, Places& own, Problems& problems) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    problems.error(whole(path), "cannot be read: " + std::generic_category().message(errno));
    return {};
  }
  if (!S_ISREG(info.st_mode)) {
    problems.error(whole(path), "is not a regular file: copy the file itself here");
    return {};
  }
  if (const auto problem = ownership_problem(info, owner)) {
    problems.error(whole(path), *problem + ' ' + path);
    return {};
  }
  const auto document = yaml::load(path, problems);
  if (!document) return {};
  const std::string article = words.item.starts_with('a') ? "an " : "a ";
  MapReader reader(document->root(), article + words.key + " file", problems);
  std::vector<Entry> items;
  for (const Entry& entry : reader.required(words.key).as_map(problems)) {
    const auto name = entry.key.as_name(problems);
    if (!name) continue;
    if (const auto first = places.find(*name); first != places.end()) {
      problems.error(entry.key.place(), words.item + " '" + *name + "' is already defined in " +
                                            first->second.file + ':' +
                                            std::to_string(first->second.line));
    }
    own.emplace(*name, entry.key.place());
    items.push_back(entry);
  }
  return items;
}

void report_too_many(const std::string& file, const std::string& folder, const FolderWords& words,
                     Problems& problems) {
  problems.error(whole(file), "there are more than " + std::to_string(words.items_max) + ' ' +
                                  words.key + " in " + folder);
}

}  // namespace firebreak::programs
