// However much an action prints, its beginning and its end are kept and the rest is counted.
#include "agent/actuator/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::actuator {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Capture, KeepsAllThatFits) {
  Capture capture(128);
  capture.add("one\n");
  capture.add(std::string(124, 'x'));

  EXPECT_EQ(capture.text(), "one\n" + std::string(124, 'x'));
  EXPECT_EQ(capture.dropped_bytes(), 0u);
}

TEST(Capture, KeepsHeadAndTail) {
  Capture capture(128);
  capture.add("head" + std::string(28, 'a'));
  for (int i = 0; i < 1000; ++i) capture.add("0123456789");
  capture.add(std::string(28, 'z') + "tail");

  EXPECT_EQ(capture.text(), "head" + std::string(28, 'a') + "\n[10000 bytes left out]\n" +
                                std::string(28, 'z') + "tail");
  EXPECT_EQ(capture.dropped_bytes(), 10000u);
}

TEST(Capture, CountsWhatItDropsWhenOneByteTooManyArrives) {
  Capture capture(128);
  capture.add(std::string(64, 'a'));
  capture.add(std::string(65, 'b'));

  EXPECT_EQ(capture.text(),
            std::string(32, 'a') + "\n[65 bytes left out]\n" + std::string(32, 'b'));
  EXPECT_EQ(capture.dropped_bytes(), 65u);
}

TEST(Capture, DoesNotDependOnHowTheBytesArrive) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += std::to_string(i);
  for (const std::size_t step : {1u, 7u, 64u, 129u, 5000u}) {
    Capture capture(128);
    for (std::size_t at = 0; at < bytes.size(); at += step) capture.add(bytes.substr(at, step));
    EXPECT_THAT(capture.text(), StartsWith(bytes.substr(0, 32) + "\n[")) << step;
    EXPECT_THAT(capture.text(), EndsWith("]\n" + bytes.substr(bytes.size() - 32))) << step;
    EXPECT_EQ(capture.dropped_bytes(), bytes.size() - 64) << step;
  }
}

TEST(Capture, IsValidUtf8WithinTheBoundWhateverArrives) {
  Capture binary(128);
  binary.add(std::string(128, '\xff'));
  EXPECT_LE(binary.text().size(), 128u);
  EXPECT_THAT(binary.text(), HasSubstr("[bytes that are not text left out]"));

  Capture wide(128);
  for (int i = 0; i < 500; ++i) wide.add("\u20ac");
  EXPECT_LE(wide.text().size(), 128u);
  EXPECT_THAT(wide.text(), StartsWith("\u20ac"));
  EXPECT_THAT(wide.text(), HasSubstr("]\n\u20ac")) << "the tail starts with a whole character";
}

}  // namespace
}  // namespace firebreak::actuator
