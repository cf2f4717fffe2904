// The test vectors of RFC 4648, section 10, and bytes that are no text.
#include "common/base64.h"

#include <gtest/gtest.h>

namespace firebreak {
namespace {

TEST(Base64, WritesTheVectorsOfTheStandard) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, WritesAnyByte) {
  EXPECT_EQ(to_base64(std::string_view("\x00\xff\xfe\x80", 4)), "AP/+gA==");
}

}  // namespace
}  // namespace firebreak
