// DNS probes against a server that answers as a test wants.
#include "probes/dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>

#include "tests/unit/probes/dns_bytes.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace dns_test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using testing::dns_labels;
using testing::dns_record;
using testing::dns_reply;
using testing::dns_word;
using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::kDnsFine;
using testing::kDnsTruncated;
using testing::kToQuestion;
using testing::run_probe;
using testing::time_out;
using testing::value_of;

using Replies = std::vector<std::string>;
using Answer = std::function<Replies(const std::string& query)>;

// UDP and TCP on the same free port of 127.0.0.1. Over TCP the replies are sent as they are, length
// and all, and then the connection is closed.
class FakeDns : public std::enable_shared_from_this<FakeDns> {
 public:
  FakeDns(asio::io_context& io, Answer over_udp, Answer over_tcp)
      : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        socket_(io, udp::endpoint(asio::ip::address_v4::loopback(), port())),
        elsewhere_(io, udp::endpoint(asio::ip::address_v4::loopback(), 0)),
        connection_(io),
        over_udp_(std::move(over_udp)),
        over_tcp_(std::move(over_tcp)) {}

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] int queries() const { return queries_; }
  udp::socket& elsewhere() { return elsewhere_; }
  [[nodiscard]] const udp::endpoint& sender() const { return sender_; }

  void listen() {
    socket_.async_receive_from(
        asio::buffer(buffer_), sender_,
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
          if (!error) self->answer(std::string(self->buffer_.data(), size));
        });
  }
  void accept() {
    acceptor_.async_accept(connection_,
                           [self = shared_from_this()](const boost::system::error_code& error) {
                             if (!error) self->read_tcp();
                           });
  }
  void stop() {
    socket_.close();
    acceptor_.close();
  }

 private:
  void answer(const std::string& query) {
    ++queries_;
    for (const std::string& reply : over_udp_(query)) socket_.send_to(asio::buffer(reply), sender_);
    listen();
  }
  void read_tcp() {
    connection_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
          if (error || size < 2) return;
          const std::string query(self->buffer_.data() + 2, size - 2);
          for (const std::string& reply : self->over_tcp_(query))
            asio::write(self->connection_, asio::buffer(reply));
          self->connection_.close();
        });
  }

  tcp::acceptor acceptor_;
  udp::socket socket_;
  udp::socket elsewhere_;
  tcp::socket connection_;
  udp::endpoint sender_;
  std::array<char, 4096> buffer_{};
  Answer over_udp_;
  Answer over_tcp_;
  int queries_ = 0;
};

const std::string kAddress("\xc0\x00\x02\x01", 4);

std::string good(const std::string& query) {
  return dns_reply(query, kDnsFine, 1, dns_record(kToQuestion, 1, kAddress, 60));
}

class Dns : public ::testing::Test {
 protected:
  ~Dns() override {
    if (server_) server_->stop();
  }

  DnsSpec asking(Answer over_udp, Answer over_tcp = {}) {
    if (server_) server_->stop();
    server_ = std::make_shared<FakeDns>(io_, std::move(over_udp), std::move(over_tcp));
    server_->listen();
    server_->accept();
    DnsSpec spec;
    spec.name = "www.example.com";
    spec.server = "127.0.0.1";
    spec.port = server_->port();
    return spec;
  }
  // The verdict over one answer with that rcode and these records.
  Observation ask(unsigned rcode, unsigned count, const std::string& records,
                  const std::function<void(DnsSpec&)>& change = {}) {
    DnsSpec spec = asking([=](const std::string& query) {
      return Replies{dns_reply(query, kDnsFine | rcode, count, records)};
    });
    if (change) change(spec);
    return run_probe(io_, spec);
  }

  asio::io_context io_;
  std::shared_ptr<FakeDns> server_;
};

TEST_F(Dns, ARecordIsEnough) {
  const Observation result =
      run_probe(io_, asking([](const std::string& query) { return Replies{good(query)}; }));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "answers"), 1);
  EXPECT_EQ(value_of(result, "ttl"), 60);
  EXPECT_EQ(value_of(result, "rcode"), 0);
}

TEST_F(Dns, AnswersAreHeldAgainstTheExpectedOnes) {
  const std::string two = dns_record(kToQuestion, 1, kAddress) +
                          dns_record(kToQuestion, 1, std::string("\xc0\x00\x02\x02", 4));
  const auto expecting = [](std::vector<std::string> answers, bool exact) {
    return [=](DnsSpec& spec) {
      spec.answers = answers;
      spec.exact = exact;
    };
  };

  expect_ok(ask(0, 2, two, expecting({"192.0.2.2"}, false)));
  expect_ok(ask(0, 2, two, expecting({"192.0.2.2", "192.0.2.1"}, true)));
  const Observation missing = ask(0, 2, two, expecting({"192.0.2.3"}, false));
  const Observation more = ask(0, 2, two, expecting({"192.0.2.1"}, true));

  expect_verdict(missing, Status::critical, Reason::body, Phase::first_byte);
  EXPECT_EQ(missing.evidence, "no 192.0.2.3, only 192.0.2.1 and 192.0.2.2");
  expect_verdict(more, Status::critical, Reason::body, Phase::first_byte);
  EXPECT_EQ(more.evidence, "192.0.2.2 was not expected among 192.0.2.1 and 192.0.2.2");
}

