// Silences: while one is in force nobody is told of the incidents that match it. Probing, the
// incident itself, its actions and its end go on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "coordinator/core/turn.h"

namespace firebreak::core {

// "service=web", "severity!=P3", "service=~web-.*", "incident!~.*-2": a regular expression (RE2)
// must match the whole value.
[[nodiscard]] Result<Matcher> parse_matcher(std::string_view text);
[[nodiscard]] bool matches(const Silence& silence, const Incident& incident);

// Those in force that match it, the one that ends last first.
[[nodiscard]] std::vector<const Silence*> silences_of(const State& state, const Incident& incident);
// "sil-3 (anna: the disk is replaced) until 14:00:00 UTC"
[[nodiscard]] std::string describe(const Silence& silence);

[[nodiscard]] Result<> may_add_silence(const State& state, const AddSilence& wish);
[[nodiscard]] Result<> may_expire_silence(const State& state, const ExpireSilence& wish);
void add_silence(Turn& turn, const AddSilence& wish, const std::string& by);
void expire_silence(Turn& turn, const ExpireSilence& wish, const std::string& by);
// Of an earlier try of the same request; null: there was none.
[[nodiscard]] const Silence* find_silence(const State& state, const std::string& request_id);

// Says on the incidents that they matched which are over by now, and has them looked at.
void end_silences(Turn& turn);

}  // namespace firebreak::core
