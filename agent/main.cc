// firebreak-agent: flags, signals, exit codes. docs/man/firebreak-agent.8 describes them.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/agent.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/service_main.h"
#include "common/yaml.h"
#include "probes/checks.h"
#include "proto/credentials.h"

namespace firebreak::agent {
namespace {

service::Program program() {
  return {"firebreak-agent", "Probes what this host can see and reports it to the coordinator.",
          "/etc/firebreak/agent.yaml", "only say what is wrong with the configuration",
          FIREBREAK_VERSION};
}

// Before anything has threads: checks are kept by a fork of this process.
Result<std::shared_ptr<probes::Checks>> read_checks(const Config& config,
                                                    yaml::Problems& problems) {
  if (config.checks_dir.empty()) return std::shared_ptr<probes::Checks>();
  constexpr uid_t kRoot = 0;
  return probes::open_checks(config.checks_dir, kRoot, problems);
}

int serve(Config config) {
  const SystemClock clock;
  yaml::Problems problems;
  auto checks = read_checks(config, problems);
  log::start(config.log_level, config.log_format);
  if (!checks) {
    log::error("checks cannot be run", {{"error", checks.error().message}});
    return service::kFailed;
  }
  for (const yaml::Problem& problem : problems.ordered())
    log::warning("a file of checks", {{"file", problem.file},
                                      {"line", std::int64_t{problem.line}},
                                      {"problem", problem.message}});
  auto settings = prepare(std::move(config), clock);
  if (!settings) {
    log::error("the agent cannot start", {{"error", settings.error().message}});
    return service::kFailed;
  }
  settings->checks = *std::move(checks);
  boost::asio::io_context io(1);
  Agent agent(io, clock, *std::move(settings), [&io] { io.stop(); });
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&agent](const boost::system::error_code& cancelled, int) {
    if (!cancelled) agent.stop();
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
