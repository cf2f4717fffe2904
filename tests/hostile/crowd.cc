// One event loop, as an agent has it.
#include "tests/hostile/crowd.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "common/ids.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::hostile {
namespace {

using namespace std::chrono_literals;

constexpr int kRoundsMax = 8;
constexpr auto kPatience = 60s;  // of a whole crowd; a probe that never ends ends the test

bool is_spoilt(const Observation& result) {
  return result.reason == Reason::prober &&
         result.evidence.starts_with("the agent itself did not run");
}

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

// The characters of valid UTF-8.
std::vector<std::uint32_t> characters_of(std::string_view text) {
  std::vector<std::uint32_t> codes;
  codes.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 && byte < 0xc0)
      codes.back() = codes.back() << 6 | (byte & 0x3fu);
    else
      codes.push_back(byte < 0x80   ? byte
                      : byte < 0xe0 ? byte & 0x1fu
                      : byte < 0xf0 ? byte & 0xfu
                                    : byte & 7u);
  }
  return codes;
}

// As the log and the terminal show it.
void expect_showable(std::string_view text) {
  const std::string shown = escape_line(text);
  ASSERT_EQ(to_valid_utf8(shown, shown.size()), shown);
  for (const std::uint32_t code : characters_of(shown)) ASSERT_FALSE(is_control(code)) << code;
}

// The probes of one question, those that are to be asked still.
class Group {
 public:
  Group(boost::asio::io_context& io, const Question& question, std::vector<Observation>& answers)
      : question_(question), answers_(answers), prober_(io, with_slots(question)) {}

  void start(const std::vector<std::size_t>& which) {
    ProbeSpec spec;
    spec.kind = question_.kind;
    spec.timeout = question_.timeout;
    for (const std::size_t i : which) {
      ++running_;
      prober_.start(
          spec,
          [this, i](Observation result) {
            answers_[i] = std::move(result);
            --running_;
          },
          [](Phase, std::string_view text) {
            EXPECT_LE(text.size(), limits::kTextBytesMax);
            EXPECT_EQ(to_valid_utf8(text, text.size()), text);
          });
    }
  }
  [[nodiscard]] std::size_t running() const { return running_; }
  [[nodiscard]] std::vector<std::size_t> spoilt() const {
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < answers_.size(); ++i)
      if (is_spoilt(answers_[i])) which.push_back(i);
    return which;
  }

 private:
  static ProberOptions with_slots(const Question& question) {
    ProberOptions options = question.options;
    options.in_flight_max = question.at_once;
    options.per_target_max = question.at_once;
    return options;
  }

  const Question& question_;
  std::vector<Observation>& answers_;
  std::size_t running_ = 0;
  Prober prober_;
};

// False when some probe never ended.
bool wait_for_all(boost::asio::io_context& io, const std::vector<std::unique_ptr<Group>>& groups) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (const auto& group : groups)
    while (group->running() > 0) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      io.run_one_for(1s);
    }
  return true;
}

std::size_t status_bytes(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;)
    if (std::size_t kib = 0; word == key && in >> kib) return kib << 10;
  return 0;
}

}  // namespace

std::vector<std::vector<Observation>> ask(const std::vector<Question>& questions) {
  std::vector<std::vector<Observation>> answers(questions.size());
  boost::asio::io_context io;
  std::vector<std::unique_ptr<Group>> groups;
  groups.reserve(questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    answers[i].resize(questions[i].at_once);
    groups.push_back(std::make_unique<Group>(io, questions[i], answers[i]));
    std::vector<std::size_t> all(questions[i].at_once);
    for (std::size_t one = 0; one < all.size(); ++one) all[one] = one;
    groups.back()->start(all);
  }
  for (int round = 0; round < kRoundsMax; ++round) {
    EXPECT_TRUE(wait_for_all(io, groups)) << "a probe does not end";
    bool again = false;
    for (const auto& group : groups) {
      const auto which = group->spoilt();
      again = again || !which.empty();
      group->start(which);
    }
    if (!again) break;
  }
  EXPECT_TRUE(wait_for_all(io, groups)) << "a probe does not end";
  return answers;
}

void reset_peak() {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

std::size_t resident_bytes() {
  return status_bytes("VmRSS:");
}

std::size_t peak_bytes() {
  return status_bytes("VmHWM:");
}

void expect_well_formed(const Observation& result, Duration timeout) {
  EXPECT_LE(result.latency, timeout + 100ms);
  EXPECT_LE(result.evidence.size(), limits::kEvidenceBytesMax);
  EXPECT_EQ(to_valid_utf8(result.evidence, result.evidence.size()), result.evidence);
  expect_showable(result.evidence);
  EXPECT_LE(result.values.size(), limits::kValuesPerResultMax);
  for (const NamedValue& value : result.values) {
    EXPECT_TRUE(is_valid_name(value.name)) << value.name;
    EXPECT_TRUE(std::isfinite(value.value)) << value.name;
  }
}

void expect_failures(const std::vector<Observation>& results, const std::set<Reason>& reasons,
                     Duration timeout, const std::string& cell) {
  std::string wanted;
  for (const Reason reason : reasons) wanted.append(" ").append(to_string(reason));
  for (const Observation& result : results) {
    SCOPED_TRACE(cell + ": " + to_string(result.status) + " " + to_string(result.reason) + ": " +
                 escape_line(result.evidence, 200));
    expect_well_formed(result, timeout);
    EXPECT_TRUE(reasons.contains(result.reason)) << "not one of" << wanted;
    EXPECT_NE(result.status, Status::ok);
    EXPECT_FALSE(result.evidence.empty());
    if (::testing::Test::HasFailure()) return;  // the others would say the same
  }
}

}  // namespace firebreak::hostile
