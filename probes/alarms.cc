// One timer, armed for the earliest alarm and never re-armed for a later one before it fires.
#include "probes/alarms.h"

namespace firebreak::probes {

void Alarms::Alarm::set(TimePoint at) {
  clear();
  at_ = at;
  alarms_.set_.emplace(at_, this);
  alarms_.arm();
}

void Alarms::Alarm::clear() {
  if (at_ == TimePoint::max()) return;
  alarms_.set_.erase({at_, this});
  at_ = TimePoint::max();
  alarms_.arm();
}

void Alarms::arm() {
  if (set_.empty()) {
    if (lingers_) return;
    if (armed_for_ != TimePoint::max()) timer_.cancel();
    armed_for_ = TimePoint::max();
    return;
  }
  const TimePoint first = set_.begin()->first;
  if (first >= armed_for_) return;
  armed_for_ = first;
  timer_.expires_at(first);
  timer_.async_wait([alive = std::weak_ptr(self_)](boost::system::error_code cancelled) {
    if (cancelled) return;
    if (const auto self = alive.lock()) (*self)->ring_due();
  });
}

void Alarms::ring_due() {
  armed_for_ = TimePoint::max();
  const TimePoint now = clock_.steady();
  while (!set_.empty() && set_.begin()->first <= now) {
    Alarm& due = *set_.begin()->second;
    set_.erase(set_.begin());
    due.at_ = TimePoint::max();
    due.ring_();
  }
  arm();
}

}  // namespace firebreak::probes
