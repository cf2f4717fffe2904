// What an expression evaluates to: a value, an error, or "not known yet".
//
// Errors and unknowns are values, not failures of the evaluation: CEL's && and || absorb them (true
// || error is true), and what is left over tells the rule that it cannot decide. A Value is
// immutable and small (24 bytes); strings, lists and maps are shared, so a copy never allocates.
// Safe to read from several threads.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/time.h"

namespace firebreak::cel {

class Value;
using List = std::vector<Value>;
using Map = std::map<std::string, Value, std::less<>>;

// An operation that has no answer: division by zero, a key that is not there, int overflow.
struct Error {
  std::string message;
  friend bool operator==(const Error&, const Error&) = default;
};

// An answer that cannot be given yet, and the short names of what is missing ("health: no samples
// in 1m").
struct Unknown {
  std::set<std::string> missing;
  friend bool operator==(const Unknown&, const Unknown&) = default;
};

class Value {
 public:
  enum class Kind : std::uint8_t {  // in the order of Data
    null,
    boolean,
    integer,
    unsigned_integer,
    real,
    string,
    duration,
    timestamp,
    list,
    map,
    error,
    unknown,
  };

  Value() = default;  // null
  template <std::same_as<bool> T>
  Value(T boolean) : data_(boolean) {}
  template <std::signed_integral T>
  Value(T integer) : data_(static_cast<std::int64_t>(integer)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Value(T integer) : data_(static_cast<std::uint64_t>(integer)) {}
  Value(double real) : data_(real) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  template <class Rep, class Period>
  requires std::convertible_to<std::chrono::duration<Rep, Period>, Duration> Value(
      std::chrono::duration<Rep, Period> duration)
      : data_(Duration{duration}) {}
  Value(Instant at) : data_(at) {}
  Value(List list) : data_(std::make_shared<const List>(std::move(list))) {}
  Value(Map map) : data_(std::make_shared<const Map>(std::move(map))) {}
  Value(Error error) : data_(std::make_shared<const Error>(std::move(error))) {}
  Value(Unknown unknown) : data_(std::make_shared<const Unknown>(std::move(unknown))) {}

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind wanted) const { return kind() == wanted; }
  bool is_true() const { return is(Kind::boolean) && as_bool(); }
  bool is_false() const { return is(Kind::boolean) && !as_bool(); }
  bool is_error() const { return is(Kind::error); }
  bool is_unknown() const { return is(Kind::unknown); }
  bool is_number() const { return kind() >= Kind::integer && kind() <= Kind::real; }

  // Asking for another kind than kind() is the caller's bug and asserts.
  bool as_bool() const { return get<bool>(); }
  std::int64_t as_int() const { return get<std::int64_t>(); }
  std::uint64_t as_uint() const { return get<std::uint64_t>(); }
  double as_double() const { return get<double>(); }
  const std::string& as_string() const { return *get<std::shared_ptr<const std::string>>(); }
  Duration as_duration() const { return get<Duration>(); }
  Instant as_timestamp() const { return get<Instant>(); }
  const List& as_list() const { return *get<std::shared_ptr<const List>>(); }
  const Map& as_map() const { return *get<std::shared_ptr<const Map>>(); }
  const Error& as_error() const { return *get<std::shared_ptr<const Error>>(); }
  const Unknown& as_unknown() const { return *get<std::shared_ptr<const Unknown>>(); }

  // Of one kind and equal in depth. The language's own == is wider: 1 == 1.0.
  friend bool operator==(const Value& a, const Value& b);

 private:
  using Data = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                            std::shared_ptr<const std::string>, Duration, Instant,
                            std::shared_ptr<const List>, std::shared_ptr<const Map>,
                            std::shared_ptr<const Error>, std::shared_ptr<const Unknown>>;

  template <class T>
  const T& get() const {
    const T* held = std::get_if<T>(&data_);
    if (held == nullptr) wrong_kind();
    return *held;
  }
  [[noreturn]] static void wrong_kind();

  Data data_;
};

// "int", "string", "list": the language's name of a kind.
const char* to_string(Value::Kind kind);
// As the value would be written in an expression, escaped for one line and cut at 4 KiB: 'edge',
// 1m30s, [1, 2], {'a': true}; an error as "error: ...", an unknown as "unknown (what is missing)".
std::string to_string(const Value& value);

}  // namespace firebreak::cel