TEST_F(Dns, RcodesHaveTheirMeaning) {
  const auto expect_nxdomain = [](DnsSpec& spec) { spec.rcode = "NXDOMAIN"; };

  expect_verdict(ask(3, 0, ""), Status::critical, Reason::missing, Phase::first_byte);
  expect_verdict(ask(0, 0, ""), Status::critical, Reason::missing, Phase::first_byte);
  const Observation servfail = ask(2, 0, "");
  expect_verdict(servfail, Status::critical, Reason::status, Phase::first_byte);
  EXPECT_EQ(servfail.evidence, "SERVFAIL, not NOERROR");
  expect_ok(ask(3, 0, "", expect_nxdomain));
  expect_verdict(ask(0, 0, "", expect_nxdomain), Status::critical, Reason::status,
                 Phase::first_byte);
}

TEST_F(Dns, ALostDatagramIsAskedAgain) {
  int asked = 0;
  DnsSpec spec = asking([&asked](const std::string& query) {
    return ++asked < 3 ? Replies{} : Replies{good(query)};
  });

  expect_ok(run_probe(io_, spec, {}, std::chrono::milliseconds(1500)));
  EXPECT_EQ(server_->queries(), 3);
}

TEST_F(Dns, SilenceIsATimeout) {
  const DnsSpec spec = asking([](const std::string&) { return Replies{}; });

  expect_verdict(time_out(io_, spec), Status::critical, Reason::timeout, Phase::first_byte);
}

TEST_F(Dns, NobodyListens) {
  const DnsSpec spec = asking([](const std::string&) { return Replies{}; });
  server_->stop();
  server_.reset();

  expect_verdict(run_probe(io_, spec), Status::critical, Reason::refused, Phase::first_byte);
}

TEST_F(Dns, StrangersAreWaitedPast) {
  const DnsSpec spec = asking([](const std::string& query) {
    std::string other_id = good(query);
    other_id[0] = static_cast<char>(other_id[0] ^ 1);
    std::string other_name = good(query);
    other_name[14] = 'x';
    return Replies{"", "random bytes", query, other_id, other_name, good(query)};
  });

  expect_ok(run_probe(io_, spec));
}

TEST_F(Dns, NothingButStrangersIsAnotherProtocol) {
  const DnsSpec spec = asking([](const std::string& query) {
    std::string other_id = good(query);
    other_id[0] = static_cast<char>(other_id[0] ^ 1);
    return Replies{"random bytes", other_id};
  });

  const Observation result = time_out(io_, spec);

  expect_verdict(result, Status::critical, Reason::protocol, Phase::first_byte);
  // Two for each time that it was asked.
  EXPECT_THAT(result.evidence,
              HasSubstr(" datagrams that do not answer, the last: the answer to another query"));
}

TEST_F(Dns, AnAnswerFromElsewhereIsNotSeen) {
  const DnsSpec spec = asking([this](const std::string& query) {
    server_->elsewhere().send_to(asio::buffer(good(query)), server_->sender());
    return Replies{};
  });

  expect_verdict(time_out(io_, spec), Status::critical, Reason::timeout, Phase::first_byte);
}

TEST_F(Dns, ABrokenAnswerIsProtocol) {
  const DnsSpec loop = asking([](const std::string& query) {
    return Replies{dns_reply(query, kDnsFine, 1, dns_record("\xc0\x21", 1, kAddress))};
  });

  expect_verdict(run_probe(io_, loop), Status::critical, Reason::protocol, Phase::first_byte);
}

std::string framed(const std::string& message) {
  return dns_word(static_cast<unsigned>(message.size())) + message;
}

Replies truncated(const std::string& query) {
  return {dns_reply(query, kDnsTruncated, 0, "")};
}

TEST_F(Dns, ATruncatedAnswerComesOverTcp) {
  const DnsSpec spec = asking(truncated, [](const std::string& query) {
    const std::string whole = framed(good(query));
    return Replies{whole.substr(0, 1), whole.substr(1, 20), whole.substr(21)};
  });

  const Observation result = run_probe(io_, spec);

  expect_ok(result);
  EXPECT_EQ(value_of(result, "answers"), 1);
}

TEST_F(Dns, WhatGoesWrongOverTcpHasItsReason) {
  struct Case {
    Answer answer;
    Reason reason;
    Phase phase;
  };
  const Case cases[] = {
      {[](const std::string&) { return Replies{}; }, Reason::reset, Phase::first_byte},
      {[](const std::string& query) { return Replies{framed(good(query)).substr(0, 30)}; },
       Reason::reset, Phase::transfer},
      {[](const std::string& query) { return Replies{framed(truncated(query)[0])}; },
       Reason::protocol, Phase::transfer},
      {[](const std::string&) { return Replies{framed("x")}; }, Reason::protocol, Phase::transfer},
      {[](const std::string&) { return Replies{framed("")}; }, Reason::protocol, Phase::transfer},
  };
  for (const Case& each : cases)
    expect_verdict(run_probe(io_, asking(truncated, each.answer)), Status::critical, each.reason,
                   each.phase);
}

TEST_F(Dns, WhatCannotBeAskedIsOurFault) {
  DnsSpec spec;
  spec.name = "a..b";

  expect_verdict(run_probe(io_, spec), Status::unknown, Reason::config, Phase::none);
}

}  // namespace
}  // namespace dns_test
}  // namespace firebreak
