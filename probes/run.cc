// The Prober: slots, the waiting line, and the one place where a probe's exception ends.
#include "probes/run.h"

#include <algorithm>
#include <exception>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "probes/attempt.h"
#include "probes/checks.h"
#include "probes/dns.h"
#include "probes/exec.h"
#include "probes/grpc.h"
#include "probes/heartbeat.h"
#include "probes/host.h"
#include "probes/http.h"
#include "probes/icmp.h"
#include "probes/postgres.h"
#include "probes/prometheus.h"
#include "probes/queue.h"
#include "probes/reach.h"
#include "probes/redis.h"
#include "probes/systemd.h"
#include "probes/tcp.h"

namespace firebreak {
namespace {

using probes::Attempt;
using probes::Awaitable;

struct KindRunner {
  Attempt& attempt;
  Awaitable<void> operator()(const HttpSpec& spec) const {
    return probes::probe_http(attempt, spec);
  }
  Awaitable<void> operator()(const PostgresSpec& spec) const {
    return probes::probe_postgres(attempt, spec);
  }
  Awaitable<void> operator()(const PgbouncerSpec& spec) const {
    return probes::probe_pgbouncer(attempt, spec);
  }
  Awaitable<void> operator()(const RedisSpec& spec) const {
    return probes::probe_redis(attempt, spec);
  }
  Awaitable<void> operator()(const QueueSpec& spec) const {
    return probes::probe_queue(attempt, spec);
  }
  Awaitable<void> operator()(const DnsSpec& spec) const { return probes::probe_dns(attempt, spec); }
  Awaitable<void> operator()(const IcmpSpec& spec) const {
    return probes::probe_icmp(attempt, spec);
  }
  Awaitable<void> operator()(const TcpSpec& spec) const { return probes::probe_tcp(attempt, spec); }
  Awaitable<void> operator()(const ExecSpec& spec) const {
    return probes::probe_exec(attempt, spec);
  }
  Awaitable<void> operator()(const SystemdSpec& spec) const {
    return probes::probe_systemd(attempt, spec);
  }
  Awaitable<void> operator()(const HostSpec& spec) const {
    return probes::probe_host(attempt, spec);
  }
  Awaitable<void> operator()(const PrometheusSpec& spec) const {
    return probes::probe_prometheus(attempt, spec);
  }
  Awaitable<void> operator()(const GrpcSpec& spec) const {
    return probes::probe_grpc(attempt, spec);
  }
  Awaitable<void> operator()(const HeartbeatSpec& spec) const {
    return probes::probe_heartbeat(attempt, spec);
  }
};

std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception without a name";
  }
}

// No memory for it, for instance.
Observation not_begun(const std::exception_ptr& thrown) {
  Observation observation;
  observation.reason = Reason::prober;
  observation.evidence = "internal error: " + text_of(thrown);
  return observation;
}

}  // namespace

class Prober::Impl : public std::enable_shared_from_this<Prober::Impl> {
 public:
  Impl(boost::asio::io_context& io, const ProberOptions& options)
      : in_flight_max_(std::max<std::size_t>(1, options.in_flight_max)),
        per_target_max_(std::max<std::size_t>(1, options.per_target_max)),
        tools_(std::make_shared<probes::Toolbox>(io, options)) {}

  void start(const ProbeSpec& spec, ProbeDone done, ProbeTrace trace) {
    auto job = std::make_shared<Job>();
    job->spec = spec;
    job->spec.timeout =
        std::clamp<Duration>(spec.timeout, std::chrono::milliseconds(1), limits::kProbeTimeoutMax);
    job->done = std::move(done);
    job->trace = std::move(trace);
    job->target = targets_.try_emplace(probes::target_of(spec.kind)).first;
    Target& target = job->target->second;
    const bool has_room = job->target->first.empty() || target.admitted < per_target_max_;
    if (has_room) ++target.admitted;
    if (has_room && running_.size() < in_flight_max_) {
      job->place = running_.insert(running_.end(), job);
      begin(job);
      return;
    }
    Jobs& line = has_room ? waiting_ : target.line;
    job->is_admitted = has_room;
    job->place = line.insert(line.end(), job);
    ++waiting_count_;
    job->patience = std::make_unique<probes::Alarms::Alarm>(
        tools_->alarms, [this, waiter = job.get()] { give_up(*waiter); });
    job->patience->set(tools_->clock->steady() + 2 * job->spec.timeout);
  }

  void stop() {
    stopped_ = true;
    waiting_.clear();
    for (auto& [name, target] : targets_) target.line.clear();
    for (const auto& job : std::exchange(running_, {}))
      if (job->attempt) job->attempt->abandon();
  }

  [[nodiscard]] std::size_t running() const { return running_.size(); }
  [[nodiscard]] std::size_t waiting() const { return waiting_count_; }
  [[nodiscard]] Duration lost() const { return tools_->pulse.lost(); }

