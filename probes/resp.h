// Replies of Redis, piece by piece: RESP2 (https://redis.io/docs/reference/protocol-spec).
//
// Pure: bytes in, replies out. What a reply may cost is bounded, whatever the server sends:
// limits::kRedis*. A bulk string longer than kRedisLineBytesMax keeps its beginning.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak::probes {

struct RedisReply {
  // '+' status, '-' error, ':' integer, '$' string, '*' array, '_' a string or array that is null
  char kind = '+';
  std::string text{};  // of a number its digits; of an array nothing
  std::vector<RedisReply> items{};
};

class RedisReader {
 public:
  // False, and from then on, when this is not RESP2 or too much of it; problem() says which.
  bool feed(std::string_view bytes);
  // The next whole reply, in the order of the questions.
  std::optional<RedisReply> take();
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // What has come of a line that has no end yet: "+PO".
  [[nodiscard]] const std::string& unfinished() const { return line_; }

 private:
  struct Bulk {
    std::size_t left = 0;  // then only its line end is missing
    std::string text{};
  };
  struct Array {
    std::size_t left = 0;
    RedisReply reply{};
  };

  bool fail(std::string problem);
  bool take_line();
  bool begin_bulk(std::size_t size);
  bool begin_array(std::size_t size);
  void take_bulk(std::string_view& bytes);
  bool end_reply(RedisReply reply);

  std::string line_;
  std::optional<Bulk> bulk_;
  std::vector<Array> open_;  // arrays that still lack elements, outermost first
  std::vector<RedisReply> done_;
  std::size_t taken_ = 0;  // of done_
  std::size_t seen_ = 0;
  std::size_t kept_ = 0;
  std::string problem_;
};

}  // namespace firebreak::probes
