// Names and numbers that must not be mixed up, each its own type.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace firebreak {

// A string with a meaning. Empty means "none".
template <class Tag>
class Name {
 public:
  Name() = default;
  explicit Name(std::string value) : value_(std::move(value)) {}
  explicit Name(std::string_view value) : value_(value) {}
  explicit Name(const char* value) : value_(value) {}
  [[nodiscard]] const std::string& str() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  friend auto operator<=>(const Name&, const Name&) = default;
  friend bool operator==(const Name&, const Name&) = default;

 private:
  std::string value_;
};

using AgentName = Name<struct AgentNameTag>;
using ServiceName = Name<struct ServiceNameTag>;
using ProbeName = Name<struct ProbeNameTag>;
using ActionName = Name<struct ActionNameTag>;
using ReceiverName = Name<struct ReceiverNameTag>;
using FactName = Name<struct FactNameTag>;
using IncidentId = Name<struct IncidentIdTag>;  // "INC-20261121-031407"
using ActionId =
    Name<struct ActionIdTag>;  // one attempt to run one action on one target, for ever unique
using ValidationId = Name<struct ValidationIdTag>;  // one run of a checklist
using NotificationId = Name<struct NotificationIdTag>;
using RequestId = Name<struct RequestIdTag>;          // one probe-now
using SilenceId = Name<struct SilenceIdTag>;          // "sil-17"
using MaintenanceId = Name<struct MaintenanceIdTag>;  // "mnt-18"

// A probe of a service, the unit that agents are assigned and results are about.
struct ProbeKey {
  ServiceName service;
  ProbeName probe;
  friend auto operator<=>(const ProbeKey&, const ProbeKey&) = default;
  friend bool operator==(const ProbeKey&, const ProbeKey&) = default;
};

// [a-z0-9] then up to 62 of [a-z0-9._-]: what a name in a policy, a certificate or a command line
// may be. Nothing in it needs escaping in a path, a URL, a shell or a log.
[[nodiscard]] bool is_valid_name(std::string_view text);

}  // namespace firebreak

template <class Tag>
struct std::hash<firebreak::Name<Tag>> {
  std::size_t operator()(const firebreak::Name<Tag>& name) const noexcept {
    return std::hash<std::string>{}(name.str());
  }
};
template <>
struct std::hash<firebreak::ProbeKey> {
  std::size_t operator()(const firebreak::ProbeKey& key) const noexcept {
    return std::hash<std::string>{}(key.service.str()) * 31 +
           std::hash<std::string>{}(key.probe.str());
  }
};
