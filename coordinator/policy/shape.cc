// Types by short names, so that a table of keys reads like one.
#include "coordinator/policy/shape.h"

#include <algorithm>

#include "common/assert.h"

namespace firebreak::policy::shape {
namespace {

Type of(Type::Kind kind, std::string shown) {
  Type type;
  type.kind = kind;
  type.shown = std::move(shown);
  return type;
}

Type above(Type::Kind kind, std::string shown, std::vector<Type> parts) {
  Type type = of(kind, std::move(shown));
  type.parts = std::move(parts);
  return type;
}

std::optional<double> microseconds(const std::optional<Duration>& duration) {
  if (!duration) return std::nullopt;
  return static_cast<double>(duration->count());
}

}  // namespace

Type text(std::string shown, std::size_t bytes_max) {
  Type type = of(Type::Kind::text, std::move(shown));
  type.bytes_max = bytes_max;
  return type;
}

Type patterned(std::string shown, std::string pattern) {
  Type type = of(Type::Kind::text, std::move(shown));
  type.pattern = std::move(pattern);
  return type;
}

Type name(std::string shown) {
  return of(Type::Kind::name, std::move(shown));
}

Type duration(std::optional<Duration> min, std::optional<Duration> max) {
  Type type = of(Type::Kind::duration, "duration");
  type.min = microseconds(min);
  type.max = microseconds(max);
  return type;
}

Type whole(std::optional<double> min, std::optional<double> max) {
  Type type = of(Type::Kind::whole, "int");
  type.min = min;
  type.max = max;
  return type;
}

Type number(std::optional<double> min) {
  Type type = of(Type::Kind::number, "number");
  type.min = min;
  return type;
}

Type boolean() {
  return of(Type::Kind::boolean, "bool");
}

Type expression(const std::string& over) {
  return of(Type::Kind::expression, "[expression](expressions.md) over " + over);
}

Type words(std::vector<std::string> words) {
  std::string shown;
  for (const std::string& word : words) shown += (shown.empty() ? "`" : ", `") + word + "`";
  Type type = of(Type::Kind::words, std::move(shown));
  type.words = std::move(words);
  return type;
}

Type anything(std::string shown) {
  return of(Type::Kind::anything, std::move(shown));
}

Type list(Type item) {
  std::string shown = "list of " + item.shown;
  return above(Type::Kind::list, std::move(shown), {std::move(item)});
}

Type list_or_one(Type item) {
  std::string shown = item.shown + " or list of them";
  return above(Type::Kind::list_or_one, std::move(shown), {std::move(item)});
}

Type map(Type key, Type value) {
  std::string shown = "map " + key.shown + ": " + value.shown;
  return above(Type::Kind::map, std::move(shown), {std::move(key), std::move(value)});
}

Type any_of(std::vector<Type> parts) {
  std::string shown;
  for (const Type& part : parts) shown += (shown.empty() ? "" : " or ") + part.shown;
  return above(Type::Kind::any_of, std::move(shown), std::move(parts));
}

Type object(std::string name, std::string shown) {
  Type type = of(Type::Kind::object, std::move(shown));
  type.object = std::move(name);
  return type;
}

Type shown_as(std::string shown, Type type) {
  type.shown = std::move(shown);
  return type;
}

Type such_as(std::string example, Type type) {
  type.example = std::move(example);
  return type;
}

Type url() {
  return patterned("URL", "^https?://[^/?#@\\s]+([/?#]\\S*)?$");
}

Type severity_name() {
  return patterned("severity", "^[A-Za-z0-9_-][A-Za-z0-9_ -]{0,31}$");
}

Type fact_name() {
  return patterned("fact", "^[a-z_][a-z0-9_]{0,62}$");
}

std::string bounds_of(const Type& type) {
  if (type.kind == Type::Kind::text && type.bytes_max > 0)
    return "at most " + (type.bytes_max % 1024 == 0 ? std::to_string(type.bytes_max / 1024) + " KiB"
                                                    : std::to_string(type.bytes_max) + " bytes");
  const auto shown = [&](double bound) {
    return type.kind == Type::Kind::duration
               ? format_duration(Duration(static_cast<Duration::rep>(bound)))
               : std::to_string(static_cast<std::int64_t>(bound));
  };
  if (type.min && type.max) return shown(*type.min) + " to " + shown(*type.max);
  if (type.min) return shown(*type.min) + " or more";
  return type.max ? "at most " + shown(*type.max) : "";
}

std::vector<std::string> Key::each() const {
  std::vector<std::string> found;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find('|', begin), names.size());
    found.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return found;
}

const Key* Object::find(std::string_view key) const {
  for (const Key& one : keys)
    for (const std::string& its : one.each())
      if (its == key) return &one;
  return nullptr;
}

const Object& File::named(std::string_view object) const {
  const auto found =
      std::ranges::find_if(objects, [&](const Object& one) { return one.name == object; });
  FB_ASSERT(found != objects.end());
  return *found;
}

}  // namespace firebreak::policy::shape
