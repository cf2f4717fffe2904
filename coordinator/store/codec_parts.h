// What the codecs of journal and snapshot share. Private to this folder: it shows the generated
// code.
#pragma once

#include <firebreak/v1/journal.pb.h>
#include <google/protobuf/arena.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/cel/value.h"
#include "common/observation.h"
#include "common/result.h"
#include "coordinator/core/state.h"

namespace firebreak::store {

namespace pb = firebreak::journal::v1;

// ---- writing

inline std::int64_t us(Duration duration) {
  return duration.count();
}

// Ours start at 0, the protocol's at 1.
template <class To, class From>
To enum_to_proto(From value) {
  return static_cast<To>(static_cast<int>(value) + 1);
}

// Appends observations to columns; one for all of a message, so that names are interned once.
class ObservationWriter {
 public:
  explicit ObservationWriter(pb::Observations& to) : to_(to) {}

  void add(const Observation& from) {
    const auto row = static_cast<std::uint32_t>(to_.status_size());
    to_.add_status(static_cast<std::uint32_t>(from.status));
    to_.add_reason(static_cast<std::uint32_t>(from.reason));
    to_.add_phase(static_cast<std::uint32_t>(from.phase));
    to_.add_latency_us(us(from.latency));
    for (const NamedValue& value : from.values) {
      to_.add_value_row(row);
      to_.add_value_name(name_index(value.name));
      to_.add_value(value.value);
    }
    if (!from.evidence.empty()) {
      to_.add_evidence_row(row);
      to_.add_evidence(from.evidence);
    }
    for (const PhaseTiming& timing : from.phases) {
      to_.add_timing_row(row);
      to_.add_timing_phase(static_cast<std::uint32_t>(timing.phase));
      to_.add_timing_us(us(timing.took));
    }
  }

 private:
  std::uint32_t name_index(const std::string& name) {
    const auto [entry, added] =
        names_.emplace(name, static_cast<std::uint32_t>(to_.value_names_size()));
    if (added) to_.add_value_names(name);
    return entry->second;
  }

  pb::Observations& to_;
  std::unordered_map<std::string, std::uint32_t> names_;
};

void put_key(const ProbeKey& from, pb::ProbeKey& to);
void put_value(const cel::Value& from, pb::FactValue& to);
void put_incident(const core::Incident& from, pb::Incident& to);

// ---- reading

inline Instant instant(std::int64_t at_us) {
  return instant_from_unix_us(at_us);
}

inline int count(std::int64_t value) {
  return static_cast<int>(std::clamp<std::int64_t>(value, 0, std::numeric_limits<int>::max()));
}

// Remembers the first thing that is wrong; what is read after it is discarded by the caller.
class Reader {
 public:
  void fail(std::string what) {
    if (!error_) error_ = make_error(Errc::corrupt, std::move(what));
  }
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  template <class To, class From>
  To enumerator(From value, To last, const char* field) {
    const int number = static_cast<int>(value) - 1;
    if (number < 0 || number > static_cast<int>(last)) {
      fail(std::string(field) + " has the unknown number " + std::to_string(number + 1));
      return To{};
    }
    return static_cast<To>(number);
  }
  template <class NameType>
  NameType name(const std::string& text, const char* field) {
    if (text.empty()) fail(std::string(field) + " is empty");
    return NameType(text);
  }

 private:
  std::optional<Error> error_;
};

template <class Message>
bool parse(Message& message, std::string_view bytes) {
  return bytes.size() <= std::numeric_limits<int>::max() &&
         message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// A message of many small parts, which come and go together.
#if defined(__SANITIZE_THREAD__)
// Debian's protobuf is not instrumented, and where its headers see ThreadSanitizer its maps have
// another size than in the library: on an arena they end the program.
template <class Message>
class OnArena {
 public:
  Message& operator*() { return message_; }

 private:
  Message message_;
};
#else
template <class Message>
class OnArena {
 public:
  OnArena() : message_(google::protobuf::Arena::CreateMessage<Message>(&arena_)) {}
  OnArena(const OnArena&) = delete;
  OnArena& operator=(const OnArena&) = delete;
  Message& operator*() { return *message_; }

 private:
  google::protobuf::ArenaOptions options() {
    google::protobuf::ArenaOptions options;
    options.initial_block = first_.data();
    options.initial_block_size = first_.size();
    return options;
  }
  alignas(std::max_align_t) std::array<char, 4096> first_;
  google::protobuf::Arena arena_{options()};
  Message* message_;
};
#endif

std::vector<Observation> get_observations(const pb::Observations& from, int count, Reader& reader);
ProbeKey get_key(const pb::ProbeKey& from, Reader& reader);
cel::Value get_value(const pb::FactValue& from, Reader& reader);
core::Incident get_incident(const pb::Incident& from, Reader& reader);

}  // namespace firebreak::store
