// The coordinator as a whole: see coordinator.h.
#include "coordinator/coordinator.h"

#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <utility>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "coordinator/api/service.h"
#include "coordinator/api/watchers.h"
#include "coordinator/core/warm_up.h"
#include "coordinator/engine/engine.h"
#include "coordinator/ingest/agent_hub.h"
#include "coordinator/notify/sender.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/store.h"
#include "proto/credentials.h"

namespace firebreak::coordinator {
namespace {

using PolicyPtr = std::shared_ptr<const policy::Policy>;

constexpr const char* kStoreFile = "/coordinator.db";
constexpr Duration kReconnectAfter = std::chrono::seconds(1);

ingest::AgentHub::Settings hub_settings(const Clock& clock) {
  ingest::AgentHub::Settings settings;
  settings.version = FIREBREAK_VERSION;
  settings.seed = static_cast<std::uint64_t>(clock.wall().time_since_epoch().count());
  return settings;
}

// A journaled policy, as this version understands it.
Result<PolicyPtr> compile(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy)
    return make_error(Errc::failed_precondition,
                      "a policy of the journal is refused by this version of firebreak; start the "
                      "version that wrote it and apply a corrected policy first:\n" +
                          loaded.problems);
  return std::move(loaded.policy);
}

}  // namespace

Result<PolicyPtr> load_policy_directory(const std::string& directory) {
  auto files = policy::read_policy_directory(directory);
  if (!files) return files.error();
  auto loaded = policy::load_policy(std::move(*files));
  if (!loaded.policy) return make_error(Errc::invalid_argument, std::move(loaded.problems));
  return std::move(loaded.policy);
}

class Coordinator::Parts {
 public:
  Parts(Config config, const Clock& clock, std::function<void(const Error&)> on_fatal)
      : config_(std::move(config)),
        clock_(clock),
        engine_(clock, std::move(on_fatal)),
        hub_(engine_, clock, hub_settings(clock)),
        api_(engine_, watchers_, FIREBREAK_VERSION, [this](const AgentName& agent) {
          const auto throttled = hub_.throttled(agent);
          return api::Throttled{throttled.times, throttled.held};
        }) {}
  ~Parts() { stop(); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Result<> start();
  [[nodiscard]] int port() const { return port_; }
  Result<> apply(PolicyPtr policy);
  [[nodiscard]] const Config& config() const { return config_; }
  void report_health();
  void stop();

 private:
  Result<> start_sender();
  Result<> start_engine(PolicyPtr policy);
  Result<> listen(const std::shared_ptr<grpc::ServerCredentials>& credentials);
  void disk_is_full(const Error* why);
  void show_health();

  const Config config_;
  const Clock& clock_;
  engine::Engine engine_;
  api::Watchers watchers_;
  std::unique_ptr<notify::HttpSender> sender_;
  ingest::AgentHub hub_;
  api::OperatorApi api_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  bool was_frozen_ = false;  // the owner thread's
  std::mutex health_mutex_;  // guards what follows
  grpc::Server* shown_ = nullptr;
  bool is_full_ = false;
};

Result<> Coordinator::Parts::start() {
  const auto credentials = server_credentials(config_.tls);
  if (!credentials) return credentials.error();
  auto policy = load_policy_directory(config_.policy);
  if (!policy) return policy.error();
  if (const auto started = start_sender(); !started) return started.error();
  if (const auto started = start_engine(std::move(*policy)); !started) return started.error();
  return listen(*credentials);
}

Result<> Coordinator::Parts::start_sender() {
  notify::SenderSettings settings;
  settings.version = FIREBREAK_VERSION;
  settings.seed = static_cast<std::uint64_t>(clock_.wall().time_since_epoch().count());
  auto sender = notify::HttpSender::start(
      clock_, std::move(settings), [this](core::Event event) { engine_.submit(std::move(event)); });
  if (!sender) return sender.error();
  sender_ = std::move(*sender);
  return {};
}

Result<> Coordinator::Parts::start_engine(PolicyPtr policy) {
  store::SqliteOptions options;
  options.journal_keep = config_.journal.keep;
  options.journal_bytes = config_.journal.bytes;
  options.warn = [](const std::string& what) { log::warning("store", {{"what", what}}); };
  auto store = store::open_sqlite(config_.state + kStoreFile, compile, std::move(options));
  if (!store) return store.error();
  engine_.on_full([this](const Error* why) { disk_is_full(why); });
  const auto recovered = engine_.start(std::move(*store), {&hub_, sender_.get(), &watchers_});
  if (!recovered) return recovered.error();
  log::info("recovered", {{"epoch", recovered->epoch},
                          {"snapshot", recovered->snapshot},
                          {"journal_entries", recovered->entries}});
  // An operator's policy outlives a restart, until the folder holds something new.
  if (policy->digest != recovered->directory_digest) return apply(std::move(policy));
  if (recovered->policy_digest != recovered->directory_digest)
    log::warning("an operator's policy is in force, not the folder's; SIGHUP applies the folder's",
                 {{"in_force", recovered->policy_digest}, {"folder", policy->digest}});
  return {};
}

Result<> Coordinator::Parts::apply(PolicyPtr policy) {
  std::promise<Result<>> done;
  auto answered = done.get_future();
  const std::string digest = policy->digest;
  engine_.ask(core::PolicyChanged{std::move(policy), engine::kPolicyDirectory},
              [&done](const Result<>& result, const engine::View*) { done.set_value(result); });
  auto result = answered.get();
  if (result) log::info("the folder's policy is in force", {{"digest", digest}});
  return result;
}

Result<> Coordinator::Parts::listen(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_server_limits(builder);
  builder.RegisterService(&hub_.service());
  builder.RegisterService(&api_.service());
  const std::string address = to_string(config_.listen);
  builder.AddListeningPort(address, credentials, &port_);
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0)
    return make_error(Errc::unavailable,
                      "cannot listen on " + address +
                          "; is another coordinator running, and is the address this host's?");
  {
    const std::lock_guard lock(health_mutex_);
    shown_ = server_.get();
    show_health();
  }
  log::info("listening", {{"address", config_.listen.host}, {"port", port_}});
  return {};
}

