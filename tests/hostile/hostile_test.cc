// Every kind of probe against every behaviour of a server: it ends in time, stays small, says what
// can be shown, and blames the right thing.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/hostile/cells.h"
#include "tests/hostile/crowd.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak::hostile {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAtOnce = 32;
constexpr std::size_t kAtOnceSilent = 8;  // of each of many cells at once
constexpr std::size_t kAtOnceLong = 4;
constexpr auto kDeadline = 300ms;
constexpr auto kFarDeadline = 10s;  // for whoever must know before it
constexpr std::size_t kCutsMax = 400;
constexpr std::size_t kGrowthMax = 2u << 20;  // of a probe

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasuresMemory = false;  // shadows of everything are counted, too
#else
constexpr bool kMeasuresMemory = true;
#endif

class Hostile : public ::testing::TestWithParam<Kind> {
 protected:
  [[nodiscard]] Question question(const Kit& kit, std::size_t server, const std::string& name,
                                  bool at_deadline) const {
    const Kind& kind = GetParam();
    Question one;
    one.name = name;
    one.timeout = at_deadline ? Duration(kDeadline) : Duration(kFarDeadline);
    one.kind = kind.spec({kit.port(server), certificates_.authority(), secret_});
    if (kind.where == Where::unix_socket) one.options.system_bus = "unix:path=" + kit.path(server);
    return one;
  }

  // Several cells together; each of their probes may add so much.
  void run(const Kit& kit, const std::vector<Cell>& cells, const std::vector<std::size_t>& which,
           std::size_t at_once) const {
    std::vector<Question> questions;
    questions.reserve(which.size());
    for (const std::size_t i : which) {
      questions.push_back(question(kit, i, cells[i].name, cells[i].at_deadline));
      questions.back().at_once = at_once;
    }
    reset_peak();
    const std::size_t before = resident_bytes();
    const auto answers = ask(questions);
    const std::size_t peak = peak_bytes();
    if (kMeasuresMemory) {
      EXPECT_LE(peak, before + which.size() * at_once * kGrowthMax)
          << GetParam().name << ": " << cells[which[0]].name;
    }
    for (std::size_t i = 0; i < which.size(); ++i)
      expect_failures(answers[i], cells[which[i]].reasons, questions[i].timeout,
                      GetParam().name + ": " + cells[which[i]].name);
  }

  Certificates certificates_;
  testing::TempDir folder_;
  std::string secret_ = testing::secret_file(folder_, "password");
};

TEST_P(Hostile, TheGoodConversationPleases) {
  const Kind& kind = GetParam();
  const Kit kit(kind.where, {server_of(kind, certificates_, {kind.good})});

  const auto answers = ask({question(kit, 0, "good", false)});

  testing::expect_ok(answers[0][0]);
  expect_well_formed(answers[0][0], kFarDeadline);
}

TEST_P(Hostile, EndsInTimeStaysSmallAndBlamesTheRightThing) {
  const Kind& kind = GetParam();
  const std::vector<Cell> cells = cells_of(kind, certificates_);
  std::vector<Server> servers;
  servers.reserve(cells.size() + 1);
  for (const Cell& cell : cells) servers.push_back(cell.server);
  servers.push_back(server_of(kind, certificates_, {kind.good}));
  const Kit kit(kind.where, std::move(servers));
  // What is loaded once is nobody's growth.
  (void)ask({question(kit, cells.size(), "good", false)});

  std::vector<std::size_t> silent;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Act& last = cells[i].server.tls ? cells[i].server.inside : cells[i].server.clear;
    if (cells[i].at_deadline && (last.more.empty() || last.pause > 0ms))
      silent.push_back(i);
    else
      run(kit, cells, {i}, cells[i].is_long ? kAtOnceLong : kAtOnce);
  }
  run(kit, cells, silent, kAtOnceSilent);
}

TEST_P(Hostile, AnAnswerThatIsCutAnywhereIsNone) {
  const Kind& kind = GetParam();
  std::size_t size = kind.made_bytes;
  for (const Reply& reply : kind.good) size += reply.send.size();
  const std::size_t cuts = std::min(size, kCutsMax);
  std::vector<Server> servers;
  servers.reserve(cuts);
  for (std::size_t bytes = 0; bytes < cuts; ++bytes)
    servers.push_back(server_of(kind, certificates_, {kind.good, bytes}));
  const Kit kit(kind.where, std::move(servers));
  std::vector<Question> questions;
  questions.reserve(cuts);
  for (std::size_t bytes = 0; bytes < cuts; ++bytes)
    questions.push_back(question(kit, bytes, std::to_string(bytes), false));

  const auto answers = ask(questions);

  for (std::size_t bytes = 0; bytes < cuts; ++bytes) {
    const Observation& result = answers[bytes][0];
    SCOPED_TRACE(kind.name + " after " + std::to_string(bytes) + " bytes of " +
                 std::to_string(size) + ": " + to_string(result.reason) + ": " +
                 result.evidence.substr(0, 200));
    expect_well_formed(result, kFarDeadline);
    if (result.status == Status::ok) {
      EXPECT_GE(bytes + kind.farewell, size);
    } else {
      EXPECT_TRUE(kind.early_end.contains(result.reason));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Hostile, ::testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace firebreak::hostile
