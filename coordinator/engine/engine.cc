// The owner thread: queue, batches, answers. What a batch does is the ledger's business.
#include "coordinator/engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "common/assert.h"
#include "common/limits.h"
#include "coordinator/core/step.h"
#include "coordinator/engine/dispatch.h"
#include "coordinator/engine/ledger.h"

namespace firebreak::engine {
namespace {

// Something that happened, or that somebody wants (then `answer` is set).
struct Input {
  core::Event event;
  Engine::Committed committed;
  Engine::Answer answer;
};

struct Batch {
  std::vector<Input> inputs;
  std::vector<Engine::Reader> readers;
};

// How much of the bound on results an event takes.
std::size_t weight(const core::Event& event) {
  const auto* results = std::get_if<core::ResultsReceived>(&event);
  return results == nullptr ? 0 : results->rows.size();
}

Error full(const Error& why) {
  return make_error(Errc::unavailable, "the coordinator's disk is full: " + why.message);
}

Error stopped() {
  return make_error(Errc::unavailable,
                    "the coordinator is stopping; whether this has happened is known when it "
                    "runs again");
}

}  // namespace

class Engine::Loop {
 public:
  Loop(const Clock& clock, std::function<void(const Error&)> on_fatal)
      : clock_(clock), on_fatal_(std::move(on_fatal)) {}
  ~Loop() { stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void on_full(std::function<void(const Error*)> told) { on_full_ = std::move(told); }
  Result<Recovered> start(std::unique_ptr<store::Store> store, Sinks sinks);
  void stop();
  bool submit(Input input);
  void ask(Input input);
  bool inspect(Reader reader);
  [[nodiscard]] Instant now() const { return clock_.now() + offset_; }
  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  void run(Ledger::Committed first);
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  Batch take();
  bool process(Batch batch);
  bool write(Batch batch, const std::vector<Result<>>& verdicts, Instant at);
  void hold(const Error& why, Batch& batch, const std::vector<Result<>>& verdicts);
  bool wait_for_room(Duration patience);
  void let_go();
  void add_tick_if_due(Instant at);
  void answer(std::vector<Input>& inputs, const std::vector<Result<>>& verdicts, const View& view);
  std::vector<ActionId> let_out(Ledger::Committed committed);
  void give_back(const std::vector<ActionId>& lapsed);
  void give_up(const std::vector<Input>& inputs);
  void push(Input input);
  [[nodiscard]] bool is_full() const {
    return queue_.size() >= limits::kIngestQueueEventsMax ||
           queued_results_ >= limits::kIngestQueueResultsMax;
  }

  const Clock& clock_;
  const std::function<void(const Error&)> on_fatal_;
  std::function<void(const Error*)> on_full_ = [](const Error*) {};
  // Owner thread only, once it runs.
  std::optional<Ledger> ledger_;
  Sinks sinks_;
  Instant last_tick_{};
  Duration offset_{};          // fixed before the owner thread starts
  std::optional<Error> held_;  // why the newest batch is not stored yet
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Input> queue_;
  std::size_t queued_results_ = 0;
  std::vector<Reader> readers_;
  bool is_open_ = false;          // takes events
  std::optional<Error> refusal_;  // what askers are told while the disk is full
};

Result<Recovered> Engine::Loop::start(std::unique_ptr<store::Store> store, Sinks sinks) {
  FB_ASSERT(!ledger_ && sinks.agents != nullptr && sinks.sender != nullptr &&
            sinks.watchers != nullptr);
  sinks_ = sinks;
  ledger_.emplace(std::move(store));
  auto recovery = ledger_->recover();
  if (!recovery) return recovery.error();
  offset_ = std::max(Duration::zero(), recovery->last + Duration{1} - clock_.now());
  auto begun = ledger_->begin(now());
  if (!begun) return begun.error();
  Recovered recovered{recovery->epoch,
                      recovery->snapshot,
                      recovery->entries,
                      {},
                      std::move(recovery->directory_digest)};
  if (ledger_->state().policy) recovered.policy_digest = ledger_->state().policy->digest;
  {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
  }
  thread_ = std::thread([this, first = std::move(*begun)]() mutable { run(std::move(first)); });
  return recovered;
}

void Engine::Loop::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Engine::Loop::push(Input input) {
  queued_results_ += weight(input.event);
  queue_.push_back(std::move(input));
}

bool Engine::Loop::submit(Input input) {
  bool has_room = false;
  {
    const std::lock_guard lock(mutex_);
    if (!is_open_) return false;
    push(std::move(input));
    has_room = !is_full();
  }
  wake_.notify_one();
  return has_room;
}

void Engine::Loop::ask(Input input) {
  Error refusal;
  {
    const std::lock_guard lock(mutex_);
    if (is_open_ && !is_full() && !refusal_) {
      push(std::move(input));
      wake_.notify_one();
      return;
    }
    if (!is_open_)
      refusal = stopped();
    else if (refusal_)
      refusal = *refusal_;
    else
      refusal = make_error(Errc::resource_exhausted,
                           "too much waits for the coordinator's disk; try again later");
  }
  input.answer(refusal, nullptr);
}

bool Engine::Loop::inspect(Reader reader) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_open_ || readers_.size() >= limits::kIngestQueueEventsMax) return false;
    readers_.push_back(std::move(reader));
  }
  wake_.notify_one();
  return true;
}

