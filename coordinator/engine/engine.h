// The coordinator's one owner thread: takes the events that wait, lets the core decide, commits
// decision and intents in one transaction, and only then answers and lets the effects out.
//
// Group commit: a batch is what arrived while the last commit ran. An error of the store is fatal:
// nothing of that batch is answered as committed, nothing more is taken, on_fatal is called once
// and the process must exit; the next one recovers from the journal.
//
// But for one: a full disk. Then the batch is held and written as soon as there is room; until then
// nothing is taken or acknowledged, whoever wants something is told unavailable, and reading goes
// on, with View::unstored set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "coordinator/core/event.h"
#include "coordinator/core/state.h"
#include "coordinator/engine/sinks.h"
#include "coordinator/store/store.h"

namespace firebreak::engine {

// What a callback on the owner thread sees, valid during the call only. Everything in `state` is
// committed, unless `unstored` says why the newest batch is not.
struct View {
  const core::State& state;
  Instant now;
  store::Store& store;  // for reading (find_incident, past_incidents); it holds up everything else
  const Error* unstored = nullptr;
};

// What start() found.
struct Recovered {
  std::uint64_t epoch = 0;
  std::uint64_t snapshot = 0;  // the journal's position where it began; 0: at its first entry
  std::uint64_t entries = 0;   // of the journal, replayed after that
  std::string policy_digest;   // of the policy in force; empty: none yet
  // Of the policy that `kPolicyDirectory` gave last; empty: it never did.
  std::string directory_digest;
};
// PolicyChanged::by of a policy that was read from the coordinator's own directory.
inline constexpr const char* kPolicyDirectory = "directory";

// submit, ask, inspect and now may be called from any thread after start(). Callbacks run on the
// owner thread: they return at once, never throw, and may call submit, ask and inspect.
class Engine {
 public:
  using Committed = std::function<void(const View&)>;
  // `view` is null when the result is an error.
  using Answer = std::function<void(const Result<>& result, const View* view)>;
  using Reader = std::function<void(const View&)>;

  // `clock` outlives the engine. `on_fatal` runs on the owner thread, at most once.
  Engine(const Clock& clock, std::function<void(const Error&)> on_fatal);
  ~Engine();  // stop()
  // Before start(): who is told, once each on the owner thread, that the disk is full, and (null)
  // that there is room again.
  void on_full(std::function<void(const Error*)> told);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes the leadership, replays the journal, journals that it started (all on the caller's
  // thread), then starts the owner thread, which first lets the committed effects out again that
  // have no end yet.
  Result<Recovered> start(std::unique_ptr<store::Store> store, Sinks sinks);
  // Commits and answers what was submitted before the call, lets the store write a snapshot, then
  // ends the owner thread. On a full disk what is not committed is given up: nobody was told that
  // it was.
  void stop();

  // For what has happened: it is journaled as it is. `committed` may be empty; it is not called
  // when the engine stops or fails before the commit. False: the queue has reached its bound
  // (limits::kIngestQueueEventsMax); this event is taken all the same, but its source must submit
  // nothing more until it is committed.
  bool submit(core::Event event, Committed committed = {});
  // For what somebody wants: refused when core::admissible() says so, or when too much waits
  // (resource_exhausted). `answer` is called exactly once, after the commit; when the engine stops
  // or fails first, with unavailable: it may or may not have happened.
  void ask(core::Event event, Answer answer);
  // A short read on the owner thread, between two batches. False: it will never be called, the
  // engine has stopped.
  bool inspect(Reader reader);

  // The coordinator's time line: goes on where the journal ended.
  [[nodiscard]] Instant now() const;
  // Events that wait, for showing.
  [[nodiscard]] std::size_t waiting() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace firebreak::engine
