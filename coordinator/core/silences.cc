// Reading matchers, holding them against incidents, and their beginning and end.
#include "coordinator/core/silences.h"

#include <algorithm>
#include <array>
#include <utility>

#include <re2/re2.h>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

struct Pattern {
  explicit Pattern(const std::string& text, const re2::RE2::Options& options)
      : expression(text, options) {}
  re2::RE2 expression;
};

namespace {

using Attribute = Matcher::Attribute;

constexpr std::array<std::pair<std::string_view, Attribute>, 3> kAttributes{
    {{"service", Attribute::service},
     {"incident", Attribute::incident},
     {"severity", Attribute::severity}}};

std::shared_ptr<const Pattern> compile(const std::string& text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(static_cast<std::int64_t>(limits::kMatcherPatternBytesMax));
  return std::make_shared<const Pattern>(text, options);
}

Error wrong(std::string_view text, const std::string& why) {
  return make_error(Errc::invalid_argument,
                    "'" + escape_line(std::string(text), 80) + "': " + why +
                        "; write it as in service=web, severity!=P3 or service=~web-.*");
}

const std::string& value_of(const Incident& incident, Attribute attribute) {
  switch (attribute) {
    case Attribute::service:
      return incident.service.str();
    case Attribute::incident:
      return incident.id.str();
    case Attribute::severity:
      break;
  }
  return incident.severity_name;
}

bool matches(const Matcher& matcher, const Incident& incident) {
  const std::string& value = value_of(incident, matcher.attribute);
  const bool same = matcher.pattern ? re2::RE2::FullMatch(value, matcher.pattern->expression)
                                    : value == matcher.value;
  return same != matcher.negated;
}

Result<> has_reason(const char* what, const std::string& reason) {
  if (reason.empty())
    return make_error(Errc::invalid_argument, std::string("say why: ") + what + " needs a reason");
  if (reason.size() <= limits::kTextBytesMax) return {};
  return make_error(Errc::invalid_argument,
                    "the reason has " + std::to_string(reason.size()) + " bytes; at most " +
                        std::to_string(limits::kTextBytesMax) + " are kept");
}

std::size_t in_force(const State& state) {
  const auto& silences = state.quieting.silences;
  return static_cast<std::size_t>(
      std::count_if(silences.begin(), silences.end(),
                    [&](const auto& one) { return one.second.ends > state.now; }));
}

// Open incidents that it matches.
template <class Say>
void each_match(State& state, const Silence& silence, const Say& say) {
  for (auto& [id, incident] : state.incidents)
    if (!incident.resolved && matches(silence, incident)) say(incident);
}

void end(Turn& turn, Silence& silence) {
  silence.is_over = true;
  const bool early = !silence.ended_by.empty();
  each_match(turn.state, silence, [&](Incident& incident) {
    add_entry(
        turn, incident, "silence", early ? "operator:" + silence.ended_by : kEngine,
        early ? "ended silence " + silence.id.str() : "silence " + silence.id.str() + " is over");
    turn.attend.insert(incident.id);
  });
}

}  // namespace

Result<Matcher> parse_matcher(std::string_view text) {
  if (text.size() > limits::kMatcherBytesMax)
    return wrong(text, "more than " + std::to_string(limits::kMatcherBytesMax) + " bytes");
  const std::size_t at = text.find_first_of("=!");
  const bool negated = at != std::string_view::npos && text[at] == '!';
  const std::string_view rest = at == std::string_view::npos ? "" : text.substr(at + 1);
  const bool is_pattern = rest.starts_with('~');
  if (at == std::string_view::npos || (negated && !rest.starts_with('=') && !is_pattern))
    return wrong(text, "there is no =, !=, =~ or !~ in it");
  const std::string_view name = text.substr(0, at);
  const auto known = std::find_if(kAttributes.begin(), kAttributes.end(),
                                  [&](const auto& one) { return one.first == name; });
  if (known == kAttributes.end())
    return wrong(text, "an incident has a service, an incident (its id) and a severity, and no '" +
                           escape_line(std::string(name), 40) + "'");
  Matcher matcher;
  matcher.text = text;
  matcher.attribute = known->second;
  matcher.negated = negated;
  matcher.value = rest.substr(negated || is_pattern ? 1 : 0);
  if (matcher.value.empty()) return wrong(text, "there is no value in it");
  if (!is_pattern) return matcher;
  matcher.pattern = compile(matcher.value);
  if (!matcher.pattern->expression.ok())
    return wrong(text, "this is not a regular expression (RE2): " +
                           escape_line(matcher.pattern->expression.error(), 200));
  return matcher;
}

