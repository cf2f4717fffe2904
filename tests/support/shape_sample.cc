// Walks sample and table side by side; the readers' own messages tell which keys they know.
#include "tests/support/shape_sample.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak::testing {
namespace {

namespace json = boost::json;
using policy::shape::Choice;
using policy::shape::File;
using policy::shape::Key;
using policy::shape::Object;
using policy::shape::Type;
using Kind = Type::Kind;
using Values = std::vector<json::value>;

json::value literal(const std::string& text) {
  boost::system::error_code failed;
  json::value value = json::parse(text, failed);
  return failed ? json::value(json::string(text)) : value;
}

json::array array_of(const Values& values) {
  return json::array(values.begin(), values.end());
}

class Sampler {
 public:
  explicit Sampler(const File& file) : file_(file) {}

  // One of each alternative; in each of them every key that fits it.
  [[nodiscard]] Values instances(const Object& object) const {
    std::vector<std::vector<std::pair<std::string, json::value>>> columns;
    std::set<std::string> chosen;
    for (const Choice& choice : object.choices) {
      auto& column = columns.emplace_back();
      for (const std::string& key : choice.keys) {
        chosen.insert(key);
        const Key& row = *object.find(key);
        for (json::value& value : of(row.type, row.example))
          column.emplace_back(key, std::move(value));
      }
    }
    for (const Key& row : object.keys)
      for (const std::string& key : row.each()) {
        if (chosen.contains(key)) continue;
        auto& column = columns.emplace_back();
        for (json::value& value : of(row.type, row.example))
          column.emplace_back(key, std::move(value));
      }
    std::size_t count = 1;
    for (const auto& column : columns) count = std::max(count, column.size());
    Values found;
    for (std::size_t i = 0; i < count; ++i) {
      json::object one;
      for (const auto& column : columns) one.insert(column[i % column.size()]);
      for (const auto& [key, other] : object.needs)
        if (!one.contains(other)) one.erase(key);
      found.emplace_back(std::move(one));
    }
    return found;
  }

 private:
  [[nodiscard]] Values of(const Type& type, const std::string& of_key) const {
    const std::string& example = type.example.empty() ? of_key : type.example;
    switch (type.kind) {
      case Kind::object:
        return instances(file_.named(type.object));
      case Kind::any_of: {
        Values all;
        for (const Type& part : type.parts)
          for (json::value& value : of(part, example)) all.push_back(std::move(value));
        return all;
      }
      case Kind::list: {
        if (json::value whole = literal(example); whole.is_array()) return {std::move(whole)};
        return {array_of(of(type.parts.front(), example))};
      }
      case Kind::list_or_one: {
        const Values all = of(type.parts.front(), example);
        return {all.front(), array_of(all)};
      }
      case Kind::map: {
        if (json::value whole = literal(example); whole.is_object()) return {std::move(whole)};
        json::object entries;
        for (json::value& value : of(type.parts.back(), "")) {
          const std::string number =
              entries.empty() ? "" : "_" + std::to_string(entries.size() + 1);
          entries[example + number] = std::move(value);
        }
        return {std::move(entries)};
      }
      default:
        return {literal(example)};
    }
  }

  const File& file_;
};

// The objects that may stand in one place.
using Candidates = std::vector<const Object*>;

std::string names_of(const Candidates& candidates) {
  std::string names;
  for (const Object* one : candidates) names += (names.empty() ? "'" : ", '") + one->name + "'";
  return names;
}

class Walk {
 public:
  using AtObject = std::function<void(json::object&, const Candidates&)>;
  using AtScalar =
      std::function<void(json::value&, const std::string& object, const Key&, const Type&)>;

  Walk(const File& file, AtObject at_object, AtScalar at_scalar)
      : file_(file), at_object_(std::move(at_object)), at_scalar_(std::move(at_scalar)) {}

  void through(json::object& root) const { object(root, {&file_.objects.front()}); }

 private:
  void object(json::object& value, const Candidates& candidates) const {
    for (auto& member : value)
      for (const Object* candidate : candidates)
        if (const Key* key = candidate->find(member.key())) {
          walk(member.value(), candidate->name, *key, key->type);
          break;
        }
    if (at_object_) at_object_(value, candidates);
  }

