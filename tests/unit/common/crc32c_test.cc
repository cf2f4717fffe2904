// Known checksums, and that pieces give what the whole gives.
#include "common/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace firebreak {
namespace {

// RFC 3720, B.4.
TEST(Crc32c, GivesTheKnownChecksums) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, IsTheSameWithAndWithoutTheInstruction) {
  std::string text;
  for (int size = 0; size < 100; ++size) {
    EXPECT_EQ(crc32c(text, 7), crc32c_by_tables(text, 7)) << size;
    text += static_cast<char>(size * 37);
  }
}

TEST(Crc32c, GoesOnWhereAnotherPieceEnded) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), crc32c(text));
}

TEST(Crc32c, ChangesWithEveryBit) {
  std::string text = "seventeen bytes!!";
  const std::uint32_t whole = crc32c(text);
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(crc32c(text), whole);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace firebreak
