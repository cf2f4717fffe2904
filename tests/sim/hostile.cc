// Forged sequence numbers, floods, rubbish, repetitions, and claims about others.
#include "tests/sim/hostile.h"

#include <firebreak/v1/agent.pb.h>

#include "proto/wire.h"
#include "tests/sim/agent.h"

namespace firebreak::sim {

using namespace std::chrono_literals;

void Mallory::start() {
  is_active_ = true;
  dial();
}

void Mallory::stop() {
  is_active_ = false;
  if (link_) world_.network.close(*std::exchange(link_, {}), Side::client);
}

void Mallory::dial() {
  if (!is_active_) return;
  Peer peer;
  peer.received = [](const std::string&) {};
  peer.ended = [this](const std::string&) {
    link_.reset();
    world_.timeline.after(world_.between(100ms, 30s, world_.nemesis), [this] {
      if (!link_) dial();
    });
  };
  link_ = world_.network.open(host_, kCoordinators[world_.nemesis.below(std::size(kCoordinators))],
                              std::move(peer));
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  if (world_.chance(50, world_.nemesis)) {
    incarnation_ = world_.nemesis.below(90) + 1;  // often one that it has used before
    seq_ = 0;
  }
  hello.set_incarnation(incarnation_);
  hello.set_protocol(world_.chance(95, world_.nemesis) ? 1 : 2);
  (*hello.mutable_labels())["host"] = "web-1";
  hello.set_wall_unix_us(static_cast<std::int64_t>(world_.nemesis.next()));
  hello.add_actions("restart-web");
  // A later epoch than anybody has: an honest coordinator lets go of it.
  hello.set_epoch_seen(world_.chance(10, world_.nemesis) ? 1'000'000 : 0);
  send(message.SerializeAsString());
  misbehave();
}

void Mallory::misbehave() {
  if (!link_ || !is_active_) return;
  const std::uint64_t count = world_.chance(5, world_.nemesis) ? 300 : 1;
  for (std::uint64_t i = 0; i < count && link_; ++i) send(something());
  world_.timeline.after(world_.between(50ms, 20s, world_.nemesis), [this, link = link_] {
    if (link == link_) misbehave();
  });
}

void Mallory::send(const std::string& bytes) {
  if (!link_) return;
  ++world_.tally.hostile_messages;
  world_.network.send(*link_, Side::client, bytes);
}

std::string Mallory::something() {
  Rng& rng = world_.nemesis;
  v1::AgentMessage message;
  switch (rng.below(8)) {
    case 0: {  // rubbish
      std::string bytes;
      for (std::uint64_t i = rng.below(200); i > 0; --i)
        bytes.push_back(static_cast<char>(rng.below(256)));
      return bytes;
    }
    case 1: {  // what it has sent before, a bit of it flipped
      std::string bytes = last_;
      if (!bytes.empty() && world_.chance(70, rng))
        bytes[rng.below(bytes.size())] ^= static_cast<char>(1 << rng.below(8));
      return bytes;
    }
    case 2: {  // the outcome of somebody else's action
      auto& outcome = *message.mutable_action_outcome();
      outcome.set_action_id("act-" + std::to_string(rng.below(400)));
      outcome.set_state(static_cast<v1::ActionState>(rng.below(9)));
      return message.SerializeAsString();
    }
    case 3: {  // the answer to somebody else's question
      message.mutable_probe_now_result()->set_request_id("req-" + std::to_string(rng.below(400)));
      Observation seen;
      seen.status = Status::ok;
      *message.mutable_probe_now_result()->mutable_observation() = wire::to_proto(seen);
      return message.SerializeAsString();
    }
    default:
      break;
  }
  wire::Batch batch;
  batch.first_seq = seq_ + 1;
  const std::uint64_t forged = rng.below(10);
  if (forged == 0) batch.first_seq = 1 + rng.below(1u << 20);
  if (forged == 1) batch.first_seq = (std::uint64_t{1} << 62) - 2;
  batch.dropped_before = forged == 2 ? rng.next() >> 3 : 0;
  batch.sent = Duration{static_cast<Duration::rep>(rng.below(1u << 30)) + 1'000'000};
  batch.series.push_back({0, {ServiceName("pit"), ProbeName("health")}});
  // Not assigned to it: another service, and one that does not exist.
  batch.series.push_back({1, {ServiceName("shop"), ProbeName("health")}});
  batch.series.push_back({2, {ServiceName("nowhere"), ProbeName("nothing")}});
  for (std::uint64_t i = 0; i <= rng.below(20); ++i) {
    wire::BatchedResult result;
    result.ref = static_cast<std::uint32_t>(rng.below(3));
    result.confirmed = world_.chance(80, rng);
    result.started = batch.sent - Duration{static_cast<Duration::rep>(rng.below(1'000'000))};
    result.observation.status = world_.chance(50, rng) ? Status::critical : Status::ok;
    result.observation.reason = Reason::refused;
    result.observation.evidence = "\x1b[31m$(reboot)";
    batch.results.push_back(std::move(result));
  }
  if (forged > 2) seq_ = batch.first_seq + batch.results.size() - 1;
  *message.mutable_results() = wire::to_proto(batch);
  last_ = message.SerializeAsString();
  return last_;
}

}  // namespace firebreak::sim