void Engine::Loop::run(Ledger::Committed first) {
  // What lapsed among the orders of earlier lives may have been sent by them.
  (void)let_out(std::move(first));
  for (;;) {
    Batch batch;
    {
      std::unique_lock lock(mutex_);
      wait_for_work(lock);
      if (!is_open_ && queue_.empty() && readers_.empty()) break;
      batch = take();
    }
    if (!process(std::move(batch))) return;
    ledger_->snapshot(now());
  }
  ledger_->snapshot(now(), true);
}

void Engine::Loop::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto has_work = [this] { return !is_open_ || !queue_.empty() || !readers_.empty(); };
  const auto wanted = core::next_wake(ledger_->state());
  if (!wanted) {
    wake_.wait(lock, has_work);
    return;
  }
  const Instant due = std::max(*wanted, last_tick_ + limits::kTickIntervalMin);
  const Instant at = now();
  if (due > at) wake_.wait_for(lock, due - at, has_work);
}

Batch Engine::Loop::take() {
  Batch batch;
  std::size_t results = 0;
  while (!queue_.empty() && batch.inputs.size() < limits::kCommitEventsMax &&
         results < limits::kCommitResultsMax) {
    const std::size_t rows = weight(queue_.front().event);
    results += rows;
    queued_results_ -= rows;
    batch.inputs.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  batch.readers.swap(readers_);
  return batch;
}

// False: the engine has failed.
bool Engine::Loop::process(Batch batch) {
  const Instant at = now();
  std::vector<Result<>> verdicts;
  verdicts.reserve(batch.inputs.size());
  for (Input& input : batch.inputs) {
    verdicts.push_back(input.answer ? core::admissible(ledger_->state(), input.event) : Result<>());
    if (verdicts.back()) ledger_->add(std::move(input.event), at);
  }
  add_tick_if_due(at);
  return write(std::move(batch), verdicts, at);
}

// Writes what the batch came to, answers, lets the effects out. As long as the disk is full, again
// and again.
bool Engine::Loop::write(Batch batch, const std::vector<Result<>>& verdicts, Instant at) {
  Ledger::Committed committed;
  if (!ledger_->is_empty()) {
    auto done = ledger_->commit();
    for (Duration wait = limits::kStoreRetryFirst;
         !done && done.error().code == Errc::resource_exhausted;
         wait = std::min<Duration>(2 * wait, limits::kStoreRetryLongest)) {
      hold(done.error(), batch, verdicts);
      if (!wait_for_room(wait)) break;
      done = ledger_->commit();
    }
    if (!done) {
      give_up(batch.inputs);
      // Without room and stopping, nothing is wrong with what the store holds.
      if (!held_ || done.error().code != Errc::resource_exhausted) on_fatal_(done.error());
      return false;
    }
    let_go();
    committed = std::move(*done);
  }
  const View view{ledger_->state(), at, ledger_->store()};
  answer(batch.inputs, verdicts, view);
  give_back(let_out(std::move(committed)));
  for (const Reader& reader : batch.readers) reader(view);
  return true;
}

// Tells everybody who waits for an answer that it will be late, and why.
void Engine::Loop::hold(const Error& why, Batch& batch, const std::vector<Result<>>& verdicts) {
  if (held_) return;
  held_ = why;
  std::vector<Input> refused;
  {
    const std::lock_guard lock(mutex_);
    refusal_ = full(why);
    std::deque<Input> kept;
    for (Input& input : queue_)
      if (input.answer)
        refused.push_back(std::move(input));
      else
        kept.push_back(std::move(input));
    queue_.swap(kept);
    readers_.insert(readers_.end(), std::make_move_iterator(batch.readers.begin()),
                    std::make_move_iterator(batch.readers.end()));
  }
  batch.readers.clear();
  on_full_(&why);
  for (const Input& input : refused) input.answer(full(why), nullptr);
  Error late = full(why);
  late.message += "; what you asked for may still happen, as soon as there is room";
  for (std::size_t i = 0; i < batch.inputs.size(); ++i)
    if (const auto answer = std::exchange(batch.inputs[i].answer, nullptr))
      answer(verdicts[i] ? Result<>(late) : verdicts[i], nullptr);
}

// Serves readers meanwhile. False: the engine is stopping.
bool Engine::Loop::wait_for_room(Duration patience) {
  const Instant until = now() + patience;
  for (;;) {
    std::vector<Reader> readers;
    bool is_woken = false;
    {
      std::unique_lock lock(mutex_);
      is_woken = wake_.wait_for(lock, std::max(Duration{0}, until - now()),
                                [this] { return !is_open_ || !readers_.empty(); });
      readers.swap(readers_);
      if (!is_open_ && readers.empty()) return false;
    }
    const View view{ledger_->state(), now(), ledger_->store(), &*held_};
    for (const Reader& reader : readers) reader(view);
    if (!is_woken || now() >= until) return true;
  }
}

void Engine::Loop::let_go() {
  if (!held_) return;
  held_.reset();
  {
    const std::lock_guard lock(mutex_);
    refusal_.reset();
  }
  on_full_(nullptr);
}

void Engine::Loop::add_tick_if_due(Instant at) {
  const auto wanted = core::next_wake(ledger_->state());
  if (!wanted || *wanted > at || last_tick_ + limits::kTickIntervalMin > at) return;
  last_tick_ = at;
  ledger_->add(core::Tick{}, at);
}

void Engine::Loop::answer(std::vector<Input>& inputs, const std::vector<Result<>>& verdicts,
                          const View& view) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].answer) inputs[i].answer(verdicts[i], verdicts[i] ? &view : nullptr);
    if (inputs[i].committed) inputs[i].committed(view);
  }
}

