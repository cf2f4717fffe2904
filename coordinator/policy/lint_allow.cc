// Reads the comments, which the YAML reader skips, line by line.
#include "coordinator/policy/lint_allow.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "common/text.h"

namespace firebreak::policy {
namespace {

constexpr std::string_view kMark = "# lint: allow ";
constexpr std::string_view kBlanks = " \t\r";

struct Allowance {
  std::string code;
  yaml::Place place;
  bool used = false;
};

bool is_code(char c) {
  return (c >= 'a' && c <= 'z') || c == '-';
}

// The codes behind the mark, parted by commas; what follows them is the reason.
std::vector<Allowance> read_codes(const std::string& file, int number, std::string_view line,
                                  std::size_t at) {
  std::vector<Allowance> found;
  while (true) {
    at = std::min(line.find_first_not_of(kBlanks, at), line.size());
    std::size_t end = at;
    while (end < line.size() && is_code(line[end])) ++end;
    if (end == at) return found;
    Allowance allowance;
    allowance.code = std::string(line.substr(at, end - at));
    allowance.place = {file, number, static_cast<int>(at) + 1, static_cast<int>(end - at)};
    found.push_back(std::move(allowance));
    at = std::min(line.find_first_not_of(kBlanks, end), line.size());
    if (at == line.size() || line[at] != ',') return found;
    ++at;
  }
}

using ByLine = std::map<std::pair<std::string, int>, std::vector<Allowance>>;

// By the line that they speak of: their own, or the next with something on it.
void read_file(const SourceFile& file, ByLine& allowances) {
  std::vector<Allowance> waiting;
  int number = 0;
  std::string_view rest = file.text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    const std::size_t first = line.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) continue;
    const std::size_t mark = line.find(kMark);
    const bool comment = mark != std::string_view::npos &&
                         (mark == 0 || kBlanks.find(line[mark - 1]) != std::string_view::npos);
    if (comment)
      for (Allowance& one : read_codes(file.path, number, line, mark + kMark.size()))
        waiting.push_back(std::move(one));
    if (line[first] == '#') continue;
    if (!waiting.empty()) allowances[{file.path, number}] = std::exchange(waiting, {});
  }
  if (!waiting.empty()) allowances[{file.path, number + 1}] = std::move(waiting);
}

bool is_allowed(ByLine& allowances, const LintFinding& finding) {
  bool allowed = false;
  for (const int line : {finding.problem.line, finding.owner_line}) {
    const auto found = allowances.find({finding.problem.file, line});
    if (found == allowances.end()) continue;
    for (Allowance& one : found->second) {
      if (one.code != finding.problem.code) continue;
      one.used = true;
      allowed = true;
    }
  }
  return allowed;
}

}  // namespace

void apply_allowances(const std::vector<SourceFile>& files, std::span<const std::string> codes,
                      std::vector<LintFinding>& findings) {
  ByLine allowances;
  for (const SourceFile& file : files) read_file(file, allowances);
  std::erase_if(findings,
                [&](const LintFinding& finding) { return is_allowed(allowances, finding); });
  for (const auto& [line, list] : allowances)
    for (const Allowance& one : list) {
      if (one.used) continue;
      const bool known = std::ranges::find(codes, one.code) != codes.end();
      yaml::Problem problem{one.place.file,
                            one.place.line,
                            one.place.column,
                            one.place.width,
                            known ? "'" + one.code + "' is allowed here, and there is none"
                                  : "there is no lint '" + one.code + "'",
                            known ? "" : did_you_mean(one.code, codes),
                            yaml::Severity::warning};
      problem.code = "unused-allow";
      problem.advice = "take the comment away, or move it to the line that it is about";
      findings.push_back({std::move(problem), 0});
    }
}

}  // namespace firebreak::policy
