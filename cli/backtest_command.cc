// policy backtest: another policy over what a coordinator has recorded.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/past.h"
#include "cli/terminal.h"
#include "cli/when.h"
#include "common/text.h"
#include "coordinator/policy/loader.h"
#include "coordinator/rehearsal/backtest.h"

namespace firebreak::cli {
namespace {

namespace json = boost::json;
using rehearsal::BacktestResult;
using rehearsal::IncidentStory;

constexpr std::size_t kBacktestTextShown = 400;

struct BacktestWanted {
  std::string directory;
  std::string state = kStateFolder;
  std::string since = "24h";
  std::string until;
};

json::string short_text(const std::string& raw) {
  return json::string(to_valid_utf8(raw, kBacktestTextShown));
}

json::array to_json(const IncidentStory::Entries& entries) {
  json::array list;
  for (const auto& [at, what] : entries)
    list.push_back({{"at", format_rfc3339(at)}, {"what", short_text(what)}});
  return list;
}

json::value to_json(const std::optional<IncidentStory>& story) {
  if (!story) return nullptr;
  json::value resolved;
  if (story->resolved) resolved = json::string(format_rfc3339(*story->resolved));
  return json::object{
      {"id", short_text(story->id.str())}, {"opened", format_rfc3339(story->opened)},
      {"resolved", std::move(resolved)},   {"peak", short_text(story->peak)},
      {"declared", story->declared},       {"severities", to_json(story->severities)},
      {"pages", to_json(story->pages)},    {"actions", to_json(story->actions)},
      {"left_out", story->left_out}};
}

const IncidentStory& either(const rehearsal::StoryPair& pair) {
  return pair.recorded ? *pair.recorded : *pair.replayed;
}

json::object to_json(const BacktestResult& result) {
  json::array incidents, unseen;
  for (const auto& pair : result.incidents) {
    json::array differences;
    for (const std::string& one : pair.differences) differences.push_back(short_text(one));
    incidents.push_back({{"service", short_text(either(pair).service.str())},
                         {"differences", std::move(differences)},
                         {"recorded", to_json(pair.recorded)},
                         {"backtest", to_json(pair.replayed)}});
  }
  for (const std::string& probe : result.probes_unseen) unseen.push_back(short_text(probe));
  return {{"same", result.same()},
          {"since", format_rfc3339(result.since)},
          {"until", format_rfc3339(result.until)},
          {"results", result.results},
          {"incidents", std::move(incidents)},
          {"outcomes_supposed", result.outcomes_supposed},
          {"checks_supposed", result.checks_supposed},
          {"commands_ignored", result.commands_ignored},
          {"probes_unseen", std::move(unseen)}};
}

void show_supposed(const BacktestResult& result) {
  const auto say = [](std::uint64_t count, const char* what) {
    if (count > 0) std::cout << paint(Paint::warn, std::to_string(count) + what) << "\n";
  };
  say(result.outcomes_supposed,
      " outcomes of actions supposed: as the same action ended before, else succeeded after 1 s");
  say(result.checks_supposed, " checks of recovery supposed to pass: nothing of them is recorded");
  say(result.commands_ignored,
      " commands of people ignored: under this policy there was no such "
      "incident, service or fact");
  if (result.probes_unseen.empty()) return;
  std::vector<std::string> names(
      result.probes_unseen.begin(),
      result.probes_unseen.begin() +
          static_cast<std::ptrdiff_t>(std::min<std::size_t>(result.probes_unseen.size(), 20)));
  std::cout << paint(Paint::warn, "nothing is recorded of " +
                                      std::to_string(result.probes_unseen.size()) +
                                      " probes of this policy: " + join_words(names))
            << "\n";
}

void show(const BacktestResult& result) {
  std::size_t recorded = 0, replayed = 0;
  for (const auto& pair : result.incidents) {
    recorded += pair.recorded ? 1U : 0U;
    replayed += pair.replayed ? 1U : 0U;
  }
  std::cout << format_utc(result.since) << " to " << format_utc(result.until) << " UTC, "
            << result.results << " results: " << recorded << " incidents recorded, " << replayed
            << " with this policy\n";
  for (const auto& pair : result.incidents) {
    if (pair.differences.empty()) continue;
    const IncidentStory& story = either(pair);
    std::cout << "\n"
              << paint(Paint::bold, story.service.str()) << "  " << format_utc(story.opened) << "  "
              << paint(Paint::bad, story.peak)
              << (pair.recorded ? "  " + escape_line(story.id.str()) : std::string()) << "\n";
    for (const std::string& one : pair.differences)
      std::cout << "  " << paint(Paint::warn, to_valid_utf8(one, kBacktestTextShown)) << "\n";
  }
  std::cout << (result.same() ? paint(Paint::good, "no differences") + "\n" : "\n");
  show_supposed(result);
}

Result<BacktestResult> run(const BacktestWanted& wanted,
                           std::shared_ptr<const policy::Policy> policy) {
  const Instant now = instant_from_unix_us(now_unix_us());
  const auto since = parse_when(wanted.since, now);
  if (!since) return since.error();
  const auto until = wanted.until.empty() ? Result<Instant>(now) : parse_when(wanted.until, now);
  if (!until) return until.error();
  if (*until <= *since) return make_error(Errc::invalid_argument, "--until must be after --since");
  auto recording = store::Recording::open(wanted.state, compile_recorded);
  if (!recording) return recording.error();
  auto start = recording->start_before(*since);
  if (!start) return start.error();
  rehearsal::Backtest backtest(std::move(start->state), std::move(policy), {*since, *until});
  const auto replayed = recording->replay(start->position, [&](const store::JournalEntry& entry) {
    return backtest.take(entry.event, entry.at);
  });
  if (!replayed) return replayed.error();
  return backtest.finish();
}

void fail(Context& context, const std::string& why) {
  std::cerr << "firebreak: " << escape_block(why) << "\n";
  context.exit_code = kUsage;
}

void backtest(Context& context, const BacktestWanted& wanted) {
  auto files = policy::read_policy_directory(wanted.directory);
  if (!files) return fail(context, files.error().message);
  auto loaded = policy::load_policy(*std::move(files));
  if (!loaded.policy) {
    std::cerr << loaded.problems;
    context.exit_code = kUsage;
    return;
  }
  const auto result = run(wanted, std::move(loaded.policy));
  if (!result) return fail(context, result.error().message);
  if (!result->same()) context.exit_code = kFailed;
  if (context.output == Output::json)
    std::cout << json::serialize(to_json(*result)) << "\n";
  else
    show(*result);
}

}  // namespace

void add_backtest_command(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand(
      "backtest",
      "what a directory of policy files would have done with what a coordinator has recorded; "
      "asks no coordinator, changes nothing");
  const auto wanted = std::make_shared<BacktestWanted>();
  command->add_option("DIR", wanted->directory)->required();
  command->add_option("--state", wanted->state, "the coordinator's state folder, or a copy of it")
      ->capture_default_str();
  command->add_option("--since", wanted->since, "24h (ago), 02:14, 2026-11-21T02:14:07Z")
      ->capture_default_str();
  command->add_option("--until", wanted->until, "likewise; otherwise the end of the journal");
  command->footer(
      "Exit codes: 0 no differences, 1 differences, 2 the policy or the recording cannot be read.");
  command->callback([&context, wanted] { backtest(context, *wanted); });
}

}  // namespace firebreak::cli
