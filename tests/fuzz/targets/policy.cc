// Policy files, whole: what loads is in force at once and decides; what does not says why.
//
// Parts: each is one file, its kind the first letter of its name.
#include "coordinator/policy/policy.h"

#include "common/limits.h"
#include "coordinator/core/step.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/journal_codec.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kFilesMax = 8;

// Attaches an agent that every common selector chooses, lets it fail, and lets time pass.
void decide(const std::shared_ptr<const policy::Policy>& policy) {
  core::State state;
  Instant now = instant_from_unix_us(1'795'230'000'000'000);
  const auto step = [&](const core::Event& event) {
    for (const core::Effect& effect : core::step(state, event, now))
      if (store::is_durable(effect))
        expect(store::decode_effect(store::encode_effect(effect)).has_value(),
               "a durable effect can be read");
  };
  step(core::Started{1});
  step(core::PolicyChanged{policy, "directory"});
  core::AgentAttached attached;
  attached.agent = AgentName("edge-1");
  attached.incarnation = 1;
  attached.labels = {{"role", "edge"}};
  step(attached);
  const auto probes = core::assignment_for(state, attached.agent);
  for (std::uint64_t round = 0; round < 4 && !probes.empty(); ++round) {
    core::ResultsReceived results;
    results.agent = attached.agent;
    results.incarnation = 1;
    results.first_seq = round * probes.size() + 1;
    for (std::uint32_t ref = 0; ref < probes.size(); ++ref) {
      if (round == 0) results.series.push_back({ref, probes[ref].first});
      Observation seen;
      seen.status = round < 2 ? Status::critical : Status::ok;
      seen.values = {{"length", 7.0}};
      results.rows.push_back({ref, now, true, std::move(seen)});
    }
    step(results);
    for (int tick = 0; tick < 20; ++tick) {
      const auto wake = core::next_wake(state);
      if (!wake) break;
      now = std::max(now, *wake);
      step(core::Tick{});
    }
  }
}

}  // namespace

void run(std::string_view input) {
  std::vector<policy::SourceFile> files;
  for (const Part& part : split(input)) {
    if (files.size() == kFilesMax) break;
    files.push_back({"file-" + std::to_string(files.size()) + ".yaml", std::string(part.bytes)});
  }
  const policy::Loaded loaded = policy::load_policy(files);
  expect_safe(loaded.problems, true, "what is said of a policy");
  expect((loaded.policy != nullptr) == (loaded.errors == 0), "a policy has no errors, or is none");
  if (!loaded.policy) return expect(!loaded.problems.empty(), "an error says why");
  const policy::Loaded again = policy::load_policy(loaded.policy->files);
  expect(again.policy && again.policy->digest == loaded.policy->digest,
         "a policy's own files are that policy");
  decide(loaded.policy);
}

}  // namespace firebreak::fuzz
