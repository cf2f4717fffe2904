// docs_writer write|check FILE...: the generated tables of the reference. docs_writer sample
// policy|tests: a file with every key. scripts/docs and the tests of this folder call it.
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "coordinator/policy/keys.h"
#include "coordinator/rehearsal/keys.h"
#include "tests/docs/reference.h"
#include "tests/support/files.h"
#include "tests/support/shape_sample.h"

namespace {

// What no table shows, with the reason.
const std::vector<std::string> kToldElsewhere{
    "policy policy.",       // a heading of the page for each of its sections
    "policy http-action.",  // as in an http probe
};

int first_difference(const std::string& a, const std::string& b) {
  int line = 1;
  for (std::size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i)
    line += a[i] == '\n' ? 1 : 0;
  return line;
}

int pages(bool write, const std::vector<std::string>& files) {
  int wrong = 0;
  std::set<std::string> told;
  for (const std::string& file : files) {
    const std::string text = firebreak::testing::read_file(file);
    const firebreak::docs::Page page = firebreak::docs::generated(text);
    for (const std::string& problem : page.wrong) std::cerr << file << ":" << problem << "\n";
    wrong += static_cast<int>(page.wrong.size());
    told.insert(page.told.begin(), page.told.end());
    if (page.text == text || !page.wrong.empty()) continue;
    if (write) {
      firebreak::testing::write_file(file, page.text);
      std::cout << file << "\n";
      continue;
    }
    std::cerr << file << ":" << first_difference(text, page.text)
              << ": not what is generated; run scripts/docs\n";
    ++wrong;
  }
  for (const std::string& key : firebreak::docs::untold(told)) {
    bool elsewhere = false;
    for (const std::string& beginning : kToldElsewhere)
      elsewhere = elsewhere || key.starts_with(beginning);
    if (elsewhere) continue;
    std::cerr << "no page tells of '" << key
              << "'; add <!-- generated: " << key.substr(0, key.find('.')) << " -->\n";
    ++wrong;
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string what = arguments.size() < 2 ? "" : arguments.front();
  if (what == "write" || what == "check")
    return pages(what == "write", {arguments.begin() + 1, arguments.end()});
  if (what == "sample" && (arguments[1] == "policy" || arguments[1] == "tests")) {
    const auto& file = arguments[1] == "policy" ? firebreak::policy::shape::policy_keys()
                                                : firebreak::rehearsal::test_keys();
    std::cout << boost::json::serialize(firebreak::testing::sample_of(file)) << "\n";
    return 0;
  }
  std::cerr << "docs_writer: say 'write FILE...', 'check FILE...' or 'sample policy|tests'\n";
  return 2;
}
