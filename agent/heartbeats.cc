// One line of JSON for the time of saving, and one for each name.
#include "agent/heartbeats.h"

#include <algorithm>
#include <utility>

#include <boost/json.hpp>

#include "common/ids.h"
#include "common/limits.h"

namespace firebreak::agent {
namespace {

namespace json = boost::json;

constexpr std::int64_t kVersion = 1;

Error not_ours() {
  return make_error(Errc::corrupt, "it does not hold what this agent writes");
}

json::object parse_line(std::string_view line) {
  json::error_code failed;
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  json::value value = json::parse(line, failed, {}, options);
  return !failed && value.is_object() ? std::move(value.get_object()) : json::object();
}

const std::int64_t* number_at(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found == nullptr ? nullptr : found->if_int64();
}

const json::string* text_at(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found == nullptr ? nullptr : found->if_string();
}

std::optional<HostTime> time_of(std::string_view line) {
  const json::object object = parse_line(line);
  const auto* version = number_at(object, "version");
  const auto* boot_id = text_at(object, "boot_id");
  const auto* since_boot = number_at(object, "since_boot_us");
  const auto* wall = number_at(object, "wall_us");
  if (version == nullptr || *version != kVersion || boot_id == nullptr || since_boot == nullptr ||
      wall == nullptr)
    return std::nullopt;
  return HostTime{std::string(*boot_id), Duration{*since_boot}, WallTime{Duration{*wall}}};
}

bool is_same_boot(const HostTime& one, const HostTime& other) {
  return !one.boot_id.empty() && one.boot_id == other.boot_id;
}

// From a save in an earlier life until now.
Duration gap_between(const HostTime& saved, const HostTime& now) {
  Duration gap =
      is_same_boot(saved, now) ? now.since_boot - saved.since_boot : now.wall - saved.wall;
  // At the least, the time since this boot; without an id nobody knows whether it is another one.
  if (!is_same_boot(saved, now) && !saved.boot_id.empty() && !now.boot_id.empty())
    gap = std::max(gap, now.since_boot);
  return std::max(gap, Duration{});
}

// "name" and "expected" beside what probes::to_json() writes.
std::string line_of(const std::string& name, bool is_expected, const probes::Heartbeat& beat) {
  std::string line = R"({"name":")" + name + R"(","expected":)";
  line.append(is_expected ? "true" : "false").append(R"(,"beat":)");
  return line.append(probes::to_json(beat)).append("}\n");
}

}  // namespace

Result<Heartbeats> Heartbeats::load(std::string_view text, const HostTime& now) {
  Heartbeats beats;
  for (bool is_first = true; !text.empty() || is_first; is_first = false) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return not_ours();
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (is_first) {
      const auto saved = time_of(line);
      if (!saved) return not_ours();
      beats.saved_ = *saved;
      continue;
    }
    const json::object object = parse_line(line);
    const auto* name = text_at(object, "name");
    const auto* expected = object.if_contains("expected");
    const auto* beat = object.if_contains("beat");
    if (name == nullptr || !is_valid_name(*name) || expected == nullptr || !expected->is_bool() ||
        beat == nullptr)
      return not_ours();
    auto read = probes::heartbeat_from_json(json::serialize(*beat));
    if (!read) return not_ours();
    beats.kept_[std::string(*name)] = {*std::move(read), std::nullopt, expected->get_bool()};
  }
  for (auto& [name, kept] : beats.kept_) {
    kept.beat.deaf += gap_between(beats.saved_, now);
    kept.beat.by_wall_clock = kept.beat.by_wall_clock || !is_same_boot(beats.saved_, now);
  }
  return beats;
}

std::string Heartbeats::save(const HostTime& now) const {
  json::object head;
  head["version"] = kVersion;
  head["boot_id"] = now.boot_id;
  head["since_boot_us"] = now.since_boot.count();
  head["wall_us"] = now.wall.time_since_epoch().count();
  std::string text = json::serialize(head) + "\n";
  for (const auto& [name, kept] : kept_)
    text += line_of(name, kept.is_expected, beat_of(kept, now));
  return text;
}

Duration Heartbeats::since(const std::optional<Duration>& at, const HostTime& now) const {
  return at ? std::max(now.since_boot - *at, Duration{}) : gap_between(saved_, now);
}

probes::Heartbeat Heartbeats::beat_of(const Kept& kept, const HostTime& now) const {
  probes::Heartbeat beat = kept.beat;
  pass(beat, since(kept.at, now));
  return beat;
}

std::size_t Heartbeats::count(bool is_expected) const {
  return static_cast<std::size_t>(std::count_if(kept_.begin(), kept_.end(), [&](const auto& each) {
    return each.second.is_expected == is_expected;
  }));
}

void Heartbeats::forget_strays(const HostTime& now) {
  std::erase_if(kept_, [&](const auto& each) {
    return !each.second.is_expected &&
           silent_for(beat_of(each.second, now)) > limits::kHeartbeatStrayFor;
  });
}

bool Heartbeats::expect(const std::set<std::string>& names, const HostTime& now) {
  bool has_changed = false;
  std::size_t strays = count(false);
  for (auto each = kept_.begin(); each != kept_.end();) {
    const bool is_wanted = names.count(each->first) != 0;
    const bool was_wanted = std::exchange(each->second.is_expected, is_wanted);
    has_changed = has_changed || is_wanted != was_wanted;
    if (was_wanted && !is_wanted) ++strays;
    const bool is_too_many = !is_wanted && strays > limits::kHeartbeatsStrayMax;
    if (is_too_many) --strays;
    each = is_too_many ? kept_.erase(each) : std::next(each);
  }
  std::size_t room = limits::kHeartbeatsMax - std::min(limits::kHeartbeatsMax, count(true));
  for (const std::string& name : names) {
    if (kept_.count(name) != 0 || room == 0) continue;
    kept_[name] = {{}, now.since_boot, true};
    --room;
    has_changed = true;
  }
  forget_strays(now);
  return has_changed;
}

Result<Heartbeats::Taken> Heartbeats::take(const std::string& name, probes::HeartbeatReport report,
                                           const HostTime& now) {
  if (kept_.count(name) == 0) {
    forget_strays(now);
    if (count(false) >= limits::kHeartbeatsStrayMax)
      return make_error(Errc::resource_exhausted, "no probe asks for '" + name + "', and " +
                                                      std::to_string(limits::kHeartbeatsStrayMax) +
                                                      " such names are remembered already");
  }
  Kept& kept = kept_.try_emplace(name, Kept{{}, now.since_boot, false}).first->second;
  kept.beat = beat_of(kept, now);
  kept.at = now.since_boot;
  probes::take(kept.beat, std::move(report));
  return kept.is_expected ? Taken::expected : Taken::stray;
}

std::optional<probes::Heartbeat> Heartbeats::find(const std::string& name,
                                                  const HostTime& now) const {
  const auto found = kept_.find(name);
  if (found == kept_.end()) return std::nullopt;
  return beat_of(found->second, now);
}

std::vector<std::string> Heartbeats::expected() const {
  std::vector<std::string> names;
  names.reserve(kept_.size());
  for (const auto& [name, kept] : kept_)
    if (kept.is_expected) names.push_back(name);
  return names;
}

}  // namespace firebreak::agent
