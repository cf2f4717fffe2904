// The newest proof against the silence, and what was missed while there was none.
#include "agent/sight.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak::agent {

bool Sight::answered(Instant at) {
  if (answered_at_ && at <= *answered_at_) return false;
  answered_at_ = at;
  looked_at_ = std::max(looked_at_, at);
  if (!blind_since_ || at < *blind_since_) return false;
  blind_since_.reset();
  sees_again_ = at;
  return true;
}

bool Sight::silent(Instant began, Instant now) {
  looked_at_ = std::max(looked_at_, now);
  const bool is_proof = answered_at_ && *answered_at_ < began;
  if (!is_proof || blind_since_) return false;
  blind_since_ = now;
  return true;
}

Verdict Sight::judge(const Silence& silence) const {
  if (!answered_at_) return Verdict::believe;
  if (blind_since_) return Verdict::excuse;
  // It began while nothing could be seen: nobody knows what it would have seen.
  if (sees_again_ && silence.began < *sees_again_) return Verdict::excuse;
  const Duration holds =
      silence.is_known ? Duration(limits::kSightHoldsForKnown) : Duration(limits::kSightHolds);
  if (*answered_at_ + holds >= silence.ended) return Verdict::believe;
  return Verdict::ask;
}

Instant Sight::next_look() const {
  return looked_at_ +
         (blind_since_ ? Duration(limits::kAnchorBeatBlind) : Duration(limits::kAnchorBeat));
}

}  // namespace firebreak::agent
