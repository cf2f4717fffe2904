// JSON by Boost on the way in; written by hand on the way out, because a value may share its parts
// over and over, and the text has to end early.
#include "common/cel/json.h"
#include "common/base64.h"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>

#include "common/base64.h"
#include "common/limits.h"

namespace firebreak::cel {
namespace {

namespace json = boost::json;

Value value_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return {};
    case json::kind::bool_:
      return value.get_bool();
    case json::kind::int64:
      return value.get_int64();
    case json::kind::uint64:
      return value.get_uint64();
    case json::kind::double_:
      return value.get_double();
    case json::kind::string:
      return std::string(value.get_string());
    case json::kind::array: {
      List list;
      list.reserve(value.get_array().size());
      for (const json::value& item : value.get_array()) list.push_back(value_of(item));
      return list;
    }
    case json::kind::object: {
      Map map;
      for (const auto& entry : value.get_object())
        map.insert_or_assign(std::string(entry.key()), value_of(entry.value()));
      return map;
    }
  }
  return {};
}

std::string quoted(const std::string& text) {
  return json::serialize(json::string(text));
}

std::string number(double value) {
  if (!std::isfinite(value)) return '"' + to_string(Value(value)) + '"';
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

class Writer {
 public:
  explicit Writer(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  bool write(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::null:
      case Value::Kind::boolean:
      case Value::Kind::integer:
        return put(to_string(value));
      case Value::Kind::unsigned_integer:
        return put(std::to_string(value.as_uint()));
      case Value::Kind::real:
        return put(number(value.as_double()));
      case Value::Kind::string:
        return put(quoted(value.as_string()));
      case Value::Kind::bytes:
        return put('"' + to_base64(value.as_bytes()) + '"');
      case Value::Kind::duration:
        return put('"' + to_seconds(value.as_nanoseconds()) + '"');
      case Value::Kind::timestamp:
        return put('"' + to_rfc3339(value.as_timestamp()) + '"');
      case Value::Kind::list:
        return write_list(value.as_list());
      case Value::Kind::map:
        return write_map(value.as_map());
      case Value::Kind::error:
      case Value::Kind::unknown:
        return false;
    }
    return false;
  }

  std::string take() { return std::move(out_); }

 private:
  bool put(std::string_view text) {
    if (text.size() > bytes_max_ - out_.size()) return false;
    out_ += text;
    return true;
  }

  bool write_list(const List& list) {
    if (!put("[")) return false;
    for (std::size_t i = 0; i < list.size(); ++i)
      if (!put(i > 0 ? "," : "") || !write(list[i])) return false;
    return put("]");
  }

  bool write_map(const Map& map) {
    if (!put("{")) return false;
    bool first = true;
    for (const auto& [key, value] : map) {
      const std::string name = key.is(Value::Kind::string) ? key.as_string()
                               : key.is(Value::Kind::unsigned_integer)
                                   ? std::to_string(key.as_uint())
                                   : to_string(key);
      if (!put(first ? "" : ",") || !put(quoted(name)) || !put(":") || !write(value)) return false;
      first = false;
    }
    return put("}");
  }

  std::size_t bytes_max_;
  std::string out_;
};

}  // namespace

Result<Value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed, {}, options);
  if (failed) return make_error(Errc::invalid_argument, "this is not JSON: " + failed.message());
  return value_of(value);
}

std::optional<std::string> to_json(const Value& value, std::size_t bytes_max) {
  Writer writer(bytes_max);
  if (!writer.write(value)) return std::nullopt;
  return writer.take();
}

}  // namespace firebreak::cel
