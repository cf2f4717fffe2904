// Book-keeping of one running probe.
#include "probes/attempt.h"

#include <algorithm>

#include "common/limits.h"
#include "common/text.h"
#include "probes/judge.h"

namespace firebreak::probes {

Attempt::Attempt(std::shared_ptr<Toolbox> tools, ProbeSpec spec, ProbeTrace trace)
    : tools_(std::move(tools)),
      spec_(std::move(spec)),
      trace_(std::move(trace)),
      begun_(tools_->clock->steady()),
      deadline_(begun_ + spec_.timeout),
      phase_begun_(begun_),
      alarm_(tools_->alarms, [this] { ring(); }) {
  alarm_.set(deadline_);
}

Duration Attempt::elapsed() const {
  return std::chrono::duration_cast<Duration>(now() - begun_);
}

void Attempt::close_phase() {
  const TimePoint ended = now();
  const auto took = std::chrono::duration_cast<Duration>(ended - phase_begun_);
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

bool Attempt::fail_timeout(std::string_view what) {
  if (has_stalled())
    return unknown(Reason::prober, "the agent itself did not run for " +
                                       humanize_duration(stalled_) +
                                       ", so it cannot blame the target");
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
  if (at - deadline_ > limits::kProberStallMax)
    stalled_ = std::chrono::duration_cast<Duration>(at - deadline_);
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
  close_phase();
  phase_ = Phase::none;
  alarm_.clear();
  observation_.latency = elapsed();
  judge_limits(spec_, observation_);
  if (spec_.invert) invert(observation_);
  return std::move(observation_);
}

}  // namespace firebreak::probes
