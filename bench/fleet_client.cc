// gRPC's callbacks for each agent; one thread attaches, paces and waits.
#include "bench/fleet_client.h"

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "common/limits.h"
#include "proto/credentials.h"

namespace firebreak::bench {
namespace {

using Steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPatience = 600s;
constexpr int kProbes = 10;               // of a service
constexpr std::size_t kHandshakes = 300;  // at once

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

// What all agents report to.
struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t attached = 0;
  std::size_t done = 0;
  std::size_t lost = 0;  // were attached, and are not any more
  std::string why;       // of the first of them
  std::uint64_t put_off = 0;
};

class Agent final : public grpc::ClientBidiReactor<v1::AgentMessage, v1::CoordinatorMessage> {
 public:
  Agent(Board& board, const std::string& coordinator, const pki::TlsFiles& tls, int shard,
        const FleetSeries& series)
      : board_(board), shard_(shard), series_(static_cast<unsigned>(series.services) * kProbes) {
    const auto credentials = client_credentials(tls, pki::Role::agent);
    if (!credentials) throw std::runtime_error(credentials.error().message);
    auto arguments = channel_arguments();
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ =
        v1::AgentService::NewStub(grpc::CreateCustomChannel(coordinator, *credentials, arguments));
  }

  void dial() {
    const std::lock_guard lock(mutex_);
    context_ = std::make_unique<grpc::ClientContext>();
    is_over_ = false;
    stub_->async()->Attach(context_.get(), this);
    v1::AgentMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_incarnation(1);
    hello.set_version("bench");
    hello.set_protocol(1);
    (*hello.mutable_labels())["shard"] = std::to_string(shard_);
    push(std::move(message));
    StartRead(&incoming_);
    StartCall();
  }
  // When to dial again, once it has been sent away.
  std::optional<Steady::time_point> again_at() {
    const std::lock_guard lock(mutex_);
    return is_over_ && !is_attached_ ? std::optional(again_at_) : std::nullopt;
  }

  // As each agent does at that interval, whatever else it sends.
  void beat() {
    const std::lock_guard lock(mutex_);
    if (!is_attached_ || is_over_) return;
    v1::AgentMessage message;
    message.mutable_heartbeat()->set_monotonic_us(
        std::chrono::duration_cast<std::chrono::microseconds>(Steady::now().time_since_epoch())
            .count());
    push(std::move(message));
  }

  void begin(const FleetPlan& plan) {
    const std::lock_guard lock(mutex_);
    plan_ = plan;
    left_ = plan.batches;
    is_done_ = false;
    if (plan.pause_s == 0) fill_window();
  }
  void send_one() {
    const std::lock_guard lock(mutex_);
    if (left_ > 0) send_batch();
  }
  void take(FleetResult& into) {
    const std::lock_guard lock(mutex_);
    into.ack_ms.insert(into.ack_ms.end(), ack_ms_.begin(), ack_ms_.end());
    into.wire_bytes += std::exchange(bytes_, 0);
    ack_ms_.clear();
  }
  void hang_up() {
    std::unique_lock lock(mutex_);
    if (!context_) return;
    context_->TryCancel();
    over_.wait(lock, [this] { return is_over_; });
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const std::lock_guard lock(mutex_);
    if (incoming_.has_welcome()) {
      is_attached_ = true;
      const std::lock_guard board(board_.mutex);
      ++board_.attached;
      board_.changed.notify_all();
    } else if (incoming_.has_drain()) {
      again_at_ = Steady::now() + std::chrono::microseconds(incoming_.drain().reconnect_after_us());
      const std::lock_guard board(board_.mutex);
      ++board_.put_off;
    } else if (incoming_.has_ack()) {
      acknowledged(incoming_.ack().seq());
    }
    StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    outgoing_.pop_front();
    if (ok && !outgoing_.empty()) StartWrite(&outgoing_.front());
  }
  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    if (again_at_ < Steady::now()) again_at_ = Steady::now() + 500ms;
    outgoing_.clear();
    is_over_ = true;
    over_.notify_all();
    if (!is_attached_) return;
    const std::lock_guard board(board_.mutex);
    if (board_.lost++ == 0)
      board_.why = "status " + std::to_string(status.error_code()) + ": " + status.error_message();
    board_.changed.notify_all();
  }

