// doctor: looks at a coordinator's or an agent's files; asks neither.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "agent/state/doctor.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "common/finding.h"
#include "common/text.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/doctor.h"

namespace firebreak::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kTextBytesShown = 1024;  // of one finding

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy)
    return make_error(Errc::failed_precondition,
                      "a policy that this version refuses: " + loaded.problems);
  return std::move(loaded.policy);
}

int exit_code_of(Health health) {
  return health == Health::sound ? 0 : health == Health::damaged ? 1 : 2;
}

Paint paint_of(Health health) {
  return health == Health::sound     ? Paint::good
         : health == Health::damaged ? Paint::warn
                                     : Paint::bad;
}

json::array to_json(const std::vector<Finding>& findings) {
  json::array list;
  for (const Finding& finding : findings)
    list.push_back({{"health", to_string(finding.health)},
                    {"file", to_valid_utf8(finding.file, kTextBytesShown)},
                    {"what", to_valid_utf8(finding.what, kTextBytesShown)}});
  return list;
}

json::object to_json(const store::Salvage& saved) {
  json::array lost;
  for (const std::string& one : saved.lost)
    lost.push_back(json::string(to_valid_utf8(one, kTextBytesShown)));
  return {{"snapshot", saved.snapshot},
          {"last", saved.last},
          {"incidents", saved.incidents},
          {"effects", saved.effects},
          {"lost", std::move(lost)}};
}

void show(const std::vector<Finding>& findings) {
  Table table({"HEALTH", "FILE", "WHAT"});
  for (const Finding& finding : findings)
    table.row({{to_string(finding.health), paint_of(finding.health)},
               {finding.file},
               {finding.what.substr(0, kTextBytesShown)}});
  std::cout << table.render();
}

void show(const store::Salvage& saved, const std::string& into) {
  std::cout << "\nsaved in " << escape_line(into) << ": the journal up to position " << saved.last
            << (saved.snapshot == 0 ? std::string()
                                    : ", from a snapshot at " + std::to_string(saved.snapshot))
            << ", " << saved.incidents << " incidents, " << saved.effects << " effects\n";
  for (const std::string& one : saved.lost)
    std::cout << paint(Paint::bad, "lost") << ": " << escape_line(one) << "\n";
}

// An agent's folder also says how many results it holds.
Examination examine(const std::string& path, json::array& spools) {
  if (!agent::is_agent_folder(path)) return store::examine(path, compile);
  auto agent = agent::examine_agent(path, WallTime{Duration{now_unix_us()}});
  if (agent.spool)
    spools.push_back({{"folder", to_valid_utf8(path, kTextBytesShown)},
                      {"sendable", agent.spool->sendable},
                      {"lost_at_most", agent.spool->lost_at_most}});
  return std::move(agent.examination);
}

void examine(Context& context, const std::vector<std::string>& paths, const std::string& into) {
  std::vector<Finding> findings;
  json::array spools;
  for (const std::string& path : paths) {
    auto examined = examine(path, spools);
    context.exit_code = std::max(context.exit_code, exit_code_of(examined.verdict()));
    findings.insert(findings.end(), examined.findings.begin(), examined.findings.end());
  }
  json::object reply{{"findings", to_json(findings)}};
  if (!spools.empty()) reply["spools"] = std::move(spools);
  if (context.output == Output::table) show(findings);
  if (!into.empty()) {
    const auto saved = store::salvage(paths.front(), into, compile);
    if (!saved) {
      context.exit_code = exit_code_of(Health::lost);
      std::cerr << "firebreak: nothing was saved: " << escape_block(saved.error().message) << "\n";
    } else if (context.output == Output::table) {
      show(*saved, into);
    } else {
      reply["salvage"] = to_json(*saved);
    }
  }
  if (context.output == Output::json) std::cout << json::serialize(reply) << "\n";
}

}  // namespace

void add_doctor_command(CLI::App& app, Context& context) {
  auto* doctor = app.add_subcommand(
      "doctor",
      "what is damaged in a coordinator's or an agent's folder, and what can be saved; changes "
      "nothing");
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto into = std::make_shared<std::string>();
  doctor
      ->add_option("PATH", *paths,
                   "a coordinator's folder, its database, a snapshot; or an agent's folder")
      ->required();
  doctor->add_option(
      "--salvage", *into,
      "write what can be saved of the one PATH, a coordinator's, into this new folder");
  doctor->footer("Exit codes: 0 sound, 1 damaged but nothing needed is lost, 2 something is lost.");
  doctor->callback([&context, paths, into] {
    if (!into->empty() && paths->size() != 1)
      throw CLI::ValidationError("--salvage", "saves one PATH at a time");
    if (!into->empty() && agent::is_agent_folder(paths->front()))
      throw CLI::ValidationError(
          "--salvage", "an agent's folder needs none: its next start takes what can be read");
    examine(context, *paths, *into);
  });
}

}  // namespace firebreak::cli
