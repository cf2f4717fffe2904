// policy check, diff, apply, show, history, rollback, schema.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "agent/actuator/actions_file.h"
#include "cli/commands.h"
#include "cli/policy_diff_text.h"
#include "cli/terminal.h"
#include "common/limits.h"
#include "common/programs/program.h"
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

policy::HostEntries entries_of(const actuator::AllowList& allowed) {
  policy::HostEntries entries;
  for (const auto& [name, action] : allowed)
    entries.emplace(
        name, policy::HostEntry{action.timeout,
                                [owner = "action '" + name + "'",
                                 parameters = action.parameters](const programs::Values& values) {
                                  return programs::values_problem(owner, parameters, values);
                                }});
  return entries;
}

// False: said why. A mistake there would hide what the host allows.
bool read_hosts(Context& context, const std::vector<std::string>& paths,
                std::vector<policy::HostEntries>& hosts) {
  yaml::Problems problems;
  for (const std::string& path : paths)
    hosts.push_back(entries_of(actuator::read_actions_copy(path, problems).allowed));
  std::cerr << problems.render();
  if (!problems.ok()) context.exit_code = kFailed;
  return problems.ok();
}

struct CheckOptions {
  std::string directory;
  bool strict = false;
  std::vector<std::string> actions;
};

void check(Context& context, const CheckOptions& options) {
  std::vector<policy::SourceFile> files;
  std::vector<policy::HostEntries> hosts;
  if (!read_directory(context, options.directory, files)) return;
  if (!read_hosts(context, options.actions, hosts)) return;
  const policy::Loaded loaded = policy::load_policy(std::move(files), hosts);
  const bool failed = !loaded.policy || (options.strict && loaded.warnings > 0);
  if (failed) context.exit_code = kFailed;
  if (context.output == Output::json) {
    std::cout << json::serialize(to_json(loaded)) << "\n";
    return;
  }
  std::cerr << loaded.problems;
  if (failed) {
    std::cerr << (loaded.policy ? count(loaded.warnings, "warning") : count(loaded.errors, "error"))
              << " in " << escape_line(options.directory) << "\n";
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

std::vector<policy::SourceFile> files_of(const v1::GetPolicyResponse& reply) {
  std::vector<policy::SourceFile> files;
  for (const auto& file : reply.files()) files.push_back({file.path(), file.text()});
  return files;
}

// The policy in force; empty when there is none yet. False: said why.
bool get_policy(Context& context, const std::string& digest, v1::GetPolicyResponse& reply) {
  const auto stub = connect(context);
  if (!stub) return false;
  grpc::ClientContext client;
  set_deadline(client);
  v1::GetPolicyRequest request;
  request.set_digest(digest);
  const grpc::Status status = stub->GetPolicy(&client, request, &reply);
  if (digest.empty() && status.error_code() == grpc::StatusCode::NOT_FOUND) return true;
  if (!succeeded(context, client, status)) return false;
  if (reply.digest().starts_with(digest)) return true;
  std::cerr << "firebreak: this coordinator is of a version that keeps no earlier policies\n";
  context.exit_code = kFailed;
  return false;
}

// Asks for `files` in place of what `before` is. The difference is said first.
void replace_policy(Context& context, const v1::GetPolicyResponse& before,
                    const std::vector<policy::SourceFile>& files, bool check_only) {
  const policy::PolicyDiff changes = policy::diff(files_of(before), files);
  v1::ApplyPolicyRequest request;
  request.set_check_only(check_only);
  request.set_replaces(before.digest());
  for (const policy::SourceFile& file : files) {
    auto* out = request.add_files();
    out->set_path(file.path);
    out->set_text(file.text);
  }
  if (context.output == Output::table && !before.digest().empty())
    std::cout << render(changes, false);
  v1::ApplyPolicyResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ApplyPolicy, request, reply)) return;
  const bool refused = reply.digest().empty() || (!reply.applied() && !check_only);
  if (refused) context.exit_code = kFailed;
  if (context.output == Output::json) {
    std::cout << json::serialize(json::object{{"applied", reply.applied()},
                                              {"digest", reply.digest()},
                                              {"problems", reply.problems()},
                                              {"diff", diff_to_json(changes)}})
              << "\n";
    return;
  }
  // The parts of them that are somebody's text are escaped already.
  std::cerr << escape_controls(reply.problems(), limits::kApiReplyBytesMax);
  if (refused)
    std::cerr << "refused; the policy in force stays as it was\n";
  else
    std::cout << (reply.applied() ? "applied " : "would be applied: ")
              << escape_line(reply.digest().substr(0, kDigestShown)) << "\n";
}

void apply(Context& context, const std::string& directory, bool check_only) {
  std::vector<policy::SourceFile> files;
  if (!read_directory(context, directory, files)) return;
  v1::GetPolicyResponse before;
  if (get_policy(context, "", before)) replace_policy(context, before, files, check_only);
}

// The newest version before the one in force that is another policy; empty: said why.
std::string previous_digest(Context& context, const v1::GetPolicyResponse& now) {
  v1::ListPoliciesResponse history;
  if (!call(context, &v1::OperatorService::Stub::ListPolicies, v1::ListPoliciesRequest(), history))
    return {};
  for (const auto& version : history.versions())
    if (version.digest() != now.digest() && version.kept()) return version.digest();
  std::cerr << "firebreak: no other policy was in force that is still kept; see 'firebreak policy "
               "history'\n";
  context.exit_code = kFailed;
  return {};
}

