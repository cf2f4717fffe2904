// Limits first, then the other way round.
#include "common/probe_limits.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <variant>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak {
namespace {

std::optional<double> value_of(const Observation& seen, const std::string& name) {
  if (name == kLatencyValue) return std::chrono::duration<double>(seen.latency).count();
  const auto found = std::find_if(seen.values.begin(), seen.values.end(),
                                  [&](const NamedValue& value) { return value.name == name; });
  return found == seen.values.end() ? std::nullopt : std::optional(found->value);
}

// The limits of that severity that are crossed, as text.
std::string crossed(const ProbeSpec& spec, const Observation& seen,
                    std::optional<Range> Limit::*severity) {
  std::string text;
  for (const auto& [name, limit] : spec.limits) {
    const std::optional<Range>& range = limit.*severity;
    const std::optional<double> value = value_of(seen, name);
    if (!range || !value || !range->alerts(*value)) continue;
    if (!text.empty()) text += ", ";
    text.append(name).append(" is ").append(format_number(*value));
    text.append(", limit ").append(to_string(*range));
  }
  return text;
}

std::string missing(const ProbeSpec& spec, const Observation& seen) {
  for (const auto& [name, limit] : spec.limits)
    if (!value_of(seen, name)) return name;
  return "";
}

void fail(Observation& seen, Status status, Reason reason, std::string text) {
  if (!seen.evidence.empty()) text.append("; ").append(seen.evidence);
  seen.status = status;
  seen.reason = reason;
  seen.evidence = to_valid_utf8(text, limits::kEvidenceBytesMax);
}

std::optional<Range> above(const std::optional<double>& most) {
  if (!most) return std::nullopt;
  return Range{-std::numeric_limits<double>::infinity(), *most, false};
}

std::optional<Range> below(const std::optional<double>& least) {
  if (!least) return std::nullopt;
  return Range{*least, std::numeric_limits<double>::infinity(), false};
}

std::optional<Range> longer(const std::optional<Duration>& most) {
  if (!most) return std::nullopt;
  return above(std::chrono::duration<double>(*most).count());
}

struct OwnLimits {
  using Limits = std::map<std::string, Limit>;
  Limits operator()(const QueueSpec& queue) const {
    return {{"length", {above(queue.warning), above(queue.critical)}}};
  }
  Limits operator()(const PrometheusSpec& spec) const {
    return {{"value", {spec.warning, spec.critical}}};
  }
  Limits operator()(const TcpSpec& tcp) const {
    return {{"chain_days",
             {below(tcp.certificate_warning_days), below(tcp.certificate_critical_days)}}};
  }
  Limits operator()(const IcmpSpec& icmp) const {
    return {{"loss", {above(icmp.loss_warning), above(icmp.loss_critical)}},
            {"rtt", {longer(icmp.rtt_warning), longer(icmp.rtt_critical)}}};
  }
  Limits operator()(const SystemdSpec& systemd) const {
    return {{"restarts", {systemd.warning, systemd.critical}}};
  }
  Limits operator()(const HostSpec& host) const {
    Limits limits;
    for (const auto& [name, range] : host.warning) limits[name].warning = range;
    for (const auto& [name, range] : host.critical) limits[name].critical = range;
    return limits;
  }
  template <class Spec>
  Limits operator()(const Spec& /*spec*/) const {
    return {};
  }
};

}  // namespace

Status judge_queue(const QueueSpec& queue, double length) {
  if (queue.critical && length > *queue.critical) return Status::critical;
  if (queue.warning && length > *queue.warning) return Status::warning;
  return Status::ok;
}

std::map<std::string, Limit> own_limits(const KindSpec& kind) {
  auto limits = std::visit(OwnLimits{}, kind);
  std::erase_if(limits,
                [](const auto& one) { return !one.second.warning && !one.second.critical; });
  return limits;
}

void judge_limits(const ProbeSpec& spec, Observation& seen) {
  if (spec.limits.empty() || (seen.status != Status::ok && seen.status != Status::warning)) return;
  if (const std::string text = crossed(spec, seen, &Limit::critical); !text.empty())
    return fail(seen, Status::critical, Reason::threshold, text);
  if (const std::string name = missing(spec, seen); !name.empty())
    return fail(seen, Status::unknown, Reason::missing,
                "no value " + name + " to hold a limit against");
  if (const std::string text = crossed(spec, seen, &Limit::warning); !text.empty())
    fail(seen, Status::warning, seen.status == Status::warning ? seen.reason : Reason::threshold,
         text);
}

void invert(Observation& seen) {
  if (seen.status == Status::unknown) return;
  if (seen.status == Status::ok)
    return fail(seen, Status::critical, Reason::status, "all is well, and this probe is inverted");
  std::string text = "as it should be: ";
  text += to_string(seen.reason);
  fail(seen, Status::ok, Reason::none, std::move(text));
  seen.phase = Phase::none;
}

}  // namespace firebreak
