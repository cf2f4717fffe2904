// Replies of Redis, whole and in pieces, and what is none.
#include "probes/resp.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/limits.h"

namespace firebreak::probes {
namespace resp_test {

std::string text_of(const RedisReply& reply) {
  std::string text = reply.kind + reply.text;
  if (reply.kind != '*') return text;
  text += "[";
  for (const RedisReply& item : reply.items) text.append(text_of(item)).append(" ");
  return text + "]";
}

// All replies as text; or the problem.
std::string read(std::string_view bytes, std::size_t piece) {
  RedisReader reader;
  for (std::size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
  if (!reader.problem().empty()) return "! " + reader.problem();
  std::string text;
  while (const auto reply = reader.take()) text += text_of(*reply) + ";";
  return text;
}

TEST(RedisReader, PiecesDoNotMatter) {
  const std::string bytes =
      "+PONG\r\n:-12\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
      "*2\r\n*2\r\n:1\r\n$1\r\nx\r\n-ERR no\r\n+last\r\n";
  const std::string replies = "+PONG;:-12;$a\r\nbc;$;_;_;*[];*[*[:1 $x ] -ERR no ];+last;";

  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(read(bytes, piece), replies) << piece;
}

TEST(RedisReader, UnfinishedReplyIsNone) {
  for (const char* bytes : {"+PO", "$3\r\nabc", "$3\r\nabc\r", "*2\r\n:1\r\n", "*1\r\n"})
    EXPECT_EQ(read(bytes, 100), "") << bytes;
}

TEST(RedisReader, AnythingElseIsNotRedis) {
  for (const char* bytes : {"HTTP/1.1 400 Bad Request\r\n", "\r\n", "+OK\n", ":\r\n", ":1x\r\n",
                            ":12345678901234567890\r\n", "$\r\n", "$-2\r\n", "$x\r\n", "*1x\r\n",
                            "$1\r\nabc\r\n", "%1\r\n"}) {
    const std::string text = read(bytes, 1);
    EXPECT_EQ(text.substr(0, 2), "! ") << bytes;
  }
}

TEST(RedisReader, LongStringKeepsItsBeginning) {
  const std::string text(limits::kRedisLineBytesMax + 10, 'x');
  RedisReader reader;

  EXPECT_TRUE(reader.feed("$" + std::to_string(text.size()) + "\r\n" + text + "\r\n:1\r\n"));

  EXPECT_EQ(reader.take()->text.size(), limits::kRedisLineBytesMax);
  EXPECT_EQ(reader.take()->text, "1");
}

TEST(RedisReader, TooMuchIsRefused) {
  std::string deep;
  for (std::size_t i = 0; i <= limits::kRedisDepthMax; ++i) deep += "*1\r\n";
  std::string many;
  while (many.size() < limits::kRedisKeptBytesMax) many += "+a\r\n";
  for (const std::string& bytes :
       {"+" + std::string(limits::kRedisLineBytesMax, 'x'), deep, std::string("*99999999\r\n"),
        std::string("$99999999999\r\n"), many}) {
    RedisReader reader;
    EXPECT_FALSE(reader.feed(bytes));
    EXPECT_FALSE(reader.feed("+OK\r\n")) << "it is over for good";
  }
}

}  // namespace resp_test
}  // namespace firebreak::probes
