// policy check, apply, show, schema.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "common/limits.h"
#include "common/text.h"
#include "common/time.h"
#include "common/yaml.h"
#include "coordinator/policy/keys.h"
#include "coordinator/policy/loader.h"
#include "coordinator/policy/schema.h"
#include "coordinator/rehearsal/keys.h"

namespace firebreak::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kTextBytesShown = 4096;  // of one field of a finding

bool read_directory(Context& context, const std::string& directory,
                    std::vector<policy::SourceFile>& files) {
  auto read = policy::read_policy_directory(directory);
  if (!read) {
    std::cerr << "firebreak: " << escape_block(read.error().message) << "\n";
    context.exit_code = kFailed;
    return false;
  }
  files = std::move(*read);
  return true;
}

std::string count(std::size_t n, const char* noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

json::string text_of(const std::string& text) {
  return json::string(to_valid_utf8(text, kTextBytesShown));
}

json::object to_json(const yaml::Problem& problem) {
  const bool error = problem.severity == yaml::Severity::error;
  const std::string hint =
      problem.suggestion.empty() ? problem.advice : "did you mean '" + problem.suggestion + "'?";
  return {{"code", problem.code.empty() ? "invalid" : problem.code},
          {"severity", error ? "error" : "warning"},
          {"file", text_of(problem.file)},
          {"line", problem.line},
          {"column", problem.column},
          {"message", text_of(problem.message)},
          {"hint", text_of(hint)}};
}

json::object to_json(const policy::Loaded& loaded) {
  json::array findings;
  for (const yaml::Problem& problem : loaded.findings) findings.push_back(to_json(problem));
  return {{"digest", loaded.policy ? loaded.policy->digest : ""},
          {"errors", loaded.errors},
          {"warnings", loaded.warnings},
          {"findings", std::move(findings)}};
}

void check(Context& context, const std::string& directory, bool strict) {
  std::vector<policy::SourceFile> files;
  if (!read_directory(context, directory, files)) return;
  const policy::Loaded loaded = policy::load_policy(std::move(files));
  const bool failed = !loaded.policy || (strict && loaded.warnings > 0);
  if (failed) context.exit_code = kFailed;
  if (context.output == Output::json) {
    std::cout << json::serialize(to_json(loaded)) << "\n";
    return;
  }
  std::cerr << loaded.problems;
  if (failed) {
    std::cerr << (loaded.policy ? count(loaded.warnings, "warning") : count(loaded.errors, "error"))
              << " in " << escape_line(directory) << "\n";
    return;
  }
  const policy::Policy& policy = *loaded.policy;
  std::size_t probes = 0;
  for (const auto& [name, service] : policy.services) probes += service.probes.size();
  std::cout << paint(Paint::good, "ok") << ": " << count(policy.services.size(), "service") << ", "
            << count(probes, "probe") << ", " << count(policy.playbooks.size(), "playbook") << ", "
            << count(policy.receivers.size(), "receiver") << "; "
            << count(loaded.warnings, "warning") << "\n";
}

void apply(Context& context, const std::string& directory, bool check_only) {
  std::vector<policy::SourceFile> files;
  if (!read_directory(context, directory, files)) return;
  v1::ApplyPolicyRequest request;
  request.set_check_only(check_only);
  for (const policy::SourceFile& file : files) {
    auto* out = request.add_files();
    out->set_path(file.path);
    out->set_text(file.text);
  }
  v1::ApplyPolicyResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ApplyPolicy, request, reply)) return;
  const bool refused = reply.digest().empty() || (!reply.applied() && !check_only);
  if (refused) context.exit_code = kFailed;
  if (context.output == Output::json) return print_json(reply);
  // The parts of them that are somebody's text are escaped already.
  std::cerr << escape_controls(reply.problems(), limits::kApiReplyBytesMax);
  if (refused)
    std::cerr << "refused; the policy in force stays as it was\n";
  else
    std::cout << (reply.applied() ? "applied " : "would be applied: ")
              << escape_line(reply.digest().substr(0, 12)) << "\n";
}

void show(Context& context) {
  v1::GetPolicyResponse reply;
  if (!call(context, &v1::OperatorService::Stub::GetPolicy, v1::GetPolicyRequest(), reply)) return;
  if (context.output == Output::json) return print_json(reply);
  std::cout << "# " << escape_line(reply.digest()) << ", applied by "
            << escape_line(reply.applied_by()) << " at "
            << format_utc(instant_from_unix_us(reply.applied_unix_us())) << " UTC\n";
  for (const auto& file : reply.files())
    std::cout << "\n# " << escape_line(file.path()) << "\n"
              << escape_block(file.text(), std::size_t{1} << 20);
}

}  // namespace

void add_policy_commands(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("policy", "what the coordinator judges by");
  group->require_subcommand(1);

  auto* checked = group->add_subcommand(
      "check",
      "every mistake in a directory of policy files, and what is probably not meant; asks no "
      "coordinator");
  const auto directory = std::make_shared<std::string>();
  const auto strict = std::make_shared<bool>(false);
  checked->add_option("DIR", *directory)->required();
  checked->add_flag("--strict", *strict, "fail on warnings too");
  checked->footer("Exit codes: 0 no error, 1 an error, or with --strict a warning.");
  checked->callback([&context, directory, strict] { check(context, *directory, *strict); });

  auto* applied = group->add_subcommand("apply", "hand a directory to the coordinator");
  const auto source = std::make_shared<std::string>();
  const auto dry = std::make_shared<bool>(false);
  applied->add_option("DIR", *source)->required();
  applied->add_flag("--check-only", *dry, "ask whether it would be taken, change nothing");
  applied->callback([&context, source, dry] { apply(context, *source, *dry); });

  group->add_subcommand("show", "the policy in force")->callback([&context] { show(context); });
  auto* schema = group->add_subcommand(
      "schema", "a JSON Schema of policy files, for editors; asks no coordinator");
  const auto tests = std::make_shared<bool>(false);
  schema->add_flag("--tests", *tests, "of files of policy tests instead");
  schema->callback([tests] {
    std::cout << policy::shape::json_schema(*tests ? rehearsal::test_keys()
                                                   : policy::shape::policy_keys());
  });
  add_policy_test_command(*group, context);
}

}  // namespace firebreak::cli
