// A coordinator's messages, in any order, against what the agent makes of them.
//
// Parts: m a CoordinatorMessage; t time passes, with runs that end as the part's second half says.
#include <firebreak/v1/agent.pb.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "agent/inbound.h"
#include "agent/schedule.h"
#include "common/limits.h"
#include "common/text.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kPartsMax = 100;
constexpr int kTurnsMax = 200;  // of one passing of time

// What has been checked on its way in needs no mending on its way out.
void check_spec(const ProbeSpec& spec) {
  const auto again = wire::from_proto(wire::to_proto(spec));
  if (!again) broken("a spec that was taken can be sent on", again.error().message);
  expect(*again == spec, "a spec that was taken is the same when it is sent on");
  expect(spec.every >= limits::kProbeIntervalMin && spec.every <= limits::kProbeIntervalMax,
         "an interval is within its bounds");
  expect(spec.timeout > Duration{0} && spec.timeout <= limits::kProbeTimeoutMax,
         "a time-out is within its bounds");
}

class Driver {
 public:
  void hear(std::string_view bytes) {
    v1::CoordinatorMessage message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (message.has_assignment()) assign(message.assignment());
    if (message.has_probe_now()) probe(message.probe_now());
    if (message.has_action_order() && agent::check(message.action_order())) {
      expect(agent::has_usable_id(message.action_order()), "an order that is handed on has an id");
      expect_safe(message.action_order().action_id(), false, "an order's id");
    }
  }

  void pass(std::string_view text) {
    std::int64_t ms = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), ms);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    Numbers verdicts(text);
    const Instant until =
        now_ + std::chrono::milliseconds(std::clamp<std::int64_t>(ms, 0, 90'000'000));
    for (int turn = 0; turn < kTurnsMax; ++turn) {
      const auto due = schedule_.next_due();
      if (!due || *due > until) break;
      now_ = std::max(now_, *due);
      run_due(verdicts);
    }
    now_ = until;
    run_due(verdicts);
  }

 private:
  void assign(const v1::Assignment& message) {
    auto taken = agent::from_proto(message);
    if (!taken) return;
    std::set<ProbeKey> keys;
    for (const agent::AssignedProbe& probe : taken->probes) {
      expect(keys.insert(probe.key).second, "no key is assigned twice");
      expect(is_valid_name(probe.key.service.str()) && is_valid_name(probe.key.probe.str()),
             "a key is made of names");
      check_spec(probe.spec);
    }
    for (const agent::RefusedProbe& refused : taken->refused)
      expect(!refused.reason.empty(), "a refusal says why");
    schedule_.replace(std::move(taken->probes), now_);
    expect(schedule_.size() == keys.size(), "what is assigned is scheduled");
  }

  void probe(const v1::ProbeNow& message) {
    const auto taken = agent::from_proto(message);
    if (!taken) return;
    expect_safe(taken->request.str(), false, "a request's id");
    if (taken->spec) check_spec(*taken->spec);
    if (taken->key) (void)schedule_.observed(*taken->key, Status::critical, now_);
  }

  void run_due(Numbers& verdicts) {
    std::set<ProbeKey> at_once;
    for (const agent::DueRun& run : schedule_.take_due(now_)) {
      expect(at_once.insert(run.key).second, "a probe runs once at a time");
      expect(run.spec != nullptr, "a run knows what to do");
      open_.push_back(run.id);
    }
    const auto due = schedule_.next_due();
    expect(due.has_value() == (schedule_.size() > 0), "what is assigned is due some time");
    expect(!due || *due > now_, "what was due has been taken");
    while (!open_.empty() && verdicts.number(4) != 0) {
      (void)schedule_.finished(open_.back(), static_cast<Status>(verdicts.number(4)), now_);
      open_.pop_back();
    }
  }

  agent::Schedule schedule_{"edge-1"};
  Instant now_{};
  std::vector<std::uint64_t> open_;
};

}  // namespace

const google::protobuf::Message* prototype(char kind) {
  return kind == 'm' ? &v1::CoordinatorMessage::default_instance() : nullptr;
}

std::string_view kinds() {
  return "mt";
}

void run(std::string_view input) {
  Driver driver;
  for (const Part& part : split(input, kPartsMax)) {
    if (part.kind == 'm') driver.hear(part.bytes);
    if (part.kind == 't') driver.pass(part.bytes);
  }
}

}  // namespace firebreak::fuzz
