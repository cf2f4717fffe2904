// The pool's threads share their state with the Resolver by reference count, so that a thread that
// hangs in getaddrinfo may outlive it.
#include "probes/resolver.h"

#include <netdb.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace firebreak::probes {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<std::vector<std::string>> system_look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, FreeAddresses> owned(found);
  const bool no_descriptor =
      failed == EAI_SYSTEM && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS);
  if (no_descriptor) return make_error(Errc::resource_exhausted, "no descriptor left to resolve");
  if (failed == EAI_MEMORY)
    return make_error(Errc::resource_exhausted, "out of memory while resolving");
  if (failed != 0) return make_error(Errc::not_found, ::gai_strerror(failed));
  std::vector<std::string> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0)
      addresses.emplace_back(text);
  }
  return addresses;
}

Result<Addresses> parse_all(const Result<std::vector<std::string>>& texts) {
  if (!texts) return texts.error();
  Addresses addresses;
  for (const std::string& text : *texts)
    if (const auto address = numeric_address(text)) addresses.push_back(*address);
  if (addresses.empty()) return make_error(Errc::not_found, "the name has no address");
  return addresses;
}

}  // namespace

std::optional<boost::asio::ip::address> numeric_address(const std::string& host) {
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(host, failed);
  if (failed) return std::nullopt;
  return address;
}

struct Resolver::Shared : std::enable_shared_from_this<Resolver::Shared> {
  using WorkGuard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
  struct Job {
    bool begun = false;
    std::map<Ticket, std::pair<Done, WorkGuard>> waiting;
  };

  Shared(boost::asio::io_context& context, const ProberOptions& options)
      : io(context),
        look_up(options.look_up ? options.look_up : system_look_up),
        threads_max(options.resolver_threads_max),
        queue_max(options.resolver_queue_max) {}

  // The name of the next look-up; waits for one. False when the pool is to end.
  bool take(std::string& host) {
    std::unique_lock lock(mutex);
    ++idle;
    wake.wait(lock, [this] { return stopped || !queue.empty(); });
    --idle;
    if (stopped) return false;
    host = std::move(queue.front());
    queue.pop_front();
    const auto job = jobs.find(host);
    if (job != jobs.end()) job->second.begun = true;
    return true;
  }

  void work() {
    std::string host;
    while (take(host)) {
      auto answer = parse_all(look_up(host));
      const std::lock_guard lock(mutex);
      if (stopped) return;
      boost::asio::post(io, [self = shared_from_this(), name = host, found = std::move(answer)]() {
        self->deliver(name, found);
      });
    }
  }

  // On the io_context's thread.
  void deliver(const std::string& host, const Result<Addresses>& answer) {
    std::map<Ticket, std::pair<Done, WorkGuard>> waiting;
    {
      const std::lock_guard lock(mutex);
      const auto job = jobs.find(host);
      if (stopped || job == jobs.end()) return;
      waiting = std::move(job->second.waiting);
      for (const auto& [ticket, waiter] : waiting) names.erase(ticket);
      jobs.erase(job);
    }
    for (auto& [ticket, waiter] : waiting) waiter.first(answer);
  }

  // With the mutex held. False when no thread could be started and none is there.
  bool add_thread_if_needed() {
    if (idle >= queue.size() || threads >= threads_max) return true;
    try {
      std::thread([self = shared_from_this()] { self->work(); }).detach();
      ++threads;
    } catch (const std::system_error&) {
      return threads > 0;
    }
    return true;
  }

  boost::asio::io_context& io;
  const LookUp look_up;
  const std::size_t threads_max;
  const std::size_t queue_max;

  std::mutex mutex;
  std::condition_variable wake;
  bool stopped = false;
  std::size_t idle = 0;
  std::size_t threads = 0;
  std::deque<std::string> queue;
  std::map<std::string, Job> jobs;      // queued or being looked up
  std::map<Ticket, std::string> names;  // of the tickets that wait
  Ticket last_ticket = 0;
};

Resolver::Resolver(boost::asio::io_context& io, const ProberOptions& options)
    : shared_(std::make_shared<Shared>(io, options)) {}

Resolver::~Resolver() {
  const std::lock_guard lock(shared_->mutex);
  shared_->stopped = true;
  shared_->jobs.clear();
  shared_->wake.notify_all();
}

Result<Resolver::Ticket> Resolver::look_up(const std::string& host, Done done) {
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  auto job = shared.jobs.find(host);
  if (job == shared.jobs.end()) {
    if (shared.queue.size() >= shared.queue_max)
      return make_error(Errc::resource_exhausted,
                        "too many name look-ups are waiting; is the name server dead?");
    shared.queue.push_back(host);
    if (!shared.add_thread_if_needed()) {
      shared.queue.pop_back();
      return make_error(Errc::resource_exhausted, "no thread could be started for a name look-up");
    }
    job = shared.jobs.emplace(host, Shared::Job{}).first;
    shared.wake.notify_one();
  }
  const Ticket ticket = ++shared.last_ticket;
  job->second.waiting.emplace(
      ticket, std::pair(std::move(done), Shared::WorkGuard(shared.io.get_executor())));
  shared.names.emplace(ticket, host);
  return ticket;
}

bool Resolver::forget(Ticket ticket) {
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  const auto name = shared.names.find(ticket);
  if (name == shared.names.end()) return false;
  const std::string host = std::move(name->second);
  shared.names.erase(name);
  const auto job = shared.jobs.find(host);
  if (job == shared.jobs.end()) return false;
  job->second.waiting.erase(ticket);
  if (job->second.begun) return false;
  if (job->second.waiting.empty()) {
    std::erase(shared.queue, host);
    shared.jobs.erase(job);
  }
  return true;
}

void Resolver::keep(const std::string& host, Addresses addresses, TimePoint now) {
  if (kept_.size() >= limits::kNamesKeptMax)
    std::erase_if(kept_, [now](const auto& each) { return each.second.until <= now; });
  if (kept_.size() >= limits::kNamesKeptMax) return;
  kept_.insert_or_assign(host, Kept{std::move(addresses), now + limits::kNameKeptFor});
}

const Addresses* Resolver::kept(const std::string& host, TimePoint now) const {
  const auto found = kept_.find(host);
  return found != kept_.end() && now < found->second.until ? &found->second.addresses : nullptr;
}

}  // namespace firebreak::probes
