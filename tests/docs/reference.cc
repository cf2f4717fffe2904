// A row per key, as Markdown.
#include "tests/docs/reference.h"

#include <algorithm>
#include <functional>
#include <sstream>

#include "coordinator/policy/keys.h"
#include "coordinator/rehearsal/keys.h"

namespace firebreak::docs {
namespace {

using policy::shape::File;
using policy::shape::Key;
using policy::shape::Object;
using policy::shape::Type;

constexpr std::string_view kBegin = "<!-- generated: ";
constexpr std::string_view kEnd = "<!-- end of generated -->";

const File* file_of(const std::string& name) {
  if (name == "policy") return &policy::shape::policy_keys();
  return name == "tests" ? &rehearsal::test_keys() : nullptr;
}

// Whose keys the table of another object shows; null: it has a table of its own, or is none.
const Object* dotted(const File& file, const Type& type) {
  const Type& item = type.kind == Type::Kind::list || type.kind == Type::Kind::list_or_one
                         ? type.parts.front()
                         : type;
  if (item.kind != Type::Kind::object) return nullptr;
  const Object& object = file.named(item.object);
  return object.dotted ? &object : nullptr;
}

struct Row {
  std::string names, type, fallback, bounds, meaning;
};

// `(`, `|` of a cell would end it; only | does.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? "\\|" : std::string(1, c);
  return escaped;
}

void add_rows(const File& file, const Object& object, const std::string& before,
              const std::vector<std::string>& only, std::vector<Row>& rows,
              const std::function<void(const std::string&)>& tell) {
  for (const Key& key : object.keys) {
    std::string names;
    bool wanted = only.empty();
    for (const std::string& name : key.each()) {
      wanted = wanted || std::ranges::find(only, name) != only.end();
      names += (names.empty() ? "`" : ", `") + before + name + "`";
    }
    if (!wanted) continue;
    for (const std::string& name : key.each()) tell(object.name + "." + name);
    const Object* inner = dotted(file, key.type);
    if (inner == nullptr || key.type.kind != Type::Kind::object)
      rows.push_back(
          {names, cell(key.type.shown), key.fallback, bounds_of(key.type), cell(key.meaning)});
    if (inner != nullptr) add_rows(file, *inner, before + key.names + ".", {}, rows, tell);
  }
}

std::string table(const std::vector<Row>& rows) {
  const bool bounds = std::ranges::any_of(rows, [](const Row& row) { return !row.bounds.empty(); });
  std::string text = bounds ? "| key | type | default | bounds | meaning |\n|---|---|---|---|---|\n"
                            : "| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const Row& row : rows)
    text += "| " + row.names + " | " + row.type + " | " + row.fallback + " | " +
            (bounds ? row.bounds + (row.bounds.empty() ? "| " : " | ") : "") + row.meaning + " |\n";
  return text;
}

// The table that the words of a marker ask for, or why there is none.
std::string table_of(const std::string& marker, Page& page, std::string& why) {
  std::istringstream words(marker);
  std::string in, name;
  words >> in >> name;
  const File* file = file_of(in);
  if (file == nullptr) return why = "'" + in + "' is neither 'policy' nor 'tests'", "";
  const auto object =
      std::ranges::find_if(file->objects, [&](const Object& one) { return one.name == name; });
  if (object == file->objects.end())
    return why = "there is no object '" + name + "' in " + file->table, "";
  std::vector<std::string> only;
  for (std::string key; words >> key; only.push_back(key))
    if (object->find(key) == nullptr) return why = "'" + name + "' has no key '" + key + "'", "";
  std::vector<Row> rows;
  add_rows(*file, *object, "", only, rows,
           [&](const std::string& key) { page.told.insert(in + " " + key); });
  return table(rows);
}

}  // namespace

Page generated(const std::string& text) {
  Page page;
  std::istringstream in(text);
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string place = std::to_string(number) + ": ";
    if (line.starts_with(kBegin)) {
      if (inside) page.wrong.push_back(place + "the table before has no " + std::string(kEnd));
      std::string why;
      const std::string rows =
          table_of(line.substr(kBegin.size(), line.find(" -->") - kBegin.size()), page, why);
      if (!why.empty()) page.wrong.push_back(place + why);
      page.text += line + "\n" + rows;
      inside = true;
    } else if (line == kEnd) {
      if (!inside) page.wrong.push_back(place + "no generated table ends here");
      inside = false;
    }
    if (!inside) page.text += line + "\n";
  }
  if (inside)
    page.wrong.push_back(std::to_string(number) + ": the last table has no " + std::string(kEnd));
  return page;
}

std::vector<std::string> untold(const std::set<std::string>& told) {
  std::vector<std::string> missing;
  for (const char* name : {"policy", "tests"})
    for (const Object& object : file_of(name)->objects)
      for (const Key& key : object.keys)
        for (const std::string& one : key.each())
          if (const std::string whole = std::string(name) + " " + object.name + "." + one;
              !told.contains(whole))
            missing.push_back(whole);
  return missing;
}

}  // namespace firebreak::docs
