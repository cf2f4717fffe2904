// firebreak-agent: flags, signals, exit codes. docs/man/firebreak-agent.8 describes them.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/agent.h"
#include "common/clock.h"
#include "common/log.h"
#include "proto/credentials.h"

namespace firebreak::agent {
namespace {

enum ExitCode { kStopped = 0, kFailed = 1, kMisused = 2 };

int fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "firebreak-agent: %s\n", message.c_str());
  return code;
}

int serve(Config config) {
  const SystemClock clock;
  log::start(config.log_level, config.log_format);
  auto settings = prepare(std::move(config), clock);
  if (!settings) {
    log::error("the agent cannot start", {{"error", settings.error().message}});
    return kFailed;
  }
  boost::asio::io_context io(1);
  Agent agent(io, clock, *std::move(settings), [&io] { io.stop(); });
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&agent](const boost::system::error_code& cancelled, int) {
    if (!cancelled) agent.stop();
  });
  agent.start();
  io.run();
  return kStopped;
}

int run(int argc, char** argv) {
  std::string path = "/etc/firebreak/agent.yaml";
  bool checks_only = false;
  CLI::App app("Probes what this host can see and reports it to the coordinator.",
               "firebreak-agent");
  app.add_option("--config", path, "the configuration")->capture_default_str();
  app.add_flag("--check", checks_only, "only say what is wrong with the configuration");
  app.set_version_flag("--version", "firebreak-agent " FIREBREAK_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kStopped : kMisused;
  }
  auto config = load_config(path);
  if (!config) return fail(kMisused, "the configuration has mistakes:\n" + config.error().message);
  if (checks_only) {
    std::printf("%s is correct\n", path.c_str());
    return kStopped;
  }
  return serve(*std::move(config));
}

}  // namespace
}  // namespace firebreak::agent

int main(int argc, char** argv) {
  firebreak::require_tls13();
  std::signal(SIGPIPE, SIG_IGN);
  int code = firebreak::agent::kFailed;
  try {
    code = firebreak::agent::run(argc, argv);
  } catch (const std::exception& error) {
    firebreak::log::error("the agent stops after an internal error", {{"error", error.what()}});
  }
  firebreak::log::stop();
  return code;
}
