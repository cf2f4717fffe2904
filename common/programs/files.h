// Folders of files in which the owner of this host says what firebreak may run: actions.d,
// checks.d.
//
// Only the owner may be able to write them; each mistake is reported with its place, and a file
// with one allows nothing.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/programs/program.h"
#include "common/yaml.h"

struct stat;

namespace firebreak::programs {

// What such a folder is about, for its files and its messages.
struct FolderWords {
  std::string item;       // "action": what a file defines
  std::string key;        // "actions": under which its files name them
  std::string without;    // "so this host allows no action": what it means that it does not exist
  std::string runs_as;    // "root": as whom a program runs that names no user
  std::size_t items_max;  // in all files
};

// To whom the files have to belong. Nothing: they are copies of another host's, and what is known
// there alone (whose they are, which programs and users there are) is not looked at.
using Owner = std::optional<uid_t>;

// Why somebody other than the owner could change it; nothing when nobody else can.
[[nodiscard]] std::optional<std::string> ownership_problem(const struct stat& info, Owner owner);

// Reads what actions and checks share: parameters, exec, user, directory, environment. One item.
class ProgramReader {
 public:
  // All must outlive it. `item` reads the map that is the item.
  ProgramReader(yaml::MapReader& item, const FolderWords& words, Owner owner,
                yaml::Problems& problems)
      : item_(item), words_(words), owner_(owner), problems_(problems) {}

  // First, for the others refer to them.
  void read_parameters();
  Program read_program(const yaml::Node& exec);
  // Notes that a parameter is used, or reports that the text is no good reference.
  void note_reference(const yaml::Node& node, const std::string& text);
  // Last: parameters that nothing refers to.
  void report_unused();

  [[nodiscard]] const Parameters& parameters() const { return parameters_; }

 private:
  void read_one_of(const std::string& name, const yaml::Node& node);
  void read_integer(const std::string& name, const yaml::Node& node);
  void read_pattern(const std::string& name, const yaml::Node& node);
  void read_surroundings(Program& program);
  void check_program(const yaml::Node& node, const Program& program);
  void check_shell(const yaml::Node& node, const std::string& path);

  yaml::MapReader& item_;
  const FolderWords& words_;
  Owner owner_;
  yaml::Problems& problems_;
  Parameters parameters_;
  std::map<std::string, yaml::Place> places_;  // of parameters_
  std::set<std::string> used_;                 // of parameters_
};

template <class Item>
struct Folder {
  std::map<std::string, Item> allowed;  // of the files without a mistake only
  std::size_t files = 0;                // *.yaml
  std::size_t files_refused = 0;        // of these, because of mistakes
};

// The paths of the folder's *.yaml files, sorted; nothing, and a warning, when it does not exist.
// `refused`: the folder itself has a mistake, so that its files count for nothing.
std::vector<std::string> list_folder(const std::string& path, Owner owner, const FolderWords& words,
                                     bool& refused, yaml::Problems& problems);
// The items of one file, not yet read; none when it is not to be trusted. `places` knows those of
// the files before it.
using Places = std::map<std::string, yaml::Place>;
std::vector<yaml::Entry> read_items(const std::string& path, Owner owner, const FolderWords& words,
                                    const Places& places, Places& own, yaml::Problems& problems);
void report_too_many(const std::string& file, const std::string& folder, const FolderWords& words,
                     yaml::Problems& problems);

// Reads every *.yaml below `path`, in the order of their names; not its subfolders. The folder, the
// files and every program that runs as `words.runs_as` have to belong to `owner` (root in
// production) and to be writable by nobody else. `read` makes an Item of an entry and reports what
// is wrong with it. Without the folder, nothing is allowed and that is a warning.
template <class Item, class Read>
Folder<Item> read_folder(const std::string& path, Owner owner, const FolderWords& words,
                         yaml::Problems& problems, Read read) {
  Folder<Item> result;
  bool refused = false;
  Places places;
  for (const std::string& file : list_folder(path, owner, words, refused, problems)) {
    ++result.files;
    Places own;
    const std::size_t errors = problems.errors();
    std::map<std::string, Item> items;
    for (const yaml::Entry& entry : read_items(file, owner, words, places, own, problems))
      items.emplace(entry.key.text(), read(entry));
    if (!refused && problems.errors() == errors &&
        result.allowed.size() + items.size() > words.items_max) {
      report_too_many(file, path, words, problems);
    }
    if (refused || problems.errors() != errors) {
      ++result.files_refused;
      continue;
    }
    places.merge(own);
    result.allowed.merge(items);
  }
  return result;
}

// The same of one file.
template <class Item, class Read>
Folder<Item> read_file(const std::string& path, Owner owner, const FolderWords& words,
                       yaml::Problems& problems, Read read) {
  Folder<Item> result;
  result.files = 1;
  Places own;
  const std::size_t errors = problems.errors();
  for (const yaml::Entry& entry : read_items(path, owner, words, {}, own, problems))
    result.allowed.emplace(entry.key.text(), read(entry));
  if (problems.errors() == errors) return result;
  return {{}, 1, 1};
}

}  // namespace firebreak::programs
