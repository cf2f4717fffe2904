// firebreak-agent: flags, signals, exit codes. docs/man/firebreak-agent.8 describes them.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/agent.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sd_notify.h"
#include "common/service_main.h"
#include "common/yaml.h"
#include "probes/checks.h"
#include "proto/credentials.h"

namespace firebreak::agent {
namespace {

constexpr uid_t kRoot = 0;  // to whom the files of checks have to belong

service::Program program() {
  return {"firebreak-agent", "Probes what this host can see and reports it to the coordinator.",
          "/etc/firebreak/agent.yaml", "only say what is wrong with the configuration",
          FIREBREAK_VERSION};
}

// Before anything has threads: checks are kept by a fork of this process.
Result<std::shared_ptr<probes::Checks>> read_checks(const Config& config,
                                                    yaml::Problems& problems) {
  if (config.checks_dir.empty()) return std::shared_ptr<probes::Checks>();
  return probes::open_checks(config.checks_dir, kRoot, problems);
}

void log_problems(const yaml::Problems& problems) {
  for (const yaml::Problem& problem : problems.ordered())
    log::warning("a file of checks", {{"file", problem.file},
                                      {"line", std::int64_t{problem.line}},
                                      {"problem", problem.message}});
}

// At every SIGHUP: the files of checks again. agent.yaml needs a restart.
class Reloader {
 public:
  Reloader(boost::asio::io_context& io, std::string folder, std::shared_ptr<probes::Checks> checks)
      : signals_(io, SIGHUP), folder_(std::move(folder)), checks_(std::move(checks)) {
    wait();
  }
  void stop() { signals_.cancel(); }

 private:
  void wait() {
    signals_.async_wait([this](const boost::system::error_code& cancelled, int) {
      if (cancelled) return;
      reload();
      wait();
    });
  }
  void reload() {
    sd::notify("RELOADING=1");
    if (checks_) {
      yaml::Problems problems;
      probes::ChecksFolder folder = probes::read_checks(folder_, kRoot, problems);
      log_problems(problems);
      log::info("files of checks read again", {{"files", std::uint64_t{folder.files}},
                                               {"refused", std::uint64_t{folder.files_refused}},
                                               {"checks", std::uint64_t{folder.allowed.size()}}});
      checks_->replace(std::move(folder));
    } else {
      log::info("nothing to read again: agent.yaml names no checks_dir, and needs a restart itself",
                {});
    }
    sd::notify("READY=1");
  }

  boost::asio::signal_set signals_;
  const std::string folder_;
  const std::shared_ptr<probes::Checks> checks_;
};

int serve(Config config) {
  const SystemClock clock;
  yaml::Problems problems;
  const std::string checks_dir = config.checks_dir;
  auto checks = read_checks(config, problems);
  log::start(config.log_level, config.log_format);
  if (!checks) {
    log::error("checks cannot be run", {{"error", checks.error().message}});
    return service::kFailed;
  }
  log_problems(problems);
  auto settings = prepare(std::move(config), clock);
  if (!settings) {
    log::error("the agent cannot start", {{"error", settings.error().message}});
    return service::kFailed;
  }
  settings->checks = *checks;
  boost::asio::io_context io(1);
  Reloader reloader(io, checks_dir, *checks);
  Agent agent(io, clock, *std::move(settings), [&io] { io.stop(); });
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& cancelled, int) {
    if (cancelled) return;
    reloader.stop();
    agent.stop();
  });
  agent.start();
  io.run();
  return service::kStopped;
}

int work(const std::string& path, bool checks_only) {
  auto config = load_config(path);
  if (!config) {
    return service::fail(program(), service::kMisused,
                         "the configuration has mistakes:\n" + config.error().message);
  }
  if (!checks_only) return serve(*std::move(config));
  yaml::Problems problems;
  const auto checks = read_checks(*config, problems);
  if (!problems.ok())
    return service::fail(program(), service::kMisused,
                         "files of checks have mistakes:\n" + problems.render());
  std::printf("%s is correct\n", path.c_str());
  return service::kStopped;
}

}  // namespace
}  // namespace firebreak::agent

int main(int argc, char** argv) {
  firebreak::require_tls13();
  return firebreak::service::run(firebreak::agent::program(), argc, argv, firebreak::agent::work);
}
