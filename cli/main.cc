// `firebreak`: what people and programs ask a coordinator, and what needs none.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <map>

#include "cli/commands.h"
#include "common/text.h"
#include "proto/credentials.h"

namespace firebreak::cli {
namespace {

void add_global_options(CLI::App& app, Context& context) {
  const std::string group = "Where the coordinator is, and who you are";
  app.add_option("--coordinator", context.coordinator, "HOST:PORT ($FIREBREAK_COORDINATOR)")
      ->group(group);
  app.add_option("--ca", context.ca, "the authority's certificate ($FIREBREAK_CA)")->group(group);
  app.add_option("--cert", context.certificate, "your certificate ($FIREBREAK_CERT)")->group(group);
  app.add_option("--key", context.key, "its key ($FIREBREAK_KEY)")->group(group);
  app.add_option("-o,--output", context.output, "table, or json for programs")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Output>{{"table", Output::table}, {"json", Output::json}}))
      ->option_text("table|json");
}

// Options before or after the subcommand are the same.
void fall_through(CLI::App& app) {
  app.fallthrough();
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    fall_through(*command);
}

// A command that does not exist is reported by CLI11 as one that is missing.
int explain_missing(const CLI::App& app, const CLI::RequiredError& error) {
  const std::vector<std::string> rest = app.remaining();
  if (rest.empty()) return app.exit(error) == 0 ? kDone : kUsage;
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::vector<std::string> known;
  for (const CLI::App* command : at->get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(command->get_name());
  const std::string meant = did_you_mean(rest.front(), known);
  std::cerr << "firebreak: there is no command '" << escape_line(rest.front()) << "'"
            << (meant.empty() ? "; see 'firebreak --help'" : "; did you mean '" + meant + "'?")
            << "\n";
  return kUsage;
}

int run(int argc, char** argv) {
  CLI::App app("firebreak: probe, decide, contain, and prove it is over", "firebreak");
  app.set_version_flag("--version", "firebreak " FIREBREAK_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 inconclusive, 4 no coordinator "
      "answered.\nFiles: ~/.config/firebreak/config.yaml (coordinator, ca, cert, key).");
  Context context;
  add_global_options(app, context);
  add_view_commands(app, context);
  add_incident_commands(app, context);
  add_fact_commands(app, context);
  add_quieting_commands(app, context);
  add_explain_command(app, context);
  add_validate_command(app, context);
  add_policy_commands(app, context);
  add_probe_command(app, context);
  add_heartbeat_command(app, context);
  add_expr_command(app, context);
  add_pki_commands(app, context);
  add_doctor_command(app, context);
  fall_through(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    return explain_missing(app, error);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  return context.exit_code;
}

}  // namespace
}  // namespace firebreak::cli

int main(int argc, char** argv) {
  firebreak::require_tls13();
  std::signal(SIGPIPE, SIG_IGN);  // `firebreak ... | head` ends by a write that fails
  try {
    return firebreak::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "firebreak: " << firebreak::escape_block(error.what()) << "\n";
    return firebreak::cli::kFailed;
  }
}
