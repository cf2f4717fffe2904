// Notes as the core goes, and two stories side by side at the end.
#include "coordinator/rehearsal/story.h"

#include <algorithm>
#include <utility>

namespace firebreak::rehearsal {
namespace {

using Entries = IncidentStory::Entries;

void add(IncidentStory& story, Entries& to, Instant at, std::string what) {
  if (to.size() < kBacktestEntriesMax)
    to.emplace_back(at, std::move(what));
  else
    ++story.left_out;
}

std::string action_text(const core::State& state, const IncidentId& id, const ActionId& action) {
  const auto incident = state.incidents.find(id);
  if (incident == state.incidents.end()) return {};
  for (const core::ActionRun& run : incident->second.actions)
    if (run.id == action) return run.name.str() + " on " + run.target;
  return {};
}

std::string time_of(const std::optional<Instant>& at) {
  return at ? format_utc(*at) : "not yet";
}

void compare_times(const std::string& what, const std::optional<Instant>& recorded,
                   const std::optional<Instant>& replayed, std::vector<std::string>& out) {
  if (recorded != replayed)
    out.push_back(what + " " + time_of(replayed) + " instead of " + time_of(recorded));
}

// Each entry that only one of them has.
void compare_entries(const std::string& what, const Entries& recorded, const Entries& replayed,
                     std::vector<std::string>& out) {
  Entries mine = replayed;
  for (const auto& entry : recorded) {
    const auto same = std::find(mine.begin(), mine.end(), entry);
    if (same != mine.end())
      mine.erase(same);
    else
      out.push_back("no " + what + " " + entry.second + " at " + format_utc(entry.first));
  }
  for (const auto& entry : mine)
    out.push_back(what + " " + entry.second + " at " + format_utc(entry.first));
}

std::vector<std::string> differences_of(const IncidentStory& recorded,
                                        const IncidentStory& replayed) {
  std::vector<std::string> out;
  compare_times("opened", recorded.opened, replayed.opened, out);
  compare_times("resolved", recorded.resolved, replayed.resolved, out);
  if (recorded.peak != replayed.peak)
    out.push_back("peak " + replayed.peak + " instead of " + recorded.peak);
  compare_entries("severity", recorded.severities, replayed.severities, out);
  compare_entries("page", recorded.pages, replayed.pages, out);
  compare_entries("action", recorded.actions, replayed.actions, out);
  if (recorded.left_out != replayed.left_out)
    out.push_back(std::to_string(replayed.left_out) + " further entries instead of " +
                  std::to_string(recorded.left_out));
  return out;
}

using ByService = std::map<ServiceName, std::vector<const IncidentStory*>>;

ByService by_service(const Storyteller& teller) {
  ByService out;
  for (const auto& [id, story] : teller.stories()) out[story.service].push_back(&story);
  for (auto& [service, stories] : out)
    std::sort(stories.begin(), stories.end(), [](const auto* a, const auto* b) {
      return std::pair(a->opened, a->id) < std::pair(b->opened, b->id);
    });
  return out;
}

Instant end_of(const IncidentStory& story) {
  return story.resolved.value_or(Instant::max());
}
bool overlap(const IncidentStory& a, const IncidentStory& b) {
  return a.opened <= end_of(b) && b.opened <= end_of(a);
}

void pair_up(const std::vector<const IncidentStory*>& recorded,
             const std::vector<const IncidentStory*>& replayed, std::vector<StoryPair>& out) {
  std::size_t i = 0, j = 0;
  while (i < recorded.size() || j < replayed.size()) {
    StoryPair pair;
    const bool both = i < recorded.size() && j < replayed.size();
    if (both && overlap(*recorded[i], *replayed[j])) {
      pair.recorded = *recorded[i++];
      pair.replayed = *replayed[j++];
      pair.differences = differences_of(*pair.recorded, *pair.replayed);
    } else if (j == replayed.size() || (both && recorded[i]->opened < replayed[j]->opened)) {
      pair.recorded = *recorded[i++];
      pair.differences = {"no incident"};
    } else {
      pair.replayed = *replayed[j++];
      pair.differences = {"a further incident"};
    }
    out.push_back(std::move(pair));
  }
}

}  // namespace

void Storyteller::begin(const core::State& state) {
  begun_ = true;
  for (const auto& [id, incident] : state.incidents)
    if (!incident.resolved) look(incident, incident.opened);
}

void Storyteller::look(const core::Incident& incident, Instant at) {
  IncidentStory& story = stories_[incident.id];
  story.id = incident.id;
  story.service = incident.service;
  story.opened = incident.opened;
  story.resolved = incident.resolved;
  story.peak = incident.peak_severity;
  story.declared = incident.declared;
  if (story.severities.empty() || story.severities.back().second != incident.severity_name)
    add(story, story.severities, at, incident.severity_name);
}

void Storyteller::note(const core::State& state, const std::vector<core::Effect>& effects,
                       Instant at) {
  if (!begun_) return;
  for (const IncidentId& id : state.changed) {
    const auto incident = state.incidents.find(id);
    // One that was over before the beginning may still get a late outcome.
    if (incident == state.incidents.end() ||
        (incident->second.resolved && *incident->second.resolved < at && !stories_.contains(id)))
      continue;
    look(incident->second, at);
  }
  for (const core::Effect& effect : effects) {
    if (const auto* sent = std::get_if<core::SendNotification>(&effect)) {
      const auto story = stories_.find(sent->incident);
      if (story != stories_.end())
        add(story->second, story->second.pages, at,
            std::string(core::to_string(sent->kind)) + " " + sent->severity + " to " +
                sent->receiver.str());
      continue;
    }
    const auto* order = std::get_if<core::OrderHostAction>(&effect);
    const auto* http = std::get_if<core::RunHttpAction>(&effect);
    if (order == nullptr && http == nullptr) continue;
    const IncidentId& id = order != nullptr ? order->incident : http->incident;
    const auto story = stories_.find(id);
    if (story != stories_.end())
      add(story->second, story->second.actions, at,
          action_text(state, id, order != nullptr ? order->action : http->action));
  }
}

std::vector<StoryPair> compare(const Storyteller& recorded, const Storyteller& replayed) {
  const ByService theirs = by_service(recorded);
  const ByService mine = by_service(replayed);
  std::vector<StoryPair> out;
  for (const auto& [service, stories] : theirs) {
    const auto same = mine.find(service);
    pair_up(stories, same == mine.end() ? std::vector<const IncidentStory*>{} : same->second, out);
  }
  for (const auto& [service, stories] : mine)
    if (!theirs.contains(service)) pair_up({}, stories, out);
  return out;
}

bool BacktestResult::same() const {
  return std::all_of(incidents.begin(), incidents.end(),
                     [](const StoryPair& pair) { return pair.differences.empty(); });
}

}  // namespace firebreak::rehearsal
