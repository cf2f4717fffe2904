// What may stand in a YAML file of ours, as data: each key once, with its type, default, bounds,
// meaning and an example. The schema for editors (schema.h), the tables of docs/reference
// (tests/docs) and the tests that hold the readers against it are made from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/time.h"

namespace firebreak::policy::shape {

struct Type {
  enum class Kind : std::uint8_t {
    text,  // any scalar
    name,  // as is_valid_name
    duration,
    whole,
    number,
    boolean,
    expression,
    words,     // one of them
    anything,  // YAML of any shape
    list,
    list_or_one,
    map,     // parts: of the key, of the value
    any_of,  // parts: the alternatives
    object,
  };
  Kind kind = Kind::text;
  std::string shown;            // what the reference calls it, as Markdown
  std::string pattern;          // of a text: then it must be text, not a number or a bool
  std::size_t bytes_max = 0;    // of a text; 0: none that matters
  std::optional<double> min{};  // of a number; of a duration in microseconds
  std::optional<double> max{};
  std::vector<std::string> words{};
  std::vector<Type> parts{};
  std::string object{};   // its name
  std::string example{};  // instead of the key's, of an alternative that needs one of its own
};

[[nodiscard]] Type text(std::string shown = "text", std::size_t bytes_max = 0);
[[nodiscard]] Type patterned(std::string shown, std::string pattern);
[[nodiscard]] Type name(std::string shown = "name");
[[nodiscard]] Type duration(std::optional<Duration> min = {}, std::optional<Duration> max = {});
[[nodiscard]] Type whole(std::optional<double> min = {}, std::optional<double> max = {});
[[nodiscard]] Type number(std::optional<double> min = {});
[[nodiscard]] Type boolean();
[[nodiscard]] Type expression(const std::string& over);  // "the signals", "`name`, `labels`"
[[nodiscard]] Type words(std::vector<std::string> words);
[[nodiscard]] Type anything(std::string shown);
[[nodiscard]] Type list(Type item);
[[nodiscard]] Type list_or_one(Type item);
[[nodiscard]] Type map(Type key, Type value);
[[nodiscard]] Type any_of(std::vector<Type> parts);
[[nodiscard]] Type object(std::string name, std::string shown = "map");
// The same type under another name.
[[nodiscard]] Type shown_as(std::string shown, Type type);
// The same type with an example of its own.
[[nodiscard]] Type such_as(std::string example, Type type);

// A receiver's, a probe's and an action's address.
[[nodiscard]] Type url();
// What a policy calls a severity or a fact, where it is defined.
[[nodiscard]] Type severity_name();
[[nodiscard]] Type fact_name();

// "100ms to 1d", "at most 128 bytes"; empty: none.
[[nodiscard]] std::string bounds_of(const Type& type);

inline constexpr std::string_view kRequired = "required";

struct Key {
  std::string names;  // one, or several that share the rest: "get|post"
  Type type;
  std::string fallback;  // what holds without it: a value, "none", kRequired, or a few words
  std::string meaning;   // one sentence, as Markdown, without its full stop
  std::string example;   // JSON, or else text; of a map whose values are maps: a key of it
  [[nodiscard]] std::vector<std::string> each() const;
};

struct Choice {
  std::vector<std::string> keys;
  bool required = true;  // exactly one of them, otherwise at most one
  std::string beside{};  // only where this key is; empty: always
};

struct Object {
  std::string name;
  std::string meaning;  // what it is, as Markdown, without its full stop
  std::vector<Key> keys;
  std::vector<Choice> choices{};
  // {key, other}: where the first is, the other must be.
  std::vector<std::pair<std::string, std::string>> needs{};
  // What the reader knows from elsewhere and refuses here.
  std::vector<std::string> refused{};
  bool dotted = false;  // small: the reference shows its keys in the table of the object it is in

  // Null: it has none of that name.
  [[nodiscard]] const Key* find(std::string_view key) const;
};

// A kind of file.
struct File {
  std::string title;
  std::string table;            // the file that its objects are written down in
  std::vector<Object> objects;  // the first is the file itself

  [[nodiscard]] const Object& named(std::string_view object) const;
};

}  // namespace firebreak::policy::shape