bool matches(const Silence& silence, const Incident& incident) {
  return std::all_of(silence.matchers.begin(), silence.matchers.end(),
                     [&](const Matcher& matcher) { return matches(matcher, incident); });
}

std::vector<const Silence*> silences_of(const State& state, const Incident& incident) {
  std::vector<const Silence*> found;
  for (const auto& [id, silence] : state.quieting.silences)
    if (!silence.is_over && matches(silence, incident)) found.push_back(&silence);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto* a, const auto* b) { return a->ends > b->ends; });
  return found;
}

std::string describe(const Silence& silence) {
  return silence.id.str() + " (" + silence.author + ": " + silence.reason + ") until " +
         format_utc(silence.ends) + " UTC";
}

const Silence* find_silence(const State& state, const std::string& request_id) {
  if (request_id.empty()) return nullptr;
  for (const auto& [id, silence] : state.quieting.silences)
    if (silence.request_id == request_id) return &silence;
  return nullptr;
}

Result<> may_add_silence(const State& state, const AddSilence& wish) {
  if (find_silence(state, wish.request_id) != nullptr) return {};
  if (wish.matchers.empty() || wish.matchers.size() > limits::kSilenceMatchersMax)
    return make_error(Errc::invalid_argument,
                      "a silence has 1 to " + std::to_string(limits::kSilenceMatchersMax) +
                          " matchers, such as service=web; one for everything is service=~.*");
  for (const std::string& text : wish.matchers)
    if (const auto matcher = parse_matcher(text); !matcher) return matcher.error();
  if (const auto fine = has_reason("a silence", wish.reason); !fine) return fine.error();
  if (wish.lasts < limits::kSilenceTimeMin || wish.lasts > limits::kSilenceTimeMax)
    return make_error(Errc::invalid_argument,
                      "a silence lasts " + format_duration(limits::kSilenceTimeMin) + " to " +
                          format_duration(limits::kSilenceTimeMax) + ", not " +
                          format_duration(wish.lasts));
  if (in_force(state) < limits::kSilencesMax) return {};
  return make_error(Errc::resource_exhausted, std::to_string(limits::kSilencesMax) +
                                                  " silences are in force; expire some of them "
                                                  "first (`firebreak silence list`)");
}

Result<> may_expire_silence(const State& state, const ExpireSilence& wish) {
  const auto found = state.quieting.silences.find(wish.silence);
  if (found == state.quieting.silences.end())
    return make_error(Errc::not_found, "there is no silence \"" + wish.silence.str() +
                                           "\"; `firebreak silence list` lists them");
  if (found->second.ends > state.now) return {};
  return make_error(Errc::failed_precondition, "silence " + wish.silence.str() + " was over at " +
                                                   format_utc(found->second.ends) + " UTC");
}

void add_silence(Turn& turn, const AddSilence& wish, const std::string& by) {
  if (find_silence(turn.state, wish.request_id) != nullptr) return;
  const SilenceId id(turn.next_id("sil"));
  Silence& silence = turn.state.quieting.silences[id];
  silence.id = id;
  for (const std::string& text : wish.matchers)
    if (auto matcher = parse_matcher(text)) silence.matchers.push_back(*std::move(matcher));
  silence.author = by;
  silence.reason = wish.reason;
  silence.request_id = wish.request_id;
  silence.begins = turn.now;
  silence.ends = turn.now + wish.lasts;
  each_match(turn.state, silence, [&](Incident& incident) {
    add_entry(turn, incident, "silence", "operator:" + by,
              "silenced until " + format_utc(silence.ends) + " UTC by " + id.str() + ": " +
                  silence.reason);
  });
  follow_quieting(turn);
}

void expire_silence(Turn& turn, const ExpireSilence& wish, const std::string& by) {
  Silence& silence = turn.state.quieting.silences.at(wish.silence);
  silence.ends = turn.now;
  silence.ended_by = by;
  follow_quieting(turn);
}

void end_silences(Turn& turn) {
  for (auto& [id, silence] : turn.state.quieting.silences)
    if (!silence.is_over && silence.ends <= turn.now) end(turn, silence);
}

}  // namespace firebreak::core
