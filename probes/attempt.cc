// Book-keeping of one running probe.
#include "probes/attempt.h"

#include <algorithm>

#include "common/limits.h"
#include "common/probe_limits.h"
#include "common/text.h"

namespace firebreak::probes {
namespace {

// A peer that got no word from us gives up, too: most failures may be the stall's. What nobody says
// for being kept waiting (refused, status, auth, missing) is believed, and so is what the host
// tells about itself: a processor that has no time for us is busy indeed.
bool may_come_from_a_stall(const KindSpec& kind, const Observation& observation) {
  if (observation.status != Status::critical && observation.status != Status::warning) return false;
  if (std::holds_alternative<HeartbeatSpec>(kind)) return false;  // it waits for nobody
  const bool is_local = std::holds_alternative<HostSpec>(kind) ||
                        std::holds_alternative<SystemdSpec>(kind) ||
                        std::holds_alternative<ExecSpec>(kind);
  switch (observation.reason) {
    case Reason::timeout:
      return true;
    case Reason::dns:
    case Reason::unreachable:
    case Reason::reset:
    case Reason::tls:
    case Reason::protocol:
    case Reason::body:  // an assertion on the latency, too
      return !is_local;
    case Reason::threshold:
      return std::holds_alternative<IcmpSpec>(kind);  // loss and round trips
    default:
      return false;
  }
}

}  // namespace

Attempt::Attempt(std::shared_ptr<Toolbox> tools, ProbeSpec spec, ProbeTrace trace)
    : tools_(std::move(tools)),
      spec_(std::move(spec)),
      trace_(std::move(trace)),
      deadline_(tools_->clock->steady() + spec_.timeout),
      alarm_(tools_->alarms, [this] { ring(); }) {
  watch_.emplace(tools_->pulse);
  alarm_.set(deadline_);
}

void Attempt::close_phase() {
  const Duration ended = elapsed();
  const Duration took = ended - phase_begun_;
  phase_begun_ = ended;
  if (phase_ == Phase::none) return;
  auto& phases = observation_.phases;
  const auto same = std::find_if(phases.begin(), phases.end(), [this](const PhaseTiming& timing) {
    return timing.phase == phase_;
  });
  if (same != phases.end()) {
    same->took += took;  // a second address, a redirect
    return;
  }
  if (phases.empty()) phases.reserve(6);
  phases.push_back({phase_, took});
}

void Attempt::enter(Phase phase) {
  if (phase == phase_) return;
  close_phase();
  phase_ = phase;
}

void Attempt::trace(std::string_view text) const {
  if (trace_) trace_(phase_, to_valid_utf8(scrub(text), limits::kTextBytesMax));
}

void Attempt::succeed(std::string_view note) {
  observation_.status = Status::ok;
  observation_.reason = Reason::none;
  observation_.phase = Phase::none;
  observation_.evidence = to_valid_utf8(scrub(note), limits::kEvidenceBytesMax);
}

bool Attempt::fail(Status status, Reason reason, std::string_view evidence) {
  observation_.status = status;
  observation_.reason = reason;
  observation_.phase = phase_;
  observation_.evidence = to_valid_utf8(scrub(evidence), limits::kEvidenceBytesMax);
  if (trace_) trace_(phase_, observation_.evidence);
  return false;
}

bool Attempt::has_stalled() const {
  return watch_->lost() >=
         std::min(Duration(limits::kProberStallMax), spec_.timeout / limits::kProberStallShare);
}

bool Attempt::blame_stall() {
  observation_.values.clear();
  return unknown(Reason::prober, "the agent itself did not run for " +
                                     humanize_duration(watch_->lost()) +
                                     ", so it cannot blame the target");
}

bool Attempt::fail_timeout(std::string_view what) {
  if (has_stalled()) return blame_stall();
  return critical(Reason::timeout, std::string(what) + " within " + format_duration(spec_.timeout));
}

void Attempt::add_value(std::string name, double value) {
  if (observation_.values.size() < limits::kValuesPerResultMax)
    observation_.values.push_back({std::move(name), value});
}

void Attempt::add_first_value(std::string name, double value) {
  auto& values = observation_.values;
  if (values.size() == limits::kValuesPerResultMax) values.pop_back();
  values.insert(values.begin(), {std::move(name), value});
}

void Attempt::rests_on(const std::string& name) {
  if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
}

void Attempt::keep_secret(std::string value) {
  if (!value.empty()) secrets_.push_back(std::move(value));
}

std::string Attempt::scrub(std::string_view text) const {
  std::string clean(text);
  for (const std::string& secret : secrets_)
    for (auto at = clean.find(secret); at != std::string::npos; at = clean.find(secret, at + 3))
      clean.replace(at, secret.size(), "***");
  return clean;
}

void Attempt::ring() {
  const TimePoint at = now();
  if (at < deadline_) {  // only a step
    alarm_.set(deadline_);
    if (abort_) abort_();
    return;
  }
  cancel();
}

void Attempt::cancel() {
  over_ = true;
  if (abort_) abort_();
}

void Attempt::abandon() {
  trace_ = nullptr;
  cancel();
}

void Attempt::begin_step(TimePoint at) {
  if (at < deadline_ && !over_) alarm_.set(at);
}

void Attempt::end_step() {
  if (!over_) alarm_.set(deadline_);
}

Observation Attempt::finish() {
  if (has_stalled() && may_come_from_a_stall(spec_.kind, observation_)) blame_stall();
  close_phase();
  phase_ = Phase::none;
  alarm_.clear();
  observation_.latency = elapsed();
  watch_.reset();
  if (observation_.status == Status::critical)
    for (const std::string& name : names_) tools_->resolver.drop(name);
  judge_limits(spec_, observation_);
  if (spec_.invert) invert(observation_);
  return std::move(observation_);
}

}  // namespace firebreak::probes
