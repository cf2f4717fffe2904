// Files -> named things -> their values by path; what one side has and the other has not.
#include "coordinator/policy/diff.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/yaml.h"

namespace firebreak::policy {
namespace {

using yaml::Node;

using Values = std::map<std::string, std::string>;  // path -> as written
// In the order in which a person reads a policy.
const std::vector<std::string> kKinds{"order of severities",
                                      "severity",
                                      "fact",
                                      "receiver",
                                      "service",
                                      "probe",
                                      "rule",
                                      "action",
                                      "playbook",
                                      "checklist",
                                      "setting"};

struct Thing {
  std::size_t kind = 0;
  std::string name;
  friend auto operator<=>(const Thing&, const Thing&) = default;
};

std::size_t kind_number(std::string_view kind) {
  return static_cast<std::size_t>(std::find(kKinds.begin(), kKinds.end(), kind) - kKinds.begin());
}

class Reader {
 public:
  void read(const SourceFile& file) {
    yaml::Problems problems;
    const auto document = yaml::parse(file.path, file.text, problems);
    if (!document) return;  // its text is compared all the same
    for (const yaml::Entry& section : document->root().entries()) read_section(section);
  }
  std::map<Thing, Values> finish() {
    if (severities_.size() > 1) {
      std::string order;
      for (const std::string& name : severities_) order += (order.empty() ? "" : " > ") + name;
      values("order of severities", "")[""] = order;
    }
    return std::move(things_);
  }

 private:
  Values& values(std::string_view kind, const std::string& name) {
    return things_[{kind_number(kind), name}];
  }

  // "" is the thing itself, so that one without values is there too.
  void flatten(const Node& node, const std::string& path, Values& to) {
    if (node.kind() == yaml::Kind::map && !node.entries().empty()) {
      for (const yaml::Entry& entry : node.entries())
        flatten(entry.value, path.empty() ? entry.key.text() : path + "." + entry.key.text(), to);
    } else if (node.kind() == yaml::Kind::sequence && !node.items().empty()) {
      std::size_t number = 0;
      for (const Node& item : node.items())
        flatten(item, path + "[" + std::to_string(++number) + "]", to);
    } else {
      to[path] = node.kind() == yaml::Kind::map        ? "{}"
                 : node.kind() == yaml::Kind::sequence ? "[]"
                                                       : node.text();
    }
  }

  void read_section(const yaml::Entry& section) {
    static const std::map<std::string, std::string, std::less<>> kNamed{
        {"severities", "severity"},
        {"facts", "fact"},
        {"receivers", "receiver"},
        {"actions", "action"},
        {"checklists", "checklist"}};
    const std::string& name = section.key.text();
    if (const auto named = kNamed.find(name); named != kNamed.end()) {
      for (const yaml::Entry& entry : section.value.entries()) {
        if (name == "severities") severities_.push_back(entry.key.text());
        flatten(entry.value, "", values(named->second, entry.key.text()));
      }
    } else if (name == "services") {
      for (const yaml::Entry& entry : section.value.entries()) read_service(entry);
    } else if (name == "rules") {
      for (const Node& rule : section.value.items()) read_rule(rule);
    } else if (name == "playbooks") {
      for (const Node& playbook : section.value.items()) read_playbook(playbook);
    } else {
      flatten(section.value, "", values("setting", name));
    }
  }

  void read_service(const yaml::Entry& service) {
    const std::string& name = service.key.text();
    Values& mine = values("service", name);
    for (const yaml::Entry& entry : service.value.entries()) {
      if (entry.key.text() != "probes") {
        flatten(entry.value, entry.key.text(), mine);
        continue;
      }
      for (const yaml::Entry& probe : entry.value.entries())
        flatten(probe.value, "", values("probe", name + "/" + probe.key.text()));
    }
  }

