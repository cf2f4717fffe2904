// policy test: plays files of tests and says how they went; asks no coordinator.
#include <dirent.h>
#include <re2/re2.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "common/limits.h"
#include "common/text.h"
#include "coordinator/rehearsal/junit.h"

namespace firebreak::cli {
namespace {

namespace json = boost::json;
using rehearsal::Coverage;
using rehearsal::Outcome;
using rehearsal::Played;
using rehearsal::PlayedFile;
using rehearsal::Suite;

struct Options {
  std::vector<std::string> files;
  std::string run;
  std::string junit;
  bool coverage = false;
  bool require_coverage = false;
};

struct Totals {
  std::size_t passed = 0, failed = 0, wrong = 0, left_out = 0;
  Duration played{}, took{};
};

// What was played of a policy, whichever files its tests are in.
struct PolicyCoverage {
  Coverage coverage;
  std::vector<std::string> files;
};

std::string json_text(std::string_view text) {
  return to_valid_utf8(text, limits::kApiReplyBytesMax);
}

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

Folder open_folder(const std::string& path) {
  return {::opendir(path.c_str()), &::closedir};
}

// A folder stands for the YAML files of its folder `tests`, or without one for its own.
std::vector<std::string> files_of(const std::string& path) {
  std::string root = path;
  Folder folder = open_folder(path);
  if (!folder) return {path};  // a file, or what reading it will say
  if (Folder tests = open_folder(path + "/tests")) {
    folder = std::move(tests);
    root += "/tests";
  }
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    if (!name.ends_with(".yaml") || name.starts_with('.')) continue;
    std::string file = root;
    files.push_back(std::move(file.append("/").append(name)));
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Run {
 public:
  Run(Context& context, const Options& options) : context_(context), options_(options) {}

  void run();

 private:
  void play(const std::string& path, const RE2& chosen);
  Played play(const Suite& suite, std::size_t test, Coverage* coverage);
  void count(const Played& played);
  void show(const PlayedFile& file) const;
  void show(const Played& played) const;
  void show_totals() const;
  void show_coverage() const;
  void print_json() const;
  void write_junit();
  void require_coverage();

  Context& context_;
  const Options& options_;
  std::vector<PlayedFile> files_;
  std::vector<json::array> file_problems_;
  std::map<std::string, PolicyCoverage> coverage_;  // by the policy's digest
  Totals totals_;
};

json::array to_json(const std::vector<yaml::Problem>& problems) {
  json::array list;
  for (const yaml::Problem& problem : problems)
    list.push_back({{"file", json_text(problem.file)},
                    {"line", problem.line},
                    {"column", problem.column},
                    {"message", json_text(problem.message)}});
  return list;
}

Played Run::play(const Suite& suite, std::size_t test, Coverage* coverage) {
  const auto begin = std::chrono::steady_clock::now();
  rehearsal::Observer observer;
  if (coverage != nullptr)
    observer = [coverage](const core::State& state, const core::Event& /*event*/,
                          const std::vector<core::Effect>& effects,
                          Instant now) { coverage->observe(state, effects, now); };
  Played played{suite.play(test, std::move(observer)), {}};
  played.took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin);
  return played;
}

void Run::count(const Played& played) {
  switch (played.result.outcome) {
    case Outcome::passed:
      ++totals_.passed;
      break;
    case Outcome::failed:
      ++totals_.failed;
      break;
    case Outcome::wrong:
      ++totals_.wrong;
      break;
  }
  totals_.played += played.result.played;
  totals_.took += played.took;
}

void Run::play(const std::string& path, const RE2& chosen) {
  const Suite suite(path);
  PlayedFile file{path, suite.ok() ? "" : suite.text(), {}};
  if (!suite.ok()) ++totals_.wrong;
  std::optional<Coverage> coverage;
  if (options_.coverage && suite.ok()) coverage.emplace(suite.policy());
  for (std::size_t test = 0; suite.ok() && test < suite.size(); ++test) {
    if (!RE2::PartialMatch(suite.name(test), chosen)) {
      ++totals_.left_out;
      continue;
    }
    file.tests.push_back(play(suite, test, coverage ? &*coverage : nullptr));
    count(file.tests.back());
  }
  if (coverage) {
    const auto [known, is_new] =
        coverage_.try_emplace(suite.policy()->digest, PolicyCoverage{*coverage, {}});
    if (!is_new) known->second.coverage.merge(*coverage);
    known->second.files.push_back(path);
  }
  if (context_.output == Output::table) show(file);
  files_.push_back(std::move(file));
  file_problems_.push_back(to_json(suite.problems()));
}

void Run::show(const PlayedFile& file) const {
  if (!file.problems.empty())
    std::cout << paint(Paint::bad, "WRONG") << "  " << escape_line(file.path) << "\n"
              << file.problems;
  for (const Played& played : file.tests) show(played);
}

void Run::show(const Played& played) const {
  const rehearsal::TestResult& result = played.result;
  const bool passed = result.outcome == Outcome::passed;
  const char* word = passed ? "PASS " : result.outcome == Outcome::failed ? "FAIL " : "WRONG";
  std::cout << paint(passed ? Paint::good : Paint::bad, word) << "  "
            << escape_line(result.place.file) << ": " << escape_line(result.name) << " ("
            << humanize_duration(result.played) << " in " << humanize_duration(played.took) << ")\n"
            << result.text;
}

void Run::show_totals() const {
  std::cout << totals_.passed << " passed, " << totals_.failed << " failed, " << totals_.wrong
            << " wrong";
  if (totals_.left_out > 0) std::cout << ", " << totals_.left_out << " left out";
  std::cout << "; " << humanize_duration(totals_.played) << " played in "
            << humanize_duration(totals_.took) << "\n";
}

struct Share {
  std::size_t reached = 0, all = 0;
};
Share share_of(const Coverage& coverage, Coverage::Kind kind) {
  Share share;
  for (const Coverage::Item& item : coverage.items()) {
    if (item.kind != kind) continue;
    ++share.all;
    share.reached += item.reached ? 1 : 0;
  }
  return share;
}

void Run::show_coverage() const {
  for (const auto& [digest, of] : coverage_) {
    std::cout << "coverage of policy " << digest.substr(0, kDigestShown) << " ("
              << escape_line(of.files.front());
    if (of.files.size() > 1) std::cout << " and " << of.files.size() - 1 << " more";
    std::cout << "):";
    const char* comma = " ";
    for (const Coverage::Kind kind : rehearsal::kCoverageKinds) {
      const Share share = share_of(of.coverage, kind);
      if (share.all == 0) continue;
      std::cout << comma << share.reached << " of " << share.all << " " << to_string(kind) << "s";
      comma = ", ";
    }
    std::cout << "\n";
    for (const Coverage::Item& item : of.coverage.items())
      if (!item.reached)
        std::cout << "  not reached: " << to_string(item.kind) << " " << escape_line(item.name)
                  << "\n";
  }
}

json::object to_json(const Played& played) {
  return {{"name", json_text(played.result.name)},
          {"line", played.result.place.line},
          {"outcome", to_string(played.result.outcome)},
          {"played_us", played.result.played.count()},
          {"took_us", played.took.count()},
          {"problems", to_json(played.result.problems)},
          {"text", json_text(played.result.text)}};
}

json::object to_json(const std::string& digest, const PolicyCoverage& of) {
  json::object one{{"policy", digest}};
  json::array files, missed;
  for (const std::string& file : of.files) files.push_back(json::string(json_text(file)));
  for (const Coverage::Kind kind : rehearsal::kCoverageKinds) {
    const Share share = share_of(of.coverage, kind);
    one[std::string(to_string(kind)) + "s"] =
        json::object{{"reached", share.reached}, {"all", share.all}};
  }
  for (const Coverage::Item& item : of.coverage.items())
    if (!item.reached)
      missed.push_back({{"kind", to_string(item.kind)}, {"name", json_text(item.name)}});
  one["files"] = std::move(files);
  one["missed"] = std::move(missed);
  return one;
}

void Run::print_json() const {
  json::array files;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    json::array tests;
    for (const Played& played : files_[i].tests) tests.push_back(to_json(played));
    files.push_back({{"file", json_text(files_[i].path)},
                     {"problems", file_problems_[i]},
                     {"text", json_text(files_[i].problems)},
                     {"tests", std::move(tests)}});
  }
  json::object reply{{"files", std::move(files)},
                     {"passed", totals_.passed},
                     {"failed", totals_.failed},
                     {"wrong", totals_.wrong},
                     {"left_out", totals_.left_out}};
  if (options_.coverage) {
    json::array list;
    for (const auto& [digest, of] : coverage_) list.push_back(to_json(digest, of));
    reply["coverage"] = std::move(list);
  }
  std::cout << json::serialize(reply) << "\n";
}

void Run::write_junit() {
  std::ofstream out(options_.junit, std::ios::binary | std::ios::trunc);
  out << rehearsal::to_junit(files_);
  out.close();
  if (out) return;
  std::cerr << "firebreak: " << escape_line(options_.junit) << ": cannot be written\n";
  context_.exit_code = kUsage;
}

void Run::run() {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 chosen(options_.run, quiet);
  if (!chosen.ok()) {
    std::cerr << "firebreak: --run: " << escape_line(chosen.error()) << "\n";
    context_.exit_code = kUsage;
    return;
  }
  for (const std::string& path : options_.files) {
    const std::vector<std::string> files = files_of(path);
    if (files.empty()) {
      std::cerr << "firebreak: " << escape_line(path) << ": holds no *.yaml with tests\n";
      context_.exit_code = kUsage;
      return;
    }
    for (const std::string& file : files) play(file, chosen);
  }
  if (totals_.failed > 0) context_.exit_code = kFailed;
  if (totals_.wrong > 0) context_.exit_code = kUsage;
  if (totals_.passed + totals_.failed + totals_.wrong == 0) {
    std::cerr << "firebreak: no test has a name that matches " << escape_line(options_.run) << "\n";
    context_.exit_code = kUsage;
  }
  if (context_.output == Output::json) {
    print_json();
  } else {
    show_totals();
    show_coverage();
  }
  if (!options_.junit.empty()) write_junit();
  if (options_.require_coverage) require_coverage();
}

// What failed or was wrong is worse.
void Run::require_coverage() {
  std::size_t missed = 0;
  for (const auto& [digest, of] : coverage_)
    for (const Coverage::Item& item : of.coverage.items()) missed += item.reached ? 0 : 1;
  if (missed == 0) return;
  std::cerr << "firebreak: no test reached " << missed << " of what the policy says\n";
  if (context_.exit_code == kDone) context_.exit_code = kFailed;
}

}  // namespace

void add_policy_test_command(CLI::App& group, Context& context) {
  auto* command = group.add_subcommand(
      "test", "play files of tests over a policy on a clock of their own; asks no coordinator");
  const auto options = std::make_shared<Options>();
  command->add_option("FILE", options->files, "or a folder: its tests/*.yaml, or *.yaml")
      ->required();
  command->add_option("--run", options->run, "only tests whose name this regular expression finds")
      ->option_text("REGEX");
  command->add_option("--junit", options->junit, "write the results as JUnit's XML, too")
      ->option_text("FILE");
  command->add_flag(
      "--coverage", options->coverage,
      "which rules' levels, stages, actions, checklist items, tiers, manual steps and "
      "recommendations no test reached");
  command->add_flag_callback(
      "--require-coverage", [options] { options->coverage = options->require_coverage = true; },
      "the same, and exit 1 when there is one");
  command->callback([&context, options] { Run(context, *options).run(); });
}

}  // namespace firebreak::cli
