// A hostile message makes libprotobuf speak once a minute, in our words.
#include "common/protobuf_log.h"

#include <firebreak/v1/agent.pb.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace firebreak {
namespace {

using firebreak::testing::ManualClock;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ProtobufLog : public ::testing::Test {
 protected:
  ProtobufLog() { log_protobuf(clock_); }

  // What is said on stderr while a message with a string that is no UTF-8 is read.
  static std::string said_of_hostile() {
    // Field 2 of Hello, a string: one byte that begins nothing.
    static const std::string hostile("\x12\x01\xff", 3);
    ::testing::internal::CaptureStderr();
    v1::Hello hello;
    (void)hello.ParseFromString(hostile);
    return ::testing::internal::GetCapturedStderr();
  }

  ManualClock clock_;
};

TEST_F(ProtobufLog, SpeaksAsOneLineOfOurLog) {
  EXPECT_THAT(said_of_hostile(), AllOf(HasSubstr("a message is not as it should be"),
                                       HasSubstr("invalid UTF-8"), Not(HasSubstr("libprotobuf"))));
}

TEST_F(ProtobufLog, SaysItOnceAMinuteAndHowManyWereLeftOut) {
  EXPECT_THAT(said_of_hostile(), HasSubstr("left_out=0"));
  for (int i = 0; i < 1000; ++i) ASSERT_THAT(said_of_hostile(), IsEmpty());
  clock_.advance(kProtobufLineEvery);
  EXPECT_THAT(said_of_hostile(), HasSubstr("left_out=1000"));
  EXPECT_THAT(said_of_hostile(), IsEmpty());
}

}  // namespace
}  // namespace firebreak