  // By its name, else by its number among its service's, as the loader names it.
  void read_rule(const Node& rule) {
    std::string name, service;
    for (const yaml::Entry& entry : rule.entries()) {
      if (entry.key.text() == "name") name = entry.value.text();
      if (entry.key.text() == "service") service = entry.value.text();
    }
    const int number = ++rules_[service];
    if (name.empty()) name = service + "/" + std::to_string(number);
    flatten(rule, "", values("rule", name));
  }

  void read_playbook(const Node& playbook) {
    std::string name, on;
    for (const yaml::Entry& entry : playbook.entries()) {
      if (entry.key.text() == "name") name = entry.value.text();
      if (entry.key.text() != "on") continue;
      for (const yaml::Entry& part : entry.value.entries())
        on += (on.empty() ? "" : " ") + part.value.text();
    }
    flatten(playbook, "", values("playbook", name.empty() ? on : name));
  }

  std::map<Thing, Values> things_;
  std::vector<std::string> severities_;
  std::map<std::string, int> rules_;
};

std::map<Thing, Values> things_of(const std::vector<SourceFile>& files) {
  Reader reader;
  for (const SourceFile& file : files) reader.read(file);
  return reader.finish();
}

std::vector<Detail> details_of(const Values& before, const Values& after) {
  std::vector<Detail> details;
  for (const auto& [path, value] : before) {
    const auto other = after.find(path);
    if (other == after.end())
      details.push_back({path, value, ""});
    else if (other->second != value)
      details.push_back({path, value, other->second});
  }
  for (const auto& [path, value] : after)
    if (!before.contains(path)) details.push_back({path, "", value});
  std::sort(details.begin(), details.end(),
            [](const Detail& a, const Detail& b) { return a.path < b.path; });
  return details;
}

std::vector<Difference> differences_of(const std::map<Thing, Values>& before,
                                       const std::map<Thing, Values>& after) {
  std::set<Thing> all;
  for (const auto& [thing, values] : before) all.insert(thing);
  for (const auto& [thing, values] : after) all.insert(thing);
  std::vector<Difference> out;
  for (const Thing& thing : all) {
    const auto old = before.find(thing);
    const auto now = after.find(thing);
    Difference difference;
    difference.kind = kKinds[thing.kind];
    difference.name = thing.name;
    if (old == before.end()) {
      difference.change = Change::added;
      difference.details = details_of({}, now->second);
    } else if (now == after.end()) {
      difference.change = Change::removed;
      difference.details = details_of(old->second, {});
    } else {
      difference.details = details_of(old->second, now->second);
      if (difference.details.empty()) continue;
    }
    out.push_back(std::move(difference));
  }
  return out;
}

std::map<std::string, std::string> texts_of(const std::vector<SourceFile>& files) {
  std::map<std::string, std::string> texts;
  for (const SourceFile& file : files) texts[file.path] = file.text;
  return texts;
}

}  // namespace

const char* to_string(Change change) {
  switch (change) {
    case Change::added:
      return "added";
    case Change::removed:
      return "removed";
    case Change::changed:
      break;
  }
  return "changed";
}

PolicyDiff diff(const std::vector<SourceFile>& before, const std::vector<SourceFile>& after) {
  PolicyDiff out;
  const auto old_texts = texts_of(before);
  const auto new_texts = texts_of(after);
  std::set<std::string> paths;
  for (const auto& [path, text] : old_texts) paths.insert(path);
  for (const auto& [path, text] : new_texts) paths.insert(path);
  for (const std::string& path : paths) {
    const auto old = old_texts.find(path);
    const auto now = new_texts.find(path);
    if (old != old_texts.end() && now != new_texts.end() && old->second == now->second) continue;
    out.same = false;
    out.text += unified_diff(path, old == old_texts.end() ? "" : old->second,
                             now == new_texts.end() ? "" : now->second);
  }
  if (!out.same) out.differences = differences_of(things_of(before), things_of(after));
  return out;
}

}  // namespace firebreak::policy
