// Responses in every cut, within every bound.
#include "probes/http_response.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace firebreak::probes {
namespace {

using Progress = HttpResponseParser::Progress;

const std::string kChunked =
    "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";

Progress feed_in_pieces(HttpResponseParser& parser, const std::string& text, std::size_t piece) {
  Progress progress = Progress::more;
  for (std::size_t at = 0; at < text.size() && progress == Progress::more; at += piece)
    progress = parser.feed(text.substr(at, piece));
  return progress;
}

TEST(HttpResponse, IsTheSameInPiecesOfAnySize) {
  for (std::size_t piece = 1; piece <= kChunked.size(); ++piece) {
    HttpResponseParser parser(false);
    ASSERT_EQ(feed_in_pieces(parser, kChunked, piece), Progress::done) << piece;
    const HttpResponse response = parser.take();
    EXPECT_EQ(response.status, 200) << piece;
    EXPECT_EQ(response.body, "abcde") << piece;
    ASSERT_NE(find_header(response, "x-a"), nullptr);
    EXPECT_EQ(*find_header(response, "x-a"), "1");
  }
}

TEST(HttpResponse, AnEmptyChunkedBodyMayComeInPieces) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body : {"0\r\n\r\n", "0;a=b\r\nTrailer: x\r\n\r\n"})
    for (std::size_t piece = 1; piece <= body.size(); ++piece) {
      HttpResponseParser parser(false);
      ASSERT_EQ(parser.feed(head), Progress::more);
      EXPECT_EQ(feed_in_pieces(parser, body, piece), Progress::done) << piece;
      // The first piece together with the headers.
      HttpResponseParser other(false);
      if (other.feed(head + body.substr(0, piece)) == Progress::done) continue;
      EXPECT_EQ(feed_in_pieces(other, body.substr(piece), 1), Progress::done) << piece;
    }
}

TEST(HttpResponse, ChunksOfNextToNothingAreBounded) {
  HttpResponseParser parser(false);
  ASSERT_EQ(parser.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Progress::more);
  const std::string chunk = "1;" + std::string(1000, 'x') + "\r\nx\r\n";
  std::size_t fed = 0;
  Progress progress = Progress::more;
  for (; progress == Progress::more && fed < (1u << 20); fed += chunk.size())
    progress = parser.feed(chunk);

  EXPECT_EQ(progress, Progress::failed);
}

TEST(HttpResponse, EveryTruncationIsNoticed) {
  for (std::size_t size = 0; size < kChunked.size(); ++size) {
    HttpResponseParser parser(false);
    ASSERT_EQ(parser.feed(kChunked.substr(0, size)), Progress::more) << size;
    EXPECT_EQ(parser.end(), Progress::failed) << size;
    EXPECT_NE(parser.problem(), "") << size;
  }
}

TEST(HttpResponse, HeadHasNoBody) {
  HttpResponseParser parser(true);

  EXPECT_EQ(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), Progress::done);
}

TEST(HttpResponse, InterimAnswersAreSkipped) {
  HttpResponseParser parser(false);

  EXPECT_EQ(parser.feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
            Progress::done);
  EXPECT_EQ(parser.response().status, 204);
}