// Gives the orders that were not sent: by now their time or their reason is over.
std::vector<ActionId> Engine::Loop::let_out(Ledger::Committed committed) {
  for (const ActionId& action : committed.actions_ended) sinks_.agents->order_ended(action);
  auto lapsed = take_lapsed(committed.effects, ledger_->state(), now());
  dispatch(std::move(committed.effects), ledger_->state(), sinks_);
  return lapsed;
}

// The core decides anew.
void Engine::Loop::give_back(const std::vector<ActionId>& lapsed) {
  const std::lock_guard lock(mutex_);
  for (const ActionId& action : lapsed) push({core::OrderLapsed{action}, {}, {}});
}

// Nothing more is taken; whoever waits is told so.
void Engine::Loop::give_up(const std::vector<Input>& inputs) {
  std::deque<Input> rest;
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    rest.swap(queue_);
    queued_results_ = 0;
    readers_.clear();
  }
  const Error answer = stopped();
  for (const Input& input : inputs)
    if (input.answer) input.answer(answer, nullptr);
  for (const Input& input : rest)
    if (input.answer) input.answer(answer, nullptr);
}

Engine::Engine(const Clock& clock, std::function<void(const Error&)> on_fatal)
    : loop_(std::make_unique<Loop>(clock, std::move(on_fatal))) {}
Engine::~Engine() = default;

void Engine::on_full(std::function<void(const Error*)> told) {
  loop_->on_full(std::move(told));
}
Result<Recovered> Engine::start(std::unique_ptr<store::Store> store, Sinks sinks) {
  return loop_->start(std::move(store), sinks);
}
void Engine::stop() {
  loop_->stop();
}
bool Engine::submit(core::Event event, Committed committed) {
  return loop_->submit({std::move(event), std::move(committed), {}});
}
void Engine::ask(core::Event event, Answer answer) {
  FB_ASSERT(answer != nullptr);
  loop_->ask({std::move(event), {}, std::move(answer)});
}
bool Engine::inspect(Reader reader) {
  return loop_->inspect(std::move(reader));
}
Instant Engine::now() const {
  return loop_->now();
}
std::size_t Engine::waiting() const {
  return loop_->waiting();
}

}  // namespace firebreak::engine
