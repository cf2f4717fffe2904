// A few durations compared, and JSON both ways.
#include "probes/heartbeat_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <boost/json.hpp>

#include "common/ids.h"
#include "common/limits.h"
#include "common/text.h"
#include "common/time.h"

namespace firebreak::probes {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 4> kStates{"ok", "warning", "critical", "started"};

std::string_view name_of(HeartbeatState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

std::optional<HeartbeatState> state_named(std::string_view text) {
  const auto found = std::find(kStates.begin(), kStates.end(), text);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<HeartbeatState>(found - kStates.begin());
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Error refused(std::string why) {
  return make_error(Errc::invalid_argument, std::move(why));
}

// Fit to travel as evidence.
std::string message_of(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  std::string clean = to_valid_utf8(text, limits::kEvidenceBytesMax);
  std::replace(clean.begin(), clean.end(), '\0', ' ');
  return clean;
}

// --- What a job sends ----------------------------------------------------------------------------

Result<HeartbeatState> state_of(std::string_view text) {
  if (const auto state = state_named(text)) return *state;
  return refused("state is ok, warning, critical or started, not '" + escape_line(text, 64) + "'");
}

Result<> add_value(HeartbeatReport& report, std::string_view name, const json::value& value) {
  if (!is_valid_name(name) || name == "age" || name == "duration" || name == kLatencyValue)
    return refused("'" + escape_line(name, 64) +
                   "' is no name for a value: a-z, 0-9, '.', '_' and '-', at most 63, and not age, "
                   "duration or latency");
  json::error_code failed;
  const double number = value.to_number<double>(failed);
  if (failed || !std::isfinite(number))
    return refused("value '" + std::string(name) + "' is not a number");
  if (report.values.size() == limits::kHeartbeatValuesMax)
    return refused("more than " + std::to_string(limits::kHeartbeatValuesMax) + " values");
  report.values.push_back({std::string(name), number});
  return {};
}

Result<> read_member(HeartbeatReport& report, std::optional<HeartbeatState>& state,
                     std::string_view key, const json::value& value) {
  if (key == "values" && value.is_object()) {
    for (const auto& [name, each] : value.get_object())
      if (auto added = add_value(report, name, each); !added) return added;
    return {};
  }
  if (key == "message" && value.is_string()) {
    report.message = message_of(value.get_string());
    return {};
  }
  if (key == "state" && value.is_string()) {
    const auto read = state_of(value.get_string());
    if (!read) return read.error();
    if (state && *state != *read)
      return refused("the state is both '" + std::string(name_of(*state)) + "' and '" +
                     std::string(name_of(*read)) + "'");
    state = *read;
    return {};
  }
  return refused(
      "a report is an object of 'state' (text), 'message' (text) and 'values' (an "
      "object of numbers); this has '" +
      escape_line(key, 64) + "' of another kind");
}

Result<json::object> parse_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  json::error_code failed;
  json::value value = json::parse(text, failed, {}, options);
  if (failed) return refused("the body begins with { and is no JSON: " + failed.message());
  return value.get_object();
}

// --- What is kept --------------------------------------------------------------------------------

json::object object_of(const HeartbeatReport& report) {
  json::object object;
  object["state"] = name_of(report.state);
  object["message"] = report.message;
  json::object values;
  for (const NamedValue& value : report.values) values[value.name] = value.value;
  object["values"] = std::move(values);
  return object;
}

const json::object* object_at(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found == nullptr ? nullptr : found->if_object();
}

// Not below zero, and so far from the type's end that sums stay within it.
std::optional<Duration> duration_at(const json::object& object, std::string_view key) {
  constexpr std::int64_t kMax = std::int64_t{1} << 60;
  const json::value* found = object.if_contains(key);
  const std::int64_t* us = found == nullptr ? nullptr : found->if_int64();
  if (us == nullptr || *us < 0 || *us > kMax) return std::nullopt;
  return Duration{*us};
}

std::optional<Heartbeat::Last> last_of(const json::object& object) {
  const auto age = duration_at(object, "age_us");
  const json::object* said = object_at(object, "report");
  if (!age || said == nullptr) return std::nullopt;
  std::optional<HeartbeatState> state;
  Heartbeat::Last last{{}, *age, duration_at(object, "took_us")};
  for (const auto& [key, value] : *said)
    if (!read_member(last.report, state, key, value)) return std::nullopt;
  if (!state || *state == HeartbeatState::started) return std::nullopt;
  last.report.state = *state;
  return last;
}

std::optional<Heartbeat> beat_of(const json::object& object) {
  Heartbeat beat;
  const auto known = duration_at(object, "known_us");
  const auto deaf = duration_at(object, "deaf_us");
  const json::value* wall = object.if_contains("by_wall_clock");
  if (!known || !deaf || wall == nullptr || !wall->is_bool()) return std::nullopt;
  beat.known_for = *known;
  beat.deaf = *deaf;
  beat.by_wall_clock = wall->get_bool();
  if (const json::object* last = object_at(object, "last")) {
    beat.last = last_of(*last);
    if (!beat.last) return std::nullopt;
  }
  if (const json::object* run = object_at(object, "run")) {
    const auto age = duration_at(*run, "age_us");
    const auto latest = duration_at(*run, "latest_us");
    if (!age || !latest) return std::nullopt;
    beat.run = {*age, *latest};
  }
  return beat;
}

// --- What it means -------------------------------------------------------------------------------

std::string ago(Duration age) {
  return humanize_duration(age) + " ago";
}

// What a reader of a late report has to know besides.
std::string doubts(const Heartbeat& beat) {
  std::string text;
  if (beat.deaf >= std::chrono::seconds(1))
    text += "; this agent did not listen for " + humanize_duration(beat.deaf) + " of it";
  if (beat.by_wall_clock)
    text += "; the host restarted meanwhile, and the wall clock says for how long it was off";
  return text;
}

Observation verdict(Status status, Reason reason, const std::string& evidence) {
  Observation seen;
  seen.status = status;
  seen.reason = reason;
  seen.evidence = to_valid_utf8(evidence, limits::kEvidenceBytesMax);
  return seen;
}

Observation judge_silence(const HeartbeatSpec& spec, const Heartbeat& beat) {
  const std::string due = ", one is due within " + format_duration(spec.within);
  if (beat.run)
    return verdict(Status::unknown, Reason::missing,
                   "the first run that was reported began " + ago(beat.run->age) + due);
  const std::string since = "no report since this agent heard of '" + spec.name + "' " +
                            ago(beat.known_for) + due + doubts(beat);
  return beat.known_for > spec.within ? verdict(Status::critical, Reason::missing, since)
                                      : verdict(Status::unknown, Reason::missing, since);
}

Observation judge(const HeartbeatSpec& spec, const Heartbeat& beat) {
  if (beat.run && beat.run->age > spec.within)
    return verdict(Status::critical, Reason::timeout,
                   "a run began " + ago(beat.run->age) + " and no end of one was reported within " +
                       format_duration(spec.within) + doubts(beat));
  if (!beat.last) return judge_silence(spec, beat);
  const HeartbeatReport& report = beat.last->report;
  if (!beat.run && beat.last->age > spec.within)
    return verdict(Status::critical, Reason::timeout,
                   "the last report came " + ago(beat.last->age) + ", one is due within " +
                       format_duration(spec.within) + doubts(beat) +
                       (report.message.empty() ? "" : "; it said: " + report.message));
  const std::string said = report.message.empty()
                               ? "the job says " + std::string(name_of(report.state))
                               : report.message;
  if (report.state == HeartbeatState::critical)
    return verdict(Status::critical, Reason::status, said);
  if (report.state == HeartbeatState::warning)
    return verdict(Status::warning, Reason::status, said);
  return verdict(Status::ok, Reason::none, report.message);
}

}  // namespace

void pass(Heartbeat& beat, Duration time) {
  beat.known_for += time;
  if (beat.last) beat.last->age += time;
  if (beat.run) {
    beat.run->age += time;
    beat.run->latest += time;
  }
}

void take(Heartbeat& beat, HeartbeatReport report) {
  beat.deaf = {};
  beat.by_wall_clock = false;
  if (report.state == HeartbeatState::started) {
    if (!beat.run) beat.run = Heartbeat::Run{Duration{}, Duration{}};
    beat.run->latest = {};
    return;
  }
  std::optional<Duration> took;
  if (beat.run) took = beat.run->latest;
  beat.run.reset();
  beat.last = {std::move(report), {}, took};
}

Duration silent_for(const Heartbeat& beat) {
  Duration silent = beat.known_for;
  if (beat.last) silent = std::min(silent, beat.last->age);
  if (beat.run) silent = std::min(silent, beat.run->latest);
  return silent;
}

Observation judge_heartbeat(const HeartbeatSpec& spec, const Heartbeat& beat) {
  Observation seen = judge(spec, beat);
  if (seen.status == Status::critical && seen.reason != Reason::status && !beat.trouble.empty())
    seen = verdict(Status::unknown, Reason::prober,
                   "jobs cannot report: " + beat.trouble + "; " + seen.evidence);
  if (!beat.last) return seen;
  seen.values.reserve(2 + beat.last->report.values.size());
  seen.values.push_back({"age", seconds(beat.last->age)});
  if (beat.last->took) seen.values.push_back({"duration", seconds(*beat.last->took)});
  seen.values.insert(seen.values.end(), beat.last->report.values.begin(),
                     beat.last->report.values.end());
  return seen;
}

Result<HeartbeatReport> parse_heartbeat_report(std::string_view state, std::string_view body) {
  HeartbeatReport report;
  std::optional<HeartbeatState> known;
  if (!state.empty()) {
    const auto read = state_of(state);
    if (!read) return read.error();
    known = *read;
  }
  const std::size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && body[begin] == '{') {
    const auto object = parse_object(body);
    if (!object) return object.error();
    for (const auto& [key, value] : *object)
      if (auto taken = read_member(report, known, key, value); !taken) return taken.error();
  } else {
    report.message = message_of(body);
  }
  report.state = known.value_or(HeartbeatState::ok);
  return report;
}

std::string to_json(const Heartbeat& beat) {
  json::object object;
  object["known_us"] = beat.known_for.count();
  object["deaf_us"] = beat.deaf.count();
  object["by_wall_clock"] = beat.by_wall_clock;
  if (beat.last) {
    json::object last;
    last["age_us"] = beat.last->age.count();
    if (beat.last->took) last["took_us"] = beat.last->took->count();
    last["report"] = object_of(beat.last->report);
    object["last"] = std::move(last);
  }
  if (beat.run)
    object["run"] = {{"age_us", beat.run->age.count()}, {"latest_us", beat.run->latest.count()}};
  return json::serialize(object);
}

Result<Heartbeat> heartbeat_from_json(std::string_view text) {
  json::error_code failed;
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  const json::value value = json::parse(text, failed, {}, options);
  std::optional<Heartbeat> beat;
  if (!failed && value.is_object()) beat = beat_of(value.get_object());
  if (beat) return *std::move(beat);
  return make_error(Errc::corrupt,
                    "this is not what an agent says of a heartbeat: " + escape_line(text, 200));
}

}  // namespace firebreak::probes
