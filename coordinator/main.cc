// firebreak-coordinator: flags, signals, exit codes. docs/man/firebreak-coordinator.8 describes
// them.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/pki.h"
#include "common/sd_notify.h"
#include "common/service_main.h"
#include "coordinator/config.h"
#include "coordinator/coordinator.h"
#include "proto/credentials.h"

namespace firebreak::coordinator {
namespace {

constexpr Duration kHealthInterval = std::chrono::seconds(10);  // systemd may ask for more

service::Program program() {
  return {"firebreak-coordinator",
          "Judges what agents see, opens incidents, contains them and proves that they are over.",
          "/etc/firebreak/coordinator.yaml", "only say what is wrong with configuration and policy",
          FIREBREAK_VERSION};
}

// Nothing more may be done with the store, so nothing may be answered either.
void die(const Error& error) {
  log::error(
      "the store cannot be written any more; stopping at once, nothing unwritten was acknowledged",
      {{"error", error.message}});
  sd::notify("STATUS=the store cannot be written");
  log::stop();
  std::_Exit(service::kFailed);
}

// Blocked in every thread, because this is before there are any.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// 0: none came within `patience`.
int wait_for_signal(const sigset_t& signals, Duration patience) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
  timespec wait{};
  wait.tv_sec = seconds.count();
  wait.tv_nsec = std::chrono::nanoseconds(patience - seconds).count();
  const int signal = sigtimedwait(&signals, nullptr, &wait);
  return signal < 0 ? 0 : signal;
}

void reload(Coordinator& coordinator) {
  const auto reloaded = coordinator.reload_policy();
  if (!reloaded)
    log::error(
        "the changed policy is refused, the one before stays in force; see 'firebreak policy "
        "check'",
        {{"problems", reloaded.error().message}});
}

int serve(Config config) {
  const sigset_t signals = block_signals();
  log::start(log::Level::info, log::Format::text);
  const SystemClock clock;
  auto coordinator = Coordinator::start(std::move(config), clock, die);
  if (!coordinator)
    return service::fail(program(), service::kFailed,
                         "cannot start: " + coordinator.error().message);
  sd::notify("READY=1");
  const Duration interval =
      std::min(kHealthInterval, sd::watchdog_interval().value_or(kHealthInterval));
  for (;;) {
    (*coordinator)->report_health();
    const int signal = wait_for_signal(signals, interval);
    if (signal == SIGHUP) reload(**coordinator);
    if (signal == SIGTERM || signal == SIGINT) break;
  }
  sd::notify("STOPPING=1");
  log::info("stopping");
  (*coordinator)->stop();
  return service::kStopped;
}

// systemd gives a credential to the unit and nobody else, so a person's check goes without the key.
bool is_key_at_hand(const Config& config) {
  return config.tls.key.rfind("credential:", 0) != 0 ||
         std::getenv("CREDENTIALS_DIRECTORY") != nullptr;
}

Result<> check_tls(const Config& config) {
  if (is_key_at_hand(config)) {
    if (const auto credentials = server_credentials(config.tls); !credentials)
      return credentials.error();
    return {};
  }
  const auto certificate = pki::read_certificate_info(config.tls.certificate);
  if (!certificate) return certificate.error();
  if (!certificate->identity || certificate->identity->role != pki::Role::coordinator)
    return make_error(Errc::permission_denied,
                      config.tls.certificate +
                          " is not a coordinator's; issue one with 'firebreak pki coordinator'");
  if (const auto authority = pki::read_certificate_info(config.tls.ca); !authority)
    return authority.error();
  return {};
}

int check(const Config& config) {
  if (const auto tls = check_tls(config); !tls)
    return service::fail(program(), service::kMisused, tls.error().message);
  if (const auto policy = load_policy_directory(config.policy); !policy)
    return service::fail(program(), service::kMisused,
                         "the policy has mistakes:\n" + policy.error().message);
  std::printf("configuration, certificate and policy are correct\n");
  if (!is_key_at_hand(config))
    std::printf("the key was not looked at: %s is given by systemd\n", config.tls.key.c_str());
  return service::kStopped;
}

int work(const std::string& path, bool checks_only) {
  auto config = load_config(path);
  if (!config) {
    return service::fail(program(), service::kMisused,
                         "the configuration has mistakes:\n" + config.error().message);
  }
  return checks_only ? check(*config) : serve(*std::move(config));
}

}  // namespace
}  // namespace firebreak::coordinator

int main(int argc, char** argv) {
  firebreak::require_tls13();
  return firebreak::service::run(firebreak::coordinator::program(), argc, argv,
                                 firebreak::coordinator::work);
}