void Coordinator::Parts::disk_is_full(const Error* why) {
  if (why != nullptr)
    log::error("the disk is full: results and wishes are held back until there is room",
               {{"error", why->message}});
  else
    log::info("there is room on the disk again: going on where it stopped");
  const std::lock_guard lock(health_mutex_);
  is_full_ = why != nullptr;
  show_health();
}

// Under the mutex: what grpc.health.v1 answers.
void Coordinator::Parts::show_health() {
  if (shown_ != nullptr && shown_->GetHealthCheckService() != nullptr)
    shown_->GetHealthCheckService()->SetServingStatus(!is_full_);
}

void Coordinator::Parts::report_health() {
  const ingest::AgentHub::Counters agents = hub_.counters();
  engine_.inspect([this, attached = agents.attached](const engine::View& view) {
    std::size_t open = 0;
    for (const auto& [id, incident] : view.state.incidents)
      if (!incident.resolved) ++open;
    std::string status = view.unstored == nullptr ? "" : "THE DISK IS FULL; ";
    status +=
        std::to_string(attached) + " agents attached, " + std::to_string(open) + " incidents open";
    const bool is_frozen = core::frozen_until(view.state, view.now).has_value();
    if (is_frozen) status += "; warming up: " + core::describe_warm_up(view.state);
    if (is_frozen != std::exchange(was_frozen_, is_frozen))
      log::info(
          is_frozen ? "warming up: nothing is done until enough agents are back" : "warmed up",
          {{"agents", core::describe_warm_up(view.state)}});
    sd::notify("WATCHDOG=1\nSTATUS=" + status);
  });
}

void Coordinator::Parts::stop() {
  if (server_) {
    {
      const std::lock_guard lock(health_mutex_);
      shown_ = nullptr;
    }
    hub_.drain("the coordinator is stopping", kReconnectAfter);
    watchers_.close();
    server_->Shutdown(std::chrono::system_clock::time_point(clock_.wall() + limits::kDrainTimeout));
    server_.reset();
  }
  engine_.stop();
}

Coordinator::Coordinator(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Coordinator::~Coordinator() = default;

Result<std::unique_ptr<Coordinator>> Coordinator::start(
    Config config, const Clock& clock, std::function<void(const Error&)> on_fatal) {
  auto parts = std::make_unique<Parts>(std::move(config), clock, std::move(on_fatal));
  if (const auto started = parts->start(); !started) return started.error();
  return std::unique_ptr<Coordinator>(new Coordinator(std::move(parts)));
}

int Coordinator::port() const {
  return parts_->port();
}
Result<> Coordinator::reload_policy() {
  auto policy = load_policy_directory(parts_->config().policy);
  if (!policy) return policy.error();
  return parts_->apply(std::move(*policy));
}
void Coordinator::report_health() {
  parts_->report_health();
}
void Coordinator::stop() {
  parts_->stop();
}

}  // namespace firebreak::coordinator