 private:
  // All with the lock held.
  void push(v1::AgentMessage message) {
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }
  void fill_window() {
    while (left_ > 0 && static_cast<int>(sent_.size()) < plan_.window) send_batch();
  }
  void send_batch() {
    v1::AgentMessage message;
    v1::ResultBatch& batch = *message.mutable_results();
    const auto now =
        std::chrono::duration_cast<std::chrono::microseconds>(Steady::now().time_since_epoch())
            .count();
    batch.set_first_seq(seq_ + 1);
    batch.set_sent_monotonic_us(now);
    for (int i = 0; i < plan_.batch; ++i) {
      if (defined_ <= next_) define(*batch.add_series(), defined_++);
      batch.add_ref(next_);
      next_ = (next_ + 1) % series_;
      batch.add_status(v1::STATUS_OK);
      batch.add_reason(0);
      batch.add_phase(0);
      batch.add_started_monotonic_us(now - 5'000 + i);
      batch.add_latency_us(900 + i);
      batch.add_confirmed(true);
    }
    seq_ += static_cast<std::uint64_t>(plan_.batch);
    bytes_ += message.ByteSizeLong();
    sent_.emplace_back(seq_, Steady::now());
    --left_;
    push(std::move(message));
  }
  void define(v1::ResultBatch::Series& series, unsigned ref) const {
    series.set_ref(ref);
    series.mutable_key()->set_service("s" +
                                      std::to_string(shard_ + static_cast<int>(ref) / kProbes));
    series.mutable_key()->set_probe("p" + std::to_string(ref % kProbes));
  }
  void acknowledged(std::uint64_t seq) {
    for (; !sent_.empty() && sent_.front().first <= seq; sent_.pop_front())
      ack_ms_.push_back(1e3 * seconds_since(sent_.front().second));
    if (plan_.pause_s == 0) fill_window();
    // An acknowledgement may come again, as a sign of life.
    if (left_ > 0 || !sent_.empty() || std::exchange(is_done_, true)) return;
    const std::lock_guard board(board_.mutex);
    ++board_.done;
    board_.changed.notify_all();
  }

  Board& board_;
  const int shard_;
  const unsigned series_;  // how many
  unsigned next_ = 0;      // that has its turn
  unsigned defined_ = 0;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  v1::CoordinatorMessage incoming_;

  std::mutex mutex_;
  std::condition_variable over_;
  std::deque<v1::AgentMessage> outgoing_;
  bool is_over_ = false;
  bool is_attached_ = false;
  bool is_done_ = true;  // with the plan
  Steady::time_point again_at_{};
  FleetPlan plan_;
  int left_ = 0;
  std::uint64_t seq_ = 0;
  std::uint64_t bytes_ = 0;
  std::deque<std::pair<std::uint64_t, Steady::time_point>> sent_;
  std::vector<double> ack_ms_;
};

}  // namespace

