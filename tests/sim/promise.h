// How a broken promise is said. The numbers are those of docs/reliability.md.
#pragma once

#include <stdexcept>
#include <string>

namespace firebreak::sim {

struct BrokenPromise : std::runtime_error {
  BrokenPromise(const std::string& promise, const std::string& what)
      : std::runtime_error(promise + ": " + what) {}
};

inline void promise(bool holds, const char* which, const std::string& what) {
  if (!holds) throw BrokenPromise(which, what);
}
// For texts that cost something to make.
template <class Text>
void promise(bool holds, const char* which, Text text) requires requires {
  text();
}
{
  if (!holds) throw BrokenPromise(which, text());
}

inline constexpr const char* kAcked = "P1, what is acknowledged is never lost";
inline constexpr const char* kOnce = "P2, each result has its effect exactly once";
inline constexpr const char* kAtMostOnce = "P3, an action runs at most once";
inline constexpr const char* kFenced = "P4, stale authority does nothing";
inline constexpr const char* kBounded = "P6, nothing grows beyond its cap";
inline constexpr const char* kSighted = "P7, a blind system does not act";
inline constexpr const char* kIntent = "intent before action";
inline constexpr const char* kJournal = "the state is what the journal says";
inline constexpr const char* kLiveness = "after the faults everything drains and agrees";

}  // namespace firebreak::sim
