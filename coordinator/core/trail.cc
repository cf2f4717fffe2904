// Points per bucket, and where the state keeps them.
#include "coordinator/core/trail.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "coordinator/core/inputs.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

namespace {

// Which is outside: what is at this instant belongs to the bucket before.
Instant begin_of_bucket(const Grain& grain, Instant at) {
  return Instant{bucket_number(at, grain.width) * grain.width};
}

}  // namespace

void Trail::configure(const std::set<Duration>& lengths) {
  grains_ = grains_of(lengths);
  if (grains_.empty()) {
    points_.clear();
    newest_.reset();
  }
  if (!newest_) return;
  drop_old();
  if (begins_bucket(*newest_)) points_.push_back(*newest_);
}

// Of any ring, after what is kept.
bool Trail::begins_bucket(const Point& point) const {
  return points_.empty() || std::any_of(grains_.begin(), grains_.end(), [&](const Grain& grain) {
           return points_.back().at <= begin_of_bucket(grain, point.at);
         });
}

// Keeps the first point of each bucket that a window of its ring may still reach.
void Trail::drop_old() {
  auto kept = points_.begin();
  for (const Point& point : points_) {
    const bool is_kept = std::any_of(grains_.begin(), grains_.end(), [&](const Grain& grain) {
      const Instant begin = begin_of_bucket(grain, point.at);
      return begin + grain.width > newest_->at - grain.span &&
             (kept == points_.begin() || std::prev(kept)->at <= begin);
    });
    if (is_kept) *kept++ = point;
  }
  points_.erase(kept, points_.end());
}

void Trail::add(Instant at, double value) {
  if (grains_.empty() || !std::isfinite(value) || at <= Instant{}) return;
  Point point{at, value, 0};
  if (newest_) {
    const double rise = value >= newest_->value ? value - newest_->value : std::max(value, 0.0);
    point.risen = newest_->risen + rise;
    // Beyond what a double can hold: a trail begins anew.
    if (!std::isfinite(point.risen)) {
      point.risen = 0;
      points_.clear();
    }
  }
  newest_ = point;
  if (!begins_bucket(point)) return;
  points_.push_back(point);
  drop_old();
}

const Trail::Point* Trail::first_within(const Grain& grain, Duration window, Instant now) const {
  if (window <= Duration{0} || now <= Instant{}) return nullptr;
  const Instant begin{first_bucket(grain, window, now) * grain.width};
  const auto found = std::find_if(points_.begin(), points_.end(),
                                  [&](const Point& point) { return point.at > begin; });
  return found == points_.end() ? nullptr : &*found;
}

std::optional<Trail::Change> Trail::over(Duration window, Instant now) const {
  if (grains_.empty()) return std::nullopt;
  const Point* first = first_within(serving(grains_, window), window, now);
  if (first == nullptr || newest_->at <= first->at) return std::nullopt;
  const Change change{newest_->at - first->at, newest_->value - first->value,
                      newest_->risen - first->risen};
  if (!std::isfinite(change.delta)) return std::nullopt;
  return change;
}

std::optional<Instant> Trail::next_change(Duration window, Instant now) const {
  if (grains_.empty()) return std::nullopt;
  const Grain& grain = serving(grains_, window);
  const Point* first = first_within(grain, window, now);
  if (first == nullptr) return std::nullopt;
  return begin_of_bucket(grain, first->at) + grain.width + std::min(window, grain.span);
}

std::vector<Trail::Point> Trail::points() const {
  std::vector<Point> points = points_;
  if (newest_ && (points.empty() || points.back() != *newest_)) points.push_back(*newest_);
  return points;
}

bool Trail::restore(const std::vector<Point>& points) {
  std::size_t most = 2;  // the newest one, and one that was within reach when its bucket began
  for (const Grain& grain : grains_) most += bucket_count(grain);
  if (points.size() > most) return false;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!std::isfinite(points[i].value) || !std::isfinite(points[i].risen)) return false;
    if (points[i].at <= Instant{} || (i > 0 && points[i].at < points[i - 1].at)) return false;
  }
  points_.clear();
  newest_.reset();
  if (points.empty()) return true;
  newest_ = points.back();
  for (const Point& point : points)
    if (begins_bucket(point)) points_.push_back(point);
  return true;
}

void follow(State& state, const ProbeKey& key, const ProbeInputs& inputs, const AgentName& agent,
            Instant at, double value) {
  const auto [trail, is_new] = state.trails[key].try_emplace(agent);
  if (is_new) trail->second.configure(inputs.trails);
  trail->second.add(at, value);
}

std::optional<Instant> next_change(const State& state, const ProbeKey& key, Duration window,
                                   Instant now) {
  std::optional<Instant> next;
  const auto trails = state.trails.find(key);
  if (trails == state.trails.end()) return next;
  for (const auto& [agent, trail] : trails->second) at_first(next, trail.next_change(window, now));
  return next;
}

void forget_trail(State& state, const ProbeKey& key, const AgentName& agent) {
  const auto trails = state.trails.find(key);
  if (trails == state.trails.end()) return;
  trails->second.erase(agent);
  if (trails->second.empty()) state.trails.erase(trails);
}

void carry_trails(State& state) {
  for (auto probe = state.trails.begin(); probe != state.trails.end();) {
    const auto inputs = state.inputs->probes.find(probe->first);
    const std::set<Duration> lengths =
        inputs == state.inputs->probes.end() ? std::set<Duration>{} : inputs->second.trails;
    for (auto one = probe->second.begin(); one != probe->second.end();) {
      const auto agent = state.agents.find(one->first);
      const bool is_seen =
          agent != state.agents.end() && agent->second.series.contains(probe->first);
      one->second.configure(lengths);
      one = is_seen && !lengths.empty() ? std::next(one) : probe->second.erase(one);
    }
    probe = probe->second.empty() ? state.trails.erase(probe) : std::next(probe);
  }
}

}  // namespace firebreak::core
