// The few lines of Result<T> that need no template.
#include "common/result.h"

#include "common/assert.h"

namespace firebreak {

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  assertion_failed(("Result without a value: " + error.message).c_str(), where.file_name(),
                   static_cast<int>(where.line()));
}

const char* to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid argument";
    case Errc::not_found:
      return "not found";
    case Errc::already_exists:
      return "already exists";
    case Errc::failed_precondition:
      return "failed precondition";
    case Errc::permission_denied:
      return "permission denied";
    case Errc::resource_exhausted:
      return "resource exhausted";
    case Errc::unavailable:
      return "unavailable";
    case Errc::deadline_exceeded:
      return "deadline exceeded";
    case Errc::corrupt:
      return "corrupt";
    case Errc::internal:
      return "internal";
  }
  return "unknown error";
}

}  // namespace firebreak
