// What an expression evaluates to: a value, an error, or "not known yet".
//
// Errors and unknowns are values, not failures of the evaluation: CEL's && and || absorb them (true
// || error is true), and what is left over tells the rule that it cannot decide. A Value is
// immutable and small (24 bytes); strings, lists and maps are shared, so a copy never allocates.
// Safe to read from several threads.
#pragma once

#include <chrono>
#include <compare>
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

// The order of a map's keys, which are bool, int, uint or string. Numbers are one key by their
// value: 1, 1u and 1.0 find the same entry. A text is looked up without a copy.
struct KeyOrder {
  using is_transparent = void;
  bool operator()(const Value& a, const Value& b) const;
  template <std::convertible_to<std::string_view> Text>
  bool operator()(const Value& a, const Text& b) const {
    return compare_with_text(a, b) < 0;
  }
  template <std::convertible_to<std::string_view> Text>
  bool operator()(const Text& a, const Value& b) const {
    return compare_with_text(b, a) > 0;
  }

 private:
  static std::strong_ordering compare_with_text(const Value& a, std::string_view b);
};
using Map = std::map<Value, Value, KeyOrder>;

struct Bytes {  // not a text
  std::string data;
};

// A moment as CEL has it: nanoseconds, in the years 1 to 9999.
struct Timestamp {
  std::int64_t seconds = 0;  // since the Unix epoch, rounded down
  std::int32_t nanos = 0;    // 0 to 999,999,999
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

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
    bytes,
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
  Value(Bytes bytes) : data_(std::make_shared<const Bytes>(std::move(bytes))) {}
  // More than the 292 years that int64 nanoseconds hold becomes the nearest that they hold.
  template <class Rep, class Period>
  requires std::convertible_to<std::chrono::duration<Rep, Period>, Duration> Value(
      std::chrono::duration<Rep, Period> duration)
      : Value(to_nanoseconds(duration)) {}
  Value(std::chrono::nanoseconds duration) : data_(duration) {}
  Value(Instant at) : Value(to_timestamp(at)) {}
  Value(Timestamp at) : data_(at) {}
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
  const std::string& as_bytes() const { return get<std::shared_ptr<const Bytes>>()->data; }
  std::chrono::nanoseconds as_nanoseconds() const { return get<std::chrono::nanoseconds>(); }
  Duration as_duration() const { return std::chrono::duration_cast<Duration>(as_nanoseconds()); }
  const Timestamp& as_timestamp() const { return get<Timestamp>(); }
  const List& as_list() const { return *get<std::shared_ptr<const List>>(); }
  const Map& as_map() const { return *get<std::shared_ptr<const Map>>(); }
  const Error& as_error() const { return *get<std::shared_ptr<const Error>>(); }
  const Unknown& as_unknown() const { return *get<std::shared_ptr<const Unknown>>(); }

  // Of one kind and equal in depth. The language's own == is wider: 1 == 1.0.
  friend bool operator==(const Value& a, const Value& b);

 private:
  using Data = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                            std::shared_ptr<const std::string>, std::shared_ptr<const Bytes>,
                            std::chrono::nanoseconds, Timestamp, std::shared_ptr<const List>,
                            std::shared_ptr<const Map>, std::shared_ptr<const Error>,
                            std::shared_ptr<const Unknown>>;

  static std::chrono::nanoseconds to_nanoseconds(Duration duration);
  static Timestamp to_timestamp(Instant at);

  template <class T>
  const T& get() const {
    const T* held = std::get_if<T>(&data_);
    if (held == nullptr) wrong_kind();
    return *held;
  }
  [[noreturn]] static void wrong_kind();

  Data data_;
};

// Two numbers by their value, whatever their types: exact where a conversion would round. A NaN is
// unordered.
std::partial_ordering compare_numbers(const Value& a, const Value& b);

// "90.5s" and "2026-11-21T03:14:07.5Z": what string() makes of them, with as many digits as needed.
std::string to_seconds(std::chrono::nanoseconds duration);
std::string to_rfc3339(const Timestamp& at);

// "int", "string", "list": the language's name of a kind.
const char* to_string(Value::Kind kind);
// As the value would be written in an expression, escaped for one line and cut at 4 KiB: 'edge',
// 1m30s, [1, 2], {'a': true}; an error as "error: ...", an unknown as "unknown (what is missing)".
std::string to_string(const Value& value);

}  // namespace firebreak::cel
