// CLI11 stays in here.
#include "common/service_main.h"

#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "common/clock.h"
#include "common/log.h"
#include "common/protobuf_log.h"

namespace firebreak::service {
namespace {

int parse_and_work(const Program& program, int argc, char** argv,
                   const std::function<int(const std::string&, bool)>& work) {
  std::string config = program.config;
  bool checks_only = false;
  CLI::App app(program.purpose, program.name);
  app.add_option("--config", config, "the configuration")->capture_default_str();
  app.add_flag("--check", checks_only, program.check_help);
  app.set_version_flag("--version", program.name + " " + program.version);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kStopped : kMisused;
  }
  return work(config, checks_only);
}

}  // namespace

int fail(const Program& program, ExitCode code, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", program.name.c_str(), message.c_str());
  return code;
}

int run(const Program& program, int argc, char** argv,
        const std::function<int(const std::string& config, bool checks_only)>& work) {
  static const SystemClock clock;  // threads of gRPC may parse to the very end
  std::signal(SIGPIPE, SIG_IGN);
  log_protobuf(clock);
  int code = kFailed;
  try {
    code = parse_and_work(program, argc, argv, work);
  } catch (const std::exception& error) {
    log::error("stops after an internal error",
               {{"program", program.name}, {"error", error.what()}});
  }
  log::stop();
  return code;
}

}  // namespace firebreak::service
