// Result<T>: the value of an operation that may fail because of input, I/O or a peer.
//
// A sick target is not an error (it is an Observation); a programmer's mistake is FB_ASSERT;
// everything else that can fail returns Result<T>. Use only `if (!r) return r.error();`, `*r` and
// `r->`: that is what std::expected will keep.
#pragma once

#include <string>
#include <utility>

#include <boost/system/result.hpp>

namespace firebreak {

enum class Errc {
  invalid_argument,  // the caller's or operator's input is wrong; the message says how to mend it
  not_found,         // the named thing does not exist
  already_exists,
  failed_precondition,  // right request, wrong moment (an incident already resolved, no agent
                        // attached)
  permission_denied,
  resource_exhausted,  // a bound of common/limits.h was reached
  unavailable,         // a peer or the network; trying again later may help
  deadline_exceeded,
  corrupt,   // bytes on disk or on the wire are not what we wrote
  internal,  // a library or the system failed in a way no input explains
};

struct Error {
  Errc code = Errc::internal;
  std::string message;  // says what, where, and what to do; may hold hostile text, escape it where
                        // it is shown

  friend bool operator==(const Error&, const Error&) = default;
};

// Boost asks how an Error is thrown when a Result without a value is dereferenced: that is a bug in
// the caller.
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

template <class T = void>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

[[nodiscard]] const char* to_string(Errc code);

inline Error make_error(Errc code, std::string message) {
  return {code, std::move(message)};
}

}  // namespace firebreak