void rollback(Context& context, std::string digest, bool check_only) {
  v1::GetPolicyResponse now, earlier;
  if (!get_policy(context, "", now)) return;
  if (digest.empty()) digest = previous_digest(context, now);
  if (digest.empty() || !get_policy(context, digest, earlier)) return;
  replace_policy(context, now, files_of(earlier), check_only);
}

// As diff(1): 1 when they differ, 2 when one of them cannot be had.
void compare(Context& context, const std::string& directory, const std::string& against,
             bool as_text) {
  std::vector<policy::SourceFile> before, after;
  bool read = read_directory(context, directory, after);
  if (read && !against.empty()) read = read_directory(context, against, before);
  if (read && against.empty()) {
    v1::GetPolicyResponse now;
    read = get_policy(context, "", now);
    before = files_of(now);
  }
  if (!read) {
    if (context.exit_code == kFailed) context.exit_code = kUsage;
    return;
  }
  const policy::PolicyDiff changes = policy::diff(before, after);
  if (!changes.same) context.exit_code = kFailed;
  if (context.output == Output::json)
    std::cout << json::serialize(diff_to_json(changes)) << "\n";
  else
    std::cout << render(changes, as_text);
}

void history(Context& context) {
  v1::ListPoliciesResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ListPolicies, v1::ListPoliciesRequest(), reply))
    return;
  if (context.output == Output::json) return print_json(reply);
  if (reply.versions().empty()) {
    std::cout << "No policy was in force yet.\n";
    return;
  }
  Table table({"DIGEST", "IN FORCE SINCE", "APPLIED BY", "KEPT"});
  const std::int64_t now = now_unix_us();
  bool first = true;
  for (const auto& version : reply.versions()) {
    table.row({{version.digest().substr(0, kDigestShown), first ? Paint::bold : Paint::plain},
               {clock_time(version.applied_unix_us(), now)},
               {version.applied_by()},
               {version.kept() ? "yes" : "no", version.kept() ? Paint::plain : Paint::dim}});
    first = false;
  }
  std::cout << table.render();
}

void show(Context& context, const std::string& digest) {
  v1::GetPolicyResponse reply;
  if (!get_policy(context, digest, reply)) return;
  if (reply.digest().empty()) {
    std::cerr << "firebreak: there is no policy yet; apply one\n";
    context.exit_code = kFailed;
    return;
  }
  if (context.output == Output::json) return print_json(reply);
  std::cout << "# " << escape_line(reply.digest()) << ", applied by "
            << escape_line(reply.applied_by()) << " at "
            << format_utc(instant_from_unix_us(reply.applied_unix_us())) << " UTC\n";
  for (const auto& file : reply.files())
    std::cout << "\n# " << escape_line(file.path()) << "\n"
              << escape_block(file.text(), std::size_t{1} << 20);
}

void add_replacing(CLI::App& group, Context& context) {
  auto* applied = group.add_subcommand(
      "apply", "hand a directory to the coordinator, and say what that changes");
  const auto source = std::make_shared<std::string>();
  const auto dry = std::make_shared<bool>(false);
  applied->add_option("DIR", *source)->required();
  applied->add_flag("--dry-run,--check-only", *dry,
                    "ask whether it would be taken, change nothing");
  applied->callback([&context, source, dry] { apply(context, *source, *dry); });

  auto* back = group.add_subcommand("rollback", "put a policy in force again that was in force");
  const auto digest = std::make_shared<std::string>();
  const auto try_only = std::make_shared<bool>(false);
  back->add_option("DIGEST", *digest,
                   "how its digest begins; otherwise the one before the one in force");
  back->add_flag("--dry-run", *try_only, "ask whether it would be taken, change nothing");
  back->callback([&context, digest, try_only] { rollback(context, *digest, *try_only); });
}

void add_looking(CLI::App& group, Context& context) {
  auto* compared = group.add_subcommand(
      "diff", "what a directory would change of the policy in force, or of another directory");
  const auto directory = std::make_shared<std::string>();
  const auto against = std::make_shared<std::string>();
  const auto as_text = std::make_shared<bool>(false);
  compared->add_option("DIR", *directory)->required();
  compared->add_option("--against", *against, "this directory instead; asks no coordinator");
  compared->add_flag("--text", *as_text, "the lines of the files, as diff -u");
  compared->footer(
      "Exit codes: 0 the same, 1 they differ, 2 one cannot be read, 4 no coordinator answered.");
  compared->callback([&context, directory, against, as_text] {
    compare(context, *directory, *against, *as_text);
  });

  group.add_subcommand("history", "the policies that were in force, newest first")
      ->callback([&context] { history(context); });
  auto* shown = group.add_subcommand("show", "the policy in force, or an earlier one");
  const auto digest = std::make_shared<std::string>();
  shown->add_option("DIGEST", *digest, "how its digest begins");
  shown->callback([&context, digest] { show(context, *digest); });
}

}  // namespace

void add_policy_commands(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("policy", "what the coordinator judges by");
  group->require_subcommand(1);

  auto* checked = group->add_subcommand(
      "check",
      "every mistake in a directory of policy files, and what is probably not meant; asks no "
      "coordinator");
  const auto options = std::make_shared<CheckOptions>();
  checked->add_option("DIR", options->directory)->required();
  checked->add_flag("--strict", options->strict, "fail on warnings too");
  checked
      ->add_option("--actions", options->actions,
                   "an actions.d of the hosts, or one file of it: is each host action allowed "
                   "there? Once for each kind of host")
      ->allow_extra_args(false);
  checked->footer("Exit codes: 0 no error, 1 an error, or with --strict a warning.");
  checked->callback([&context, options] { check(context, *options); });

  add_replacing(*group, context);
  add_looking(*group, context);
  add_backtest_command(*group, context);
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
