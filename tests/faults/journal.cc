// Says in JSON what a coordinator's store holds: how far each agent's results reach and whether
// they are what was sent, and what became of each action. Run it on a copy: opening a store
// recovers it. Exits 3, with the message, when the store is refused.
#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include <boost/crc.hpp>
#include <boost/json.hpp>

#include "coordinator/policy/loader.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/store.h"
#include "tests/faults/content.h"

namespace firebreak::faults {
namespace {

namespace json = boost::json;

constexpr std::size_t kIncidentsMax = 1000;

struct Life {
  std::uint64_t last = 0;
  std::uint64_t missing = 0;    // neither here nor reported as dropped
  std::uint64_t conflicts = 0;  // one number, two results
  std::uint64_t wrong = 0;      // not what a recorder sends under this number
  std::map<std::uint64_t, std::pair<Status, Duration>> seen;
};

class Summary {
 public:
  void take(const store::JournalEntry& entry) {
    ++entries_;
    mix(std::to_string(entry.position) + "@" + format_utc(entry.at));
    mix(store::encode_batch({entry}));
    if (const auto* results = std::get_if<core::ResultsReceived>(&entry.event)) take(*results);
    if (const auto* started = std::get_if<core::Started>(&entry.event)) epoch_ = started->epoch;
    if (const auto* report = std::get_if<core::ActionReported>(&entry.event))
      actions_[report->action.str()].emplace_back(to_string(report->state));
  }

  void take(const store::OutboxEntry& waiting) {
    mix(std::to_string(waiting.id));
    mix(store::encode_effect(waiting.effect));
  }
  void take(const core::Incident& incident) { mix(store::encode_incident(incident)); }
  void take_epoch(std::uint64_t epoch) { mix(std::to_string(epoch)); }

  void print() const {
    json::object agents;
    for (const auto& [who, life] : lives_) {
      json::value& agent = agents[who.first];
      if (!agent.is_object()) agent.emplace_object();
      agent.as_object()[std::to_string(who.second)] = {{"last", life.last},
                                                       {"missing", life.missing},
                                                       {"conflicts", life.conflicts},
                                                       {"wrong", life.wrong}};
    }
    json::object actions;
    for (const auto& [id, states] : actions_)
      actions[id] = json::array(states.begin(), states.end());
    const json::object all{{"entries", entries_},
                           {"epoch", epoch_},
                           {"digest", crc_.checksum()},
                           {"agents", agents},
                           {"actions", actions}};
    std::printf("%s\n", json::serialize(all).c_str());
  }

 private:
  void mix(std::string_view bytes) { crc_.process_bytes(bytes.data(), bytes.size()); }

  void take(const core::ResultsReceived& event) {
    Life& life = lives_[{event.agent.str(), event.incarnation}];
    const bool is_recorder = event.agent.str().rfind("rec", 0) == 0;
    if (event.first_seq > life.last + 1 + event.dropped_before)
      life.missing += event.first_seq - life.last - 1 - event.dropped_before;
    std::uint64_t seq = event.first_seq;
    for (const core::ResultRow& row : event.rows) {
      const std::pair content{row.observation.status, row.observation.latency};
      const auto [first, is_new] = life.seen.emplace(seq, content);
      if (!is_new && first->second != content) ++life.conflicts;
      if (is_recorder && row.observation.latency != latency_of(seq)) ++life.wrong;
      life.last = std::max(life.last, seq++);
    }
  }

  std::uint64_t entries_ = 0;
  std::uint64_t epoch_ = 0;
  boost::crc_32_type crc_;  // over everything that was read
  std::map<std::pair<std::string, std::uint64_t>, Life> lives_;
  std::map<std::string, std::vector<std::string>> actions_;
};

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::failed_precondition, loaded.problems);
  return std::move(loaded.policy);
}

Result<> summarize(const std::string& file) {
  auto store = store::open_sqlite(file, compile);
  if (!store) return store.error();
  Summary summary;
  const auto read = (*store)->replay(0, [&](const store::JournalEntry& entry) -> Result<> {
    summary.take(entry);
    return {};
  });
  if (!read) return read.error();
  const auto outbox = (*store)->outbox();
  if (!outbox) return outbox.error();
  for (const store::OutboxEntry& waiting : *outbox) summary.take(waiting);
  const auto past = (*store)->past_incidents(kIncidentsMax);
  if (!past) return past.error();
  for (const core::Incident& incident : *past) summary.take(incident);
  const auto epoch = (*store)->take_leadership();
  if (!epoch) return epoch.error();
  summary.take_epoch(*epoch);
  summary.print();
  return {};
}

}  // namespace
}  // namespace firebreak::faults

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: journal DATABASE\n");
    return 2;
  }
  const auto done = firebreak::faults::summarize(argv[1]);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return 3;
}
