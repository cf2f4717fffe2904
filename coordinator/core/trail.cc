// Points per bucket, and where the state keeps them.
#include "coordinator/core/trail.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "common/limits.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

void Trail::configure(Duration span) {
  if (span == span_) return;
  span_ = std::max(span, Duration{0});
  const auto buckets = static_cast<Duration::rep>(limits::kWindowBuckets);
  width_ = std::max(Duration{std::chrono::seconds(1)}, (span_ + Duration{buckets - 1}) / buckets);
  drop_old();
  if (newest_ && (points_.empty() || number_of(points_.back().at) != number_of(newest_->at)))
    points_.push_back(*newest_);
}

// Open below and closed above, as windows are (window.cc).
std::int64_t Trail::number_of(Instant at) const {
  return (at.time_since_epoch() - Duration{1}) / width_;
}

void Trail::drop_old() {
  if (!newest_) return;
  // Finer buckets, after a policy that asked for less: one point each is enough.
  const std::int64_t first = number_of(std::max(newest_->at - span_, Instant{}) + Duration{1});
  std::vector<Point> kept;
  bool is_thin = true;
  for (std::size_t i = 0; i < points_.size() && is_thin; ++i)
    is_thin = number_of(points_[i].at) >= first &&
              (i == 0 || number_of(points_[i].at) != number_of(points_[i - 1].at));
  if (is_thin) return;
  for (const Point& point : points_)
    if (number_of(point.at) >= first &&
        (kept.empty() || number_of(kept.back().at) != number_of(point.at)))
      kept.push_back(point);
  points_ = std::move(kept);
}

void Trail::add(Instant at, double value) {
  if (span_ == Duration{0} || !std::isfinite(value) || at <= Instant{}) return;
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
  if (!points_.empty() && number_of(points_.back().at) == number_of(at)) return;
  points_.push_back(point);
  drop_old();
}

const Trail::Point* Trail::first_within(Duration window, Instant now) const {
  if (window <= Duration{0} || now <= Instant{} || width_ == Duration{0}) return nullptr;
  const Instant after = std::max(now - std::min(window, span_), Instant{});
  const std::int64_t first = number_of(after + Duration{1});
  const auto found = std::find_if(points_.begin(), points_.end(),
                                  [&](const Point& point) { return number_of(point.at) >= first; });
  return found == points_.end() ? nullptr : &*found;
}

std::optional<Trail::Change> Trail::over(Duration window, Instant now) const {
  const Point* first = first_within(window, now);
  if (first == nullptr || newest_->at <= first->at) return std::nullopt;
  const Change change{newest_->at - first->at, newest_->value - first->value,
                      newest_->risen - first->risen};
  if (!std::isfinite(change.delta)) return std::nullopt;
  return change;
}

std::optional<Instant> Trail::next_change(Duration window, Instant now) const {
  const Point* first = first_within(window, now);
  if (first == nullptr) return std::nullopt;
  return Instant{(number_of(first->at) + 1) * width_} + std::min(window, span_);
}

std::vector<Trail::Point> Trail::points() const {
  std::vector<Point> points = points_;
  if (newest_ && (points.empty() || points.back() != *newest_)) points.push_back(*newest_);
  return points;
}

bool Trail::restore(const std::vector<Point>& points) {
  if (points.size() > limits::kWindowBuckets + 3) return false;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!std::isfinite(points[i].value) || !std::isfinite(points[i].risen)) return false;
    if (points[i].at <= Instant{} || (i > 0 && points[i].at < points[i - 1].at)) return false;
  }
  points_.clear();
  newest_.reset();
  if (points.empty() || span_ == Duration{0}) return true;
  newest_ = points.back();
  for (const Point& point : points)
    if (points_.empty() || number_of(points_.back().at) != number_of(point.at))
      points_.push_back(point);
  return true;
}

void follow(State& state, const ProbeKey& key, const ProbeInputs& inputs, const AgentName& agent,
            Instant at, double value) {
  Trail& trail = state.trails[key][agent];
  trail.configure(inputs.trail);
  trail.add(at, value);
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
    const Duration span = inputs == state.inputs->probes.end() ? Duration{0} : inputs->second.trail;
    for (auto one = probe->second.begin(); one != probe->second.end();) {
      const auto agent = state.agents.find(one->first);
      const bool is_seen =
          agent != state.agents.end() && agent->second.series.contains(probe->first);
      one->second.configure(span);
      one = is_seen && span > Duration{0} ? std::next(one) : probe->second.erase(one);
    }
    probe = probe->second.empty() ? state.trails.erase(probe) : std::next(probe);
  }
}

}  // namespace firebreak::core