 private:
  struct Job;
  using Jobs = std::list<std::shared_ptr<Job>>;
  // There while a probe of it runs or waits.
  struct Target {
    std::size_t admitted = 0;  // that run, or wait for a slot in waiting_
    Jobs line;                 // that wait for one of these to end
  };
  using Targets = std::unordered_map<std::string, Target>;
  struct Job {
    ProbeSpec spec;
    ProbeDone done;
    ProbeTrace trace;
    Targets::iterator target;
    bool is_admitted = true;
    Jobs::iterator place;  // in running_, in waiting_, or in the target's line
    std::unique_ptr<probes::Alarms::Alarm> patience;
    std::shared_ptr<Attempt> attempt;
  };

  // In a handler of its own: `done` never comes from inside start(), and the steps of many probes
  // that run at once come in turn, which costs a tenth less than to begin each where one ends.
  void begin(const std::shared_ptr<Job>& job) {
    boost::asio::post(tools_->io, [weak = weak_from_this(), job] {
      const auto self = weak.lock();
      if (!self || self->stopped_) return;
      auto ended = [weak, job](const std::exception_ptr& thrown) {
        if (const auto prober = weak.lock(); prober && !prober->stopped_) prober->end(job, thrown);
      };
      boost::asio::co_spawn(self->tools_->io.get_executor(), attempt(weak, job), std::move(ended));
    });
  }

  // Its clock starts when it gets the thread, not when it gets the slot.
  static Awaitable<void> attempt(std::weak_ptr<Impl> weak, std::shared_ptr<Job> job) {
    if (const auto self = weak.lock(); self && !self->stopped_)
      job->attempt =
          std::make_shared<Attempt>(self->tools_, std::move(job->spec), std::move(job->trace));
    if (!job->attempt) co_return;
    const KindRunner runner{*job->attempt};
    Awaitable<void> kind = std::visit(runner, job->attempt->spec().kind);
    co_await std::move(kind);
  }

  void end(const std::shared_ptr<Job>& job, const std::exception_ptr& thrown) {
    if (thrown && job->attempt)
      job->attempt->unknown(Reason::prober, "internal error: " + text_of(thrown));
    Observation observation = job->attempt ? job->attempt->finish() : not_begun(thrown);
    running_.erase(job->place);
    leave(job->target);
    if (!waiting_.empty()) {
      std::shared_ptr<Job> next = waiting_.front();
      --waiting_count_;
      next->patience.reset();
      running_.splice(running_.end(), waiting_, next->place);
      begin(next);
    }
    job->done(std::move(observation));
  }

  // One that was admitted is gone: the first of its target's line may wait for a slot.
  void leave(Targets::iterator at) {
    Target& target = at->second;
    --target.admitted;
    if (!target.line.empty()) {
      Job& next = *target.line.front();
      next.is_admitted = true;
      ++target.admitted;
      waiting_.splice(waiting_.end(), target.line, next.place);
    } else if (target.admitted == 0) {
      targets_.erase(at);
    }
  }

  void give_up(Job& waiter) {
    std::shared_ptr<Job> job = *waiter.place;
    --waiting_count_;
    if (job->is_admitted) {
      waiting_.erase(job->place);
      leave(job->target);
    } else {
      job->target->second.line.erase(job->place);
    }
    boost::asio::post(tools_->io, [weak = weak_from_this(), job = std::move(job)] {
      const auto self = weak.lock();
      if (!self || self->stopped_) return;
      Observation observation;
      observation.reason = Reason::prober;
      observation.evidence = "waited " + format_duration(2 * job->spec.timeout) + " for one of ";
      observation.evidence +=
          job->is_admitted
              ? std::to_string(self->in_flight_max_) + " slots: this agent has too many slow probes"
              : std::to_string(self->per_target_max_) +
                    " slots for this target: it has too many probes that are slow";
      job->done(std::move(observation));
    });
  }

  const std::size_t in_flight_max_;
  const std::size_t per_target_max_;
  std::shared_ptr<probes::Toolbox> tools_;
  bool stopped_ = false;
  Targets targets_;
  Jobs running_;
  Jobs waiting_;
  std::size_t waiting_count_ = 0;  // in any line
};

Prober::Prober(boost::asio::io_context& io, const ProberOptions& options)
    : impl_(std::make_shared<Impl>(io, options)) {}

Prober::~Prober() {
  impl_->stop();
}

void Prober::start(const ProbeSpec& spec, ProbeDone done, ProbeTrace trace) {
  impl_->start(spec, std::move(done), std::move(trace));
}

std::size_t Prober::running() const {
  return impl_->running();
}

std::size_t Prober::waiting() const {
  return impl_->waiting();
}

Duration Prober::lost() const {
  return impl_->lost();
}

}  // namespace firebreak
