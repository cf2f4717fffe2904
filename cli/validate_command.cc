// validate: run a service's recovery checklist and watch it decide.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <set>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "common/text.h"

namespace firebreak::cli {
namespace {

const char* word(v1::Verdict verdict, bool running) {
  switch (verdict) {
    case v1::VERDICT_PASSED:
      return "passed";
    case v1::VERDICT_FAILED:
      return "failed";
    case v1::VERDICT_INCONCLUSIVE:
      return "inconclusive";
    default:
      return running ? "running" : "waiting";
  }
}

std::string progress_of(const v1::CheckProgress& check) {
  std::string text;
  if (check.attempts_max() > 0)
    text += "attempt " + std::to_string(check.attempt()) + " of " +
            std::to_string(check.attempts_max());
  if (check.hold_us() > 0)
    text += "held " + took(check.held_us()) + " of " + took(check.hold_us()) + ", " +
            std::to_string(check.samples()) + " samples";
  return text;
}

// Redraws in place on a terminal; elsewhere prints what changed.
class LiveView {
 public:
  void show(const v1::ValidationProgress& progress) {
    if (is_terminal_)
      redraw(progress);
    else
      append(progress);
  }

 private:
  void redraw(const v1::ValidationProgress& progress) {
    Table table({"CHECK", "VERDICT", "PROGRESS", "DETAIL"});
    for (const auto& check : progress.checks()) {
      const char* verdict = word(check.verdict(), check.running());
      table.row({{check.name(), Paint::bold},
                 {verdict, status_paint(verdict)},
                 {check.running() ? progress_of(check) : ""},
                 {to_valid_utf8(check.detail(), 100), Paint::dim}});
    }
    if (lines_ > 0) std::cout << "\x1b[" << lines_ << "A\x1b[J";
    std::cout << table.render() << std::flush;
    lines_ = progress.checks_size() + 1;
  }

  void append(const v1::ValidationProgress& progress) {
    for (const auto& check : progress.checks()) {
      if (check.verdict() == v1::VERDICT_UNSPECIFIED && !check.running()) continue;
      const std::string line = std::string(word(check.verdict(), check.running())) + "  " +
                               check.name() + "  " + check.detail();
      if (!told_.insert(std::to_string(check.index()) + line).second) continue;
      std::cout << clock_time(progress.now_unix_us(), progress.now_unix_us()) << "  "
                << escape_line(line) << std::endl;
    }
  }

  bool is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  int lines_ = 0;
  std::set<std::string> told_;
};

int exit_code_of(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_PASSED:
      return kDone;
    case v1::VERDICT_FAILED:
      return kFailed;
    default:
      return kInconclusive;
  }
}

void conclude(Context& context, const v1::ValidationProgress& last) {
  context.exit_code = exit_code_of(last.verdict());
  if (context.output == Output::json) return;
  std::cout << "\n"
            << escape_line(last.service()) << ": " << paint_status(word(last.verdict(), false))
            << " after " << took(last.now_unix_us() - last.started_unix_us()) << "\n";
}

void validate(Context& context, const std::string& service) {
  const auto stub = connect(context);
  if (!stub) return;
  grpc::ClientContext client;
  v1::ValidateRequest request;
  request.set_service(service);
  const auto stream = stub->Validate(&client, request);
  v1::ValidationProgress progress;
  v1::ValidationProgress last;
  LiveView view;
  while (stream->Read(&progress)) {
    if (context.output == Output::json)
      print_json(progress);
    else
      view.show(progress);
    last = progress;
  }
  const grpc::Status status = stream->Finish();
  if (!succeeded(context, client, status)) return;
  if (last.verdict() != v1::VERDICT_UNSPECIFIED) return conclude(context, last);
  std::cerr << "firebreak: the coordinator ended the validation without a verdict\n";
  context.exit_code = kInconclusive;
}

}  // namespace

void add_validate_command(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "validate", "run a service's recovery checklist; exits 0 passed, 1 failed, 3 inconclusive");
  const auto service = std::make_shared<std::string>();
  command->add_option("SERVICE", *service)->required();
  command->callback([&context, service] { validate(context, *service); });
}

}  // namespace firebreak::cli