TEST(HttpResponse, BodyIsCutAtItsBound) {
  HttpResponseParser parser(false, {4});

  EXPECT_EQ(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabcdef"), Progress::done);
  EXPECT_EQ(parser.response().body, "abcd");
  EXPECT_TRUE(parser.response().body_cut);
}

TEST(HttpResponse, BodyOfExactlyTheBoundIsWhole) {
  HttpResponseParser parser(false, {4});

  EXPECT_EQ(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"), Progress::done);
  EXPECT_FALSE(parser.response().body_cut);
}

TEST(HttpResponse, WhatNeverEndsIsBounded) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string much(100'000, 'x');
  for (const std::string& start : {std::string("HTTP/1.1 "), std::string("HTTP/1.1 200 OK\r\nX: "),
                                   chunked + "1;", chunked + "0\r\nTrailer: "}) {
    HttpResponseParser parser(false);
    EXPECT_EQ(feed_in_pieces(parser, start + much, 1000), Progress::failed) << start;
  }
}

TEST(HttpResponse, GarbageFailsAtItsFirstByte) {
  for (const char* text : {"x", "HTTP/2", "HTTX", "\r\n", "http/1.1 200 OK\r\n"}) {
    HttpResponseParser parser(false);
    EXPECT_EQ(parser.feed(text), Progress::failed) << text;
  }
}

TEST(HttpResponse, AStatusBelow100IsNone) {
  for (const char* status : {"053", "000", "099"}) {
    HttpResponseParser parser(false);
    EXPECT_EQ(parser.feed("HTTP/1.0 " + std::string(status) + " Odd\r\n\r\n"), Progress::failed);
  }
}

TEST(HttpResponse, TwoLengthsAreRefused) {
  HttpResponseParser parser(false);

  EXPECT_EQ(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            Progress::failed);
}

// One member of RFC 1952.
std::string gzip(std::string_view text) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&z, text.size()) + 64, '\0');
  std::string input(text);
  z.next_in = reinterpret_cast<Bytef*>(input.data());
  z.avail_in = static_cast<uInt>(input.size());
  z.next_out = reinterpret_cast<Bytef*>(packed.data());
  z.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  packed.resize(z.total_out);
  deflateEnd(&z);
  return packed;
}

std::string gzip_answer(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: GZip\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HttpResponse, AGzipBodyIsUnpackedInPiecesOfAnySize) {
  const std::string answer = gzip_answer(gzip("{\"ok\": true}") + gzip(" and more"));
  for (std::size_t piece = 1; piece <= answer.size(); ++piece) {
    HttpResponseParser parser(false);
    ASSERT_EQ(feed_in_pieces(parser, answer, piece), Progress::done) << piece;
    EXPECT_EQ(parser.response().body, "{\"ok\": true} and more") << piece;
  }
}

TEST(HttpResponse, AGzipBombCostsWhatIsReadOfIt) {
  const std::string bomb = gzip_answer(gzip(std::string(64u << 20, 'x')));
  HttpResponseParser parser(false);

  EXPECT_EQ(parser.feed(bomb), Progress::done);
  EXPECT_EQ(parser.response().body, std::string(limits::kHttpBodyBytesMax, 'x'));
  EXPECT_TRUE(parser.response().body_cut);
}

TEST(HttpResponse, GzipThatHoldsNothingIsBoundedToo) {
  const std::string empty = gzip("");
  std::string many;
  while (many.size() <= limits::kHttpBodyBytesMax) many += empty;
  HttpResponseParser parser(false);

  EXPECT_EQ(parser.feed(gzip_answer(many)), Progress::done);
  EXPECT_EQ(parser.response().body, "");
  EXPECT_TRUE(parser.response().body_cut);
}

TEST(HttpResponse, ABrokenGzipBodyIsSaid) {
  const std::string whole = gzip("alive and well");
  std::string wrong_sum = whole;
  wrong_sum[whole.size() - 6] ^= 1;
  for (const std::string& body : {std::string("alive"), whole + "xyz", wrong_sum}) {
    HttpResponseParser parser(false);
    ASSERT_EQ(parser.feed(gzip_answer(body)), Progress::failed) << body.size();
    EXPECT_EQ(parser.problem(), "the body is not gzip, as its Content-Encoding says");
  }
  for (std::size_t size = 1; size < whole.size(); ++size) {
    HttpResponseParser parser(false);
    ASSERT_EQ(parser.feed(gzip_answer(whole.substr(0, size))), Progress::failed) << size;
    EXPECT_EQ(parser.problem(), "the gzip body ends too early");
  }
}

TEST(HttpResponse, AnAnswerWithoutABodyIsNoBrokenGzip) {
  HttpResponseParser head(true);
  EXPECT_EQ(head.feed("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n"),
            Progress::done);
  HttpResponseParser empty(false);
  EXPECT_EQ(empty.feed(gzip_answer("")), Progress::done);
}

TEST(HttpResponse, OtherCodingsAreLeftAsTheyAre) {
  HttpResponseParser parser(false);

  EXPECT_EQ(parser.feed("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nab"),
            Progress::done);
  EXPECT_EQ(parser.response().body, "ab");
}

}  // namespace
}  // namespace firebreak::probes