class FleetClient::Impl {
 public:
  Impl(const std::string& coordinator, const std::vector<pki::TlsFiles>& agents, int shards,
       const FleetSeries& series) {
    for (std::size_t i = 0; i < agents.size(); ++i)
      agents_.push_back(std::make_unique<Agent>(board_, coordinator, agents[i],
                                                static_cast<int>(i) % shards, series));
    heart_ = std::jthread([this](const std::stop_token& stop) { beat(stop); });
  }
  ~Impl() {
    heart_ = {};
    for (const auto& agent : agents_) agent->hang_up();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  double attach() {
    const auto start = Steady::now();
    auto told = start;
    std::size_t dialed = 0;
    for (;;) {
      std::size_t may = 0;
      {
        // Every host has a processor of its own for its handshake; here all share one machine, and
        // those that wait for too long begin again.
        const std::lock_guard lock(board_.mutex);
        may = std::min(agents_.size(), board_.attached + kHandshakes);
      }
      for (; dialed < may; ++dialed) agents_[dialed]->dial();
      if (Steady::now() - told > 5s) {
        told = Steady::now();
        const std::lock_guard lock(board_.mutex);
        std::fprintf(stderr, "  %zu of %zu agents attached after %.0f s\n", board_.attached,
                     agents_.size(), seconds_since(start));
      }
      {
        std::unique_lock lock(board_.mutex);
        const auto all = [this] { return board_.attached == agents_.size(); };
        if (board_.changed.wait_for(lock, 50ms, all)) return seconds_since(start);
        if (Steady::now() - start > kPatience)
          throw std::runtime_error("only " + std::to_string(board_.attached) + " agents attached");
      }
      for (std::size_t i = 0; i < dialed; ++i)
        if (const auto again = agents_[i]->again_at(); again && *again <= Steady::now())
          agents_[i]->dial();
    }
  }

  std::uint64_t put_off() {
    const std::lock_guard lock(board_.mutex);
    return board_.put_off;
  }

  FleetResult run(const FleetPlan& plan) {
    {
      const std::lock_guard lock(board_.mutex);
      board_.done = 0;
    }
    const auto start = Steady::now();
    for (const auto& agent : agents_) agent->begin(plan);
    if (plan.pause_s > 0) pace(plan, start);
    std::unique_lock lock(board_.mutex);
    const auto over = [this] { return board_.done >= agents_.size() || board_.lost > 0; };
    if (!board_.changed.wait_for(lock, kPatience, over) || board_.lost > 0)
      throw std::runtime_error("acknowledgements are missing, " + std::to_string(board_.lost) +
                               " streams have ended" +
                               (board_.why.empty() ? "" : ", the first with " + board_.why));
    lock.unlock();
    FleetResult result;
    result.seconds = seconds_since(start);
    for (const auto& agent : agents_) agent->take(result);
    result.results = result.ack_ms.size() * static_cast<std::uint64_t>(plan.batch);
    return result;
  }

 private:
  // Every agent once per interval, a hundredth of them at a time.
  void beat(const std::stop_token& stop) {
    for (std::size_t turn = 0; !stop.stop_requested(); turn = (turn + 1) % 100) {
      for (std::size_t i = turn; i < agents_.size(); i += 100) agents_[i]->beat();
      std::this_thread::sleep_for(std::chrono::milliseconds(limits::kHeartbeatInterval) / 100);
    }
  }
  // Each agent at a moment of its own within the pause.
  void pace(const FleetPlan& plan, Steady::time_point start) {
    const std::size_t all = agents_.size() * static_cast<std::size_t>(plan.batches);
    const double step = plan.pause_s / static_cast<double>(agents_.size());
    for (std::size_t i = 0; i < all; ++i) {
      std::this_thread::sleep_until(
          start + std::chrono::duration_cast<Steady::duration>(
                      std::chrono::duration<double>(step * static_cast<double>(i))));
      agents_[i % agents_.size()]->send_one();
    }
  }

  Board board_;
  std::vector<std::unique_ptr<Agent>> agents_;
  std::jthread heart_;
};

FleetClient::FleetClient(const std::string& coordinator, const std::vector<pki::TlsFiles>& agents,
                         int shards, const FleetSeries& series)
    : impl_(std::make_unique<Impl>(coordinator, agents, shards, series)) {}
FleetClient::~FleetClient() = default;
double FleetClient::attach() {
  return impl_->attach();
}
std::uint64_t FleetClient::put_off() const {
  return impl_->put_off();
}
FleetResult FleetClient::run(const FleetPlan& plan) {
  return impl_->run(plan);
}

}  // namespace firebreak::bench
