// What jobs of this host have reported, and since when their names are known: the agent's memory
// of `heartbeat` probes, kept beyond restarts and reboots. Pure; not thread-safe.
//
// Time within one boot of the host is since_boot, which nobody sets and which counts suspends. Over
// a reboot only the wall clock knows for how long the host was off; the last save() before it and
// now are compared, so a step of the wall clock matters only in between. Nothing ever gets younger.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/time.h"
#include "probes/heartbeat_report.h"

namespace firebreak::agent {

struct HostTime {
  std::string boot_id;  // empty: not known, so each life of the agent counts as another boot
  Duration since_boot{};
  WallTime wall{};
};

class Heartbeats {
 public:
  Heartbeats() = default;
  // What save() wrote, at most limits::kHeartbeatFileBytesMax; `corrupt` when it is not that.
  static Result<Heartbeats> load(std::string_view text, const HostTime& now);
  [[nodiscard]] std::string save(const HostTime& now) const;

  // The names that assigned probes ask for. The clock of a new one begins now. False: nothing has
  // changed. More than limits::kHeartbeatsMax are not remembered.
  bool expect(const std::set<std::string>& names, const HostTime& now);

  enum class Taken { expected, stray };
  // A job reports. resource_exhausted: no probe asks for the name, and limits::kHeartbeatsStrayMax
  // such names are kept already.
  Result<Taken> take(const std::string& name, probes::HeartbeatReport report, const HostTime& now);

  // nullopt: the name is not known.
  [[nodiscard]] std::optional<probes::Heartbeat> find(const std::string& name,
                                                      const HostTime& now) const;
  [[nodiscard]] std::vector<std::string> expected() const;

 private:
  struct Kept {
    probes::Heartbeat beat;      // as it was at `at`
    std::optional<Duration> at;  // since boot; nothing: when it was saved in an earlier life
    bool is_expected = false;
  };
  [[nodiscard]] Duration since(const std::optional<Duration>& at, const HostTime& now) const;
  [[nodiscard]] probes::Heartbeat beat_of(const Kept& kept, const HostTime& now) const;
  void forget_strays(const HostTime& now);
  [[nodiscard]] std::size_t count(bool is_expected) const;

  std::map<std::string, Kept> kept_;
  HostTime saved_;  // by the life before this one
};

}  // namespace firebreak::agent
