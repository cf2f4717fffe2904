// explain: why a service is judged as it is, and why its playbook does or does not act.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/explain_text.h"
#include "cli/past.h"
#include "cli/terminal.h"
#include "cli/when.h"
#include "common/text.h"
#include "coordinator/core/explain.h"
#include "coordinator/report/explanation.h"

namespace firebreak::cli {
namespace {

struct ExplainWanted {
  std::string about;
  std::string at;
  std::string state = kStateFolder;
};

void show(Context& context, const v1::ExplainResponse& reply) {
  if (context.output == Output::json) return print_json(reply);
  std::cout << render(reply);
}

void explain_now(Context& context, const std::string& about) {
  v1::ExplainRequest request;
  request.set_about(about);
  v1::ExplainResponse reply;
  if (call(context, &v1::OperatorService::Stub::Explain, request, reply)) show(context, reply);
}

Result<core::Explanation> explanation_at(const ExplainWanted& wanted) {
  const auto at = parse_when(wanted.at, instant_from_unix_us(now_unix_us()));
  if (!at) return at.error();
  auto recording = store::Recording::open(wanted.state, compile_recorded);
  if (!recording) return recording.error();
  const auto state = state_at(*recording, *at);
  if (!state) return state.error();
  const auto question = core::find_question(*state, wanted.about);
  if (!question) return question.error();
  return core::explain(*state, *question, *at);
}

void explain_past(Context& context, const ExplainWanted& wanted) {
  const auto explanation = explanation_at(wanted);
  if (explanation) return show(context, report::to_message(*explanation));
  std::cerr << "firebreak: " << escape_block(explanation.error().message) << "\n";
  context.exit_code = kFailed;
}

}  // namespace

void add_explain_command(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "explain", "why: each rule with the value of every input, and what is against each action");
  const auto wanted = std::make_shared<ExplainWanted>();
  command
      ->add_option("INCIDENT|SERVICE|RULE", wanted->about, "a rule by its name or as SERVICE/RULE")
      ->required();
  auto* at = command->add_option(
      "--at", wanted->at, "as it was then: 10m (ago), 02:14, 2026-11-21T02:14:07Z; from --state");
  command
      ->add_option("--state", wanted->state,
                   "a coordinator's state folder, or a copy of it; with --at")
      ->capture_default_str()
      ->needs(at);
  command->callback([&context, wanted] {
    if (wanted->at.empty())
      explain_now(context, wanted->about);
    else
      explain_past(context, *wanted);
  });
}

}  // namespace firebreak::cli
