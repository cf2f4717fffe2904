// heartbeat: a job of this host reports to the host's agent, or is run and reported on.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cmath>
#include <iostream>
#include <locale>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cli/agent_socket.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "common/limits.h"
#include "common/text.h"
#include "probes/heartbeat_report.h"

namespace firebreak::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kStartWithin = 2s;  // the job waits for it
constexpr Duration kAnswerWithin = 10s;
constexpr Duration kTryAgainAfter = 1s;
constexpr Duration kWaitMax = 1h;

struct HeartbeatFlags {
  std::string name;
  std::string socket = probes::kHeartbeatSocket;
  std::string state = "ok";
  std::string message;
  std::vector<std::string> values;
  std::string wait = "15s";  // an agent that is restarted is back by then
  std::vector<std::string> command;
};

Duration wait_of(const HeartbeatFlags& flags) {
  const auto wait = parse_duration(flags.wait);
  if (!wait || *wait > kWaitMax)
    throw CLI::ValidationError("--wait", "write a duration of at most 1h, such as 15s");
  return *wait;
}

boost::json::object values_of(const std::vector<std::string>& texts) {
  boost::json::object values;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    double number = 0;
    std::istringstream digits(equals == std::string::npos ? "" : text.substr(equals + 1));
    digits.imbue(std::locale::classic());
    if (!(digits >> number) || !digits.eof() || !std::isfinite(number))
      throw CLI::ValidationError("--value", "write it as NAME=NUMBER, such as files=42");
    values[text.substr(0, equals)] = number;
  }
  return values;
}

std::string body_of(const std::string& state, const std::string& message,
                    const boost::json::object& values) {
  boost::json::object report;
  report["state"] = state;
  report["message"] = to_valid_utf8(message, limits::kEvidenceBytesMax);
  report["values"] = values;
  return boost::json::serialize(report);
}

int exit_of(const Error& error) {
  return error.code == Errc::invalid_argument ? kUsage : kUnreachable;
}

void warn(const std::string& name, const std::string& why) {
  std::cerr << "firebreak: heartbeat '" << escape_line(name) << "': " << escape_line(why) << "\n";
}

// An exit code; says on standard error what is not well.
int send_report(const HeartbeatFlags& flags, const std::string& body, Duration within,
                Duration wait) {
  for (;; wait -= kTryAgainAfter) {
    const auto answer =
        ask_agent(flags.socket, "POST", "/v1/heartbeat/" + flags.name, body, within);
    if (answer && answer->status == 200) return kDone;
    const std::string said = answer ? answer->body : answer.error().message;
    if (answer && answer->status == 202) {
      warn(flags.name, said);
      return kDone;
    }
    const bool may_help = answer ? answer->status == 503 : exit_of(answer.error()) == kUnreachable;
    if (!may_help || wait <= Duration{}) {
      warn(flags.name, "not reported: " + said);
      return answer ? kFailed : exit_of(answer.error());
    }
    std::this_thread::sleep_for(std::min(wait, kTryAgainAfter));
  }
}

// The exit code is the command's, whatever becomes of the reports.
int run_and_report(const HeartbeatFlags& flags) {
  boost::json::object values = values_of(flags.values);
  const Duration wait = wait_of(flags);
  (void)send_report(flags, body_of("started", "", {}), kStartWithin, {});
  return run_job(flags.command, [&](const JobEnd& end) {
    if (!end.has_run) std::cerr << "firebreak: " << escape_line(end.how) << "\n";
    values["exit_code"] = end.exit_code;
    const bool has_both = !end.how.empty() && !end.tail.empty();
    const std::string said = end.how + (has_both ? ": " : "") + end.tail;
    const std::string message = flags.message.empty() ? said : flags.message + ": " + said;
    (void)send_report(flags, body_of(end.exit_code == 0 ? "ok" : "critical", message, values),
                      kAnswerWithin, wait);
  });
}

}  // namespace

void add_heartbeat_command(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "heartbeat", "report to the agent of this host that a job ran, or run it and report");
  const auto flags = std::make_shared<HeartbeatFlags>();
  command->add_option("NAME", flags->name, "as a probe of kind heartbeat has it")->required();
  CLI::Option* const run = command->add_option(
      "COMMAND", flags->command, "after --: run it, report its start, its end, how long it took");
  command->add_option("--state", flags->state, "without a command: how it went")
      ->excludes(run)
      ->check(CLI::IsMember({"ok", "warning", "critical", "started"}))
      ->capture_default_str();
  command->add_option("--message", flags->message, "what to say about it, at most 1,024 bytes");
  command->add_option("--value", flags->values, "NAME=NUMBER; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--wait", flags->wait, "so long for an agent that does not listen")
      ->capture_default_str();
  command->add_option("--socket", flags->socket, "where the agent listens")->capture_default_str();
  command->footer(
      "Examples:\n  firebreak heartbeat nightly-backup -- /usr/local/bin/backup --all\n"
      "  firebreak heartbeat mirror --message '4 files' --value files=4\n"
      "  firebreak heartbeat mirror --state critical --message 'disk full'\n\n"
      "Exit codes: with a command its own (128 and the signal; 126, 127: it cannot be run), "
      "whether "
      "it was reported or not; otherwise 0 reported, 1 refused, 2 wrong usage, 4 no agent "
      "listens.");
  command->callback([&context, flags] {
    if (!flags->command.empty()) {
      context.exit_code = run_and_report(*flags);
      return;
    }
    context.exit_code =
        send_report(*flags, body_of(flags->state, flags->message, values_of(flags->values)),
                    kAnswerWithin, wait_of(*flags));
  });
}

}  // namespace firebreak::cli
