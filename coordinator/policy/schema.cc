// Each object of a shape is a definition; types become what a YAML 1.2 reader makes of their
// scalars.
#include "coordinator/policy/schema.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "common/text.h"

namespace firebreak::policy::shape {
namespace {

namespace json = boost::json;
using Kind = Type::Kind;

// As parse_duration in common/time.cc: falling units, a fraction only at the end.
constexpr const char* kDurationPattern =
    "^(0|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?([0-9]+[.][0-9]+(d|h|m|s|ms|"
    "us))?)$";
constexpr const char* kNamePattern = "^[a-z0-9][a-z0-9._-]{0,62}$";  // is_valid_name

json::object schema_of(const Type& type);

// Markdown's links lead nowhere from an editor.
std::string without_links(const std::string& text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t end = text[at] == '[' ? text.find("](", at) : std::string::npos;
    if (end == std::string::npos) {
      plain += text[at];
      continue;
    }
    plain += text.substr(at + 1, end - at - 1);
    at = text.find(')', end);
  }
  return plain;
}

json::value literal(const std::string& text) {
  boost::system::error_code failed;
  json::value value = json::parse(text, failed);
  return failed ? json::value(json::string(text)) : value;
}

json::value limit(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? json::value(whole) : json::value(value);
}

json::object scalar(const Type& type) {
  json::object schema;
  switch (type.kind) {
    case Kind::duration:
      schema = {{"type", "string"}, {"minLength", 1}, {"pattern", kDurationPattern}};
      if (type.min.value_or(0) <= 0) {  // 0 needs no unit
        schema["type"] = json::array{"string", "integer"};
        schema["minimum"] = schema["maximum"] = 0;
      }
      return schema;
    case Kind::whole:
    case Kind::number:
      schema = {{"type", type.kind == Kind::whole ? "integer" : "number"}};
      if (type.min) schema["minimum"] = limit(*type.min);
      if (type.max) schema["maximum"] = limit(*type.max);
      return schema;
    case Kind::boolean:
      return {{"type", "boolean"}};
    case Kind::expression:
      return {{"type", json::array{"string", "boolean"}},
              {"maxLength", limits::kExprBytesMax},
              {"pattern", "\\S"}};
    case Kind::words:
      schema["enum"] = json::array(type.words.begin(), type.words.end());
      return schema;
    case Kind::name:
      return {{"type", json::array{"string", "integer"}}, {"pattern", kNamePattern}};
    case Kind::text:
      if (!type.pattern.empty()) return {{"type", "string"}, {"pattern", type.pattern}};
      return {{"type", json::array{"string", "number", "boolean"}},
              {"maxLength", type.bytes_max == 0 ? limits::kTextBytesMax : type.bytes_max}};
    default:
      return {};
  }
}

json::object array_of(const Type& item) {
  json::object schema{{"type", "array"}};
  schema["items"] = schema_of(item);
  return schema;
}

json::object any_of(const json::array& alternatives) {
  json::object schema;
  schema["anyOf"] = alternatives;
  return schema;
}

json::object schema_of(const Type& type) {
  switch (type.kind) {
    case Kind::list:
      return array_of(type.parts.front());
    case Kind::list_or_one: {
      json::array alternatives;
      alternatives.push_back(schema_of(type.parts.front()));
      alternatives.push_back(array_of(type.parts.front()));
      return any_of(alternatives);
    }
    case Kind::map: {
      json::object names = scalar(type.parts.front());
      names.erase("type");  // a key is text
      json::object schema{{"type", "object"}};
      schema["propertyNames"] = std::move(names);
      schema["additionalProperties"] = schema_of(type.parts.back());
      return schema;
    }
    case Kind::any_of: {
      json::array alternatives;
      for (const Type& part : type.parts) alternatives.push_back(schema_of(part));
      return any_of(alternatives);
    }
    case Kind::object:
      return {{"$ref", "#/definitions/" + type.object}};
    default:
      return scalar(type);
  }
}

std::string sentence(const std::string& text) {
  std::string plain = without_links(text);
  char& first = plain.front();
  if (first >= 'a' && first <= 'z') first = static_cast<char>(first - 'a' + 'A');
  return plain + ".";
}

std::string described(const Key& key) {
  std::string text = sentence(key.meaning);
  if (const std::string bounds = bounds_of(key.type); !bounds.empty())
    text += " " + sentence(bounds);
  // What is no default: "required with ...", "this or ...", "one of ...".
  for (const std::string_view beginning :
       {kRequired, std::string_view("this"), std::string_view("one")})
    if (key.fallback.starts_with(beginning)) return text + " " + sentence(key.fallback);
  return key.fallback == "none" ? text : text + " Default: " + without_links(key.fallback) + ".";
}

// The default as a value that an editor can insert.
std::optional<json::value> inserted(const Key& key) {
  std::string value;
  for (const char c : key.fallback)
    if (c != '`') value += c;
  const Kind kind = key.type.kind;
  const bool digits = kind == Kind::duration || kind == Kind::whole || kind == Kind::number;
  if (digits && value.find_first_not_of("0123456789dhmsu.") == std::string::npos)
    return literal(value);
  if (kind == Kind::words && std::ranges::find(key.type.words, value) != key.type.words.end())
    return json::value(json::string(value));
  if (kind == Kind::boolean && (value == "true" || value == "false"))
    return json::value(value == "true");
  return std::nullopt;
}

json::object property(const Key& key) {
  json::object schema{{"description", described(key)}};
  json::object type = schema_of(key.type);
  if (type.contains("$ref")) {  // beside which draft 7 sees nothing
    json::array one;
    one.push_back(std::move(type));
    schema["allOf"] = std::move(one);
  } else {
    for (const auto& [name, value] : type) schema[name] = value;
  }
  if (auto value = inserted(key)) schema["default"] = *std::move(value);
  const bool leaf = key.type.parts.empty() && key.type.kind != Kind::object;
  if (leaf && !key.example.empty()) {
    json::array examples;
    examples.push_back(key.type.kind == Kind::text ? json::value(json::string(key.example))
                                                   : literal(key.example));
    schema["examples"] = std::move(examples);
  }
  return schema;
}

json::object required(const std::vector<std::string>& keys) {
  json::object schema;
  schema["required"] = json::array(keys.begin(), keys.end());
  return schema;
}

json::array rules_of(const Choice& choice) {
  json::array rules;
  if (choice.required) {
    json::array alternatives;
    for (const std::string& key : choice.keys) alternatives.push_back(required({key}));
    rules.push_back(json::object{{"oneOf", std::move(alternatives)}});
  } else {
    for (std::size_t i = 0; i < choice.keys.size(); ++i)
      for (std::size_t k = i + 1; k < choice.keys.size(); ++k)
        rules.push_back(json::object{{"not", required({choice.keys[i], choice.keys[k]})}});
  }
  return rules;
}

json::object definition(const Object& object) {
  json::object properties;
  std::vector<std::string> needed;
  for (const Key& key : object.keys)
    for (const std::string& name : key.each()) {
      properties[name] = property(key);
      if (key.fallback == kRequired) needed.push_back(name);
    }
  json::object schema{{"description", sentence(object.meaning)},
                      {"type", "object"},
                      {"properties", std::move(properties)},
                      {"additionalProperties", false}};
  if (!needed.empty()) schema["required"] = json::array(needed.begin(), needed.end());
  json::array rules;
  for (const Choice& choice : object.choices)
    for (json::value& rule : rules_of(choice)) {
      if (!choice.beside.empty())
        rule = json::object{{"if", required({choice.beside})}, {"then", std::move(rule)}};
      rules.push_back(std::move(rule));
    }
  if (!rules.empty()) schema["allOf"] = std::move(rules);
  json::object dependencies;
  for (const auto& [key, other] : object.needs) {
    if (!dependencies.contains(key)) dependencies[key] = json::array();
    dependencies[key].as_array().emplace_back(other);
  }
  if (!dependencies.empty()) schema["dependencies"] = std::move(dependencies);
  return schema;
}

void print(const json::value& value, std::size_t depth, std::string& out) {
  const std::string indent(2 * (depth + 1), ' ');
  const auto close = [&](char bracket) { out += "\n" + std::string(2 * depth, ' ') + bracket; };
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    const char* comma = "";
    for (const auto& [name, member] : *object) {
      out += comma + indent + json::serialize(json::string(name)) + ": ";
      print(member, depth + 1, out);
      comma = ",\n";
    }
    return close('}');
  }
  const auto* array = value.if_array();
  if (array == nullptr || array->empty() || !array->front().is_object()) {
    out += json::serialize(value);
    return;
  }
  out += "[\n";
  for (std::size_t i = 0; i < array->size(); ++i) {
    out += (i == 0 ? "" : ",\n") + indent;
    print((*array)[i], depth + 1, out);
  }
  close(']');
}

}  // namespace

std::string json_schema(const File& file) {
  json::object schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
                      {"title", file.title}};
  json::object root = definition(file.objects.front());
  root["type"] = json::array{"object", "null"};  // a file with comments only
  for (const auto& [name, value] : root) schema[name] = value;
  json::object definitions;
  for (std::size_t i = 1; i < file.objects.size(); ++i)
    definitions[file.objects[i].name] = definition(file.objects[i]);
  schema["definitions"] = std::move(definitions);
  std::string out;
  print(schema, 0, out);
  return out + "\n";
}

}  // namespace firebreak::policy::shape