  void walk(json::value& value, const std::string& in, const Key& key, const Type& type) const {
    if (type.kind == Kind::list_or_one && !value.is_array())
      return walk(value, in, key, type.parts.front());
    if (auto* items = value.if_array(); items != nullptr && !type.parts.empty()) {
      for (json::value& item : *items) walk(item, in, key, type.parts.front());
    } else if (auto* entries = value.if_object(); entries != nullptr && type.kind == Kind::map) {
      for (auto& entry : *entries) walk(entry.value(), in, key, type.parts.back());
    } else if (auto* members = value.if_object()) {
      if (Candidates candidates = objects_of(type); !candidates.empty())
        object(*members, candidates);
    } else if (at_scalar_ && type.parts.empty()) {
      at_scalar_(value, in, key, type);
    }
  }

  [[nodiscard]] Candidates objects_of(const Type& type) const {
    if (type.kind == Kind::object) return {&file_.named(type.object)};
    Candidates found;
    for (const Type& part : type.parts)
      if (part.kind == Kind::object) found.push_back(&file_.named(part.object));
    return found;
  }

  const File& file_;
  AtObject at_object_;
  AtScalar at_scalar_;
};

// The words of "...; the keys are a, b and c".
std::set<std::string> keys_in(const std::string& message) {
  constexpr std::string_view kBefore = "the keys are ";
  std::set<std::string> keys;
  std::size_t begin = message.find(kBefore);
  if (begin == std::string::npos) return keys;
  std::string rest = message.substr(begin + kBefore.size()) + ",";
  if (const std::size_t last = rest.rfind(" and "); last != std::string::npos)
    rest.replace(last, 5, ", ");
  for (begin = 0; begin < rest.size();) {
    const std::size_t end = rest.find(',', begin);
    keys.insert(rest.substr(begin, end - begin));
    begin = end + 2;
  }
  return keys;
}

std::string found_with(const std::vector<std::string>& messages, const std::string& part) {
  const auto found = std::ranges::find_if(
      messages, [&](const std::string& one) { return one.find(part) != std::string::npos; });
  return found == messages.end() ? "" : *found;
}

class Comparison {
 public:
  Comparison(const File& file, const json::object& sample, const Reader& read)
      : file_(file), sample_(sample), read_(read) {}

  std::vector<std::string> all() {
    if (const auto messages = read_(sample_); !messages.empty()) {
      say("its examples together are refused; the first error: " + messages.front() + "\n" +
          json::serialize(sample_));
      return found_;
    }
    keys();
    wrong_values();
    long_durations();
    return found_;
  }

 private:
  void say(const std::string& what) { found_.push_back(file_.table + ": " + what); }

  // A key that nobody knows in each object: the complaint names those that the reader knows.
  void keys() {
    std::map<std::string, std::pair<Candidates, std::set<std::string>>> asked;
    std::size_t places = 0;
    Walk(file_, [&](json::object&, const Candidates&) { ++places; }, {}).through(copy());
    constexpr std::size_t kAtOnce = limits::kPolicyErrorsShownMax - 1;
    for (std::size_t first = 0; first < places; first += kAtOnce) {
      std::vector<Candidates> odd;
      std::size_t place = 0;
      json::object sample = sample_;
      Walk(file_,
           [&](json::object& object, const Candidates& candidates) {
             if (place >= first && place < first + kAtOnce) {
               object[odd_key(odd.size())] = 1;
               odd.push_back(candidates);
             }
             ++place;
           },
           {})
          .through(sample);
      const auto messages = read_(sample);
      for (std::size_t i = 0; i < odd.size(); ++i) {
        auto& [candidates, known] = asked[names_of(odd[i])];
        candidates = odd[i];
        known.merge(keys_in(found_with(messages, "unknown key '" + odd_key(i) + "'")));
      }
    }
    for (const auto& [names, both] : asked) compare(both.first, both.second);
  }

  void compare(const Candidates& candidates, const std::set<std::string>& asked) {
    if (asked.empty())
      return say("no reader of " + names_of(candidates) + " complains of an unknown key");
    std::set<std::string> told, refused;
    for (const Object* object : candidates) {
      for (const Key& row : object->keys)
        for (const std::string& key : row.each()) told.insert(key);
      refused.insert(object->refused.begin(), object->refused.end());
    }
    for (const std::string& key : asked)
      if (!told.contains(key) && !refused.contains(key))
        say("key '" + key + "' is read by the loader and missing in the table: add a row to " +
            names_of(candidates));
    for (const std::string& key : told)
      if (!asked.contains(key))
        say("key '" + key + "' of " + names_of(candidates) +
            " is in the table, and the loader never reads it: take the row away");
  }

  // What can be no value of its type: the complaint names the words and bounds that the reader has.
  void wrong_values() {
    struct Wrong {
      std::string where, value;
      Type type;
    };
    std::vector<Wrong> wrong;
    const json::object sample = with_leaves([&](const std::string& where, const Type& type) {
      wrong.push_back({where, wrong_value(type, wrong.size()), type});
      return wrong.back().value;
    });
    const auto messages = read_(sample);
    for (const Wrong& one : wrong) {
      const std::string wanted = "must be " + wanted_of(one.type) + ", not '" + one.value + "'";
      if (!found_with(messages, wanted).empty()) continue;
      // A mistake beside it may have kept it from being read.
      const auto alone = read_(with_leaves([&](const std::string& where, const Type&) {
        return where == one.where ? one.value : std::string();
      }));
      const std::string said = found_with(alone, "'" + one.value + "'");
      if (said.find(wanted) == std::string::npos)
        say(one.where + " " + wanted +
            " by the table; the loader says: " + (said.empty() ? "nothing" : said));
    }
  }

  // A duration without an upper bound in the table has none in the reader.
  void long_durations() {
    std::vector<std::pair<std::string, std::string>> values;
    const json::object sample = with_leaves([&](const std::string& where, const Type& type) {
      if (type.kind != Kind::duration || type.max) return std::string();
      values.emplace_back(where, std::to_string(30'000 + values.size()) + "d");
      return values.back().second;
    });
    const auto messages = read_(sample);
    for (const auto& [where, value] : values)
      if (const std::string said = found_with(messages, "not '" + value + "'"); !said.empty())
        say(where + " has no upper bound in the table; the loader says: " + said);
  }

  // The sample with what `value` gives for one place of each key whose value is judged by itself;
  // "" leaves it.
  json::object with_leaves(
      const std::function<std::string(const std::string&, const Type&)>& value) {
    static const std::set<Kind> kJudged{Kind::whole, Kind::number, Kind::words, Kind::boolean,
                                        Kind::duration};
    std::set<const Key*> seen;
    json::object sample = sample_;
    Walk(file_, {},
         [&](json::value& leaf, const std::string& object, const Key& key, const Type& type) {
           if (!kJudged.contains(type.kind) || !seen.insert(&key).second) return;
           if (std::string other = value("'" + key.names + "' of '" + object + "'", type);
               !other.empty())
             leaf = other;
         })
        .through(sample);
    return sample;
  }

  // A duration is wrong by its bounds, where it has some.
  static std::string wrong_value(const Type& type, std::size_t i) {
    const auto microseconds = [](double value) {
      return std::to_string(static_cast<std::int64_t>(value)) + "us";
    };
    const auto step = static_cast<double>(i + 1);
    if (type.kind == Kind::duration && type.max) return microseconds(*type.max + step);
    if (type.kind == Kind::duration && type.min) return microseconds(*type.min - step);
    return "wrong value " + std::to_string(i);
  }

  static std::string wanted_of(const Type& type) {
    const auto shown = [&](double bound) {
      const auto whole = static_cast<std::int64_t>(bound);
      return type.kind == Kind::duration ? format_duration(Duration(whole)) : std::to_string(whole);
    };
    if (type.kind == Kind::boolean) return "true or false";
    if (type.kind == Kind::words) return join_words(type.words, "or");
    std::string wanted = type.kind == Kind::duration ? "a duration"
                         : type.kind == Kind::whole  ? "a whole number"
                                                     : "a number";
    if (type.min && type.max)
      return wanted + " between " + shown(*type.min) + " and " + shown(*type.max);
    if (type.min) return wanted + " of at least " + shown(*type.min);
    if (type.max) return wanted + " of at most " + shown(*type.max);
    return wanted + (type.kind == Kind::duration ? " such as 2s" : "");
  }

  static std::string odd_key(std::size_t i) { return "zzzzzzzzzzzz" + std::to_string(i); }
  json::object& copy() { return scratch_ = sample_; }

  const File& file_;
  const json::object& sample_;
  const Reader& read_;
  json::object scratch_;
  std::vector<std::string> found_;
};

}  // namespace

json::object sample_of(const File& file) {
  return Sampler(file).instances(file.objects.front()).front().as_object();
}

std::vector<std::string> disagreements(const File& file, const json::object& sample,
                                       const Reader& read) {
  return Comparison(file, sample, read).all();
}

}  // namespace firebreak::testing
