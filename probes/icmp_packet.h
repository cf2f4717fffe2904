// ICMP echo as a ping socket sends and receives it (RFC 792, RFC 4443, 4.1; icmp(7)): the kernel
// writes identifier and checksum, and takes the IP header away.
//
// Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/probe_spec.h"
#include "common/time.h"

namespace firebreak::probes {

// By chance, for each probe another one: begins the payload, so that nobody answers who has not
// seen the question.
using EchoCookie = std::array<char, 16>;

// `payload_bytes` is at least the cookie's size.
[[nodiscard]] std::string echo_request(bool v6, std::uint16_t seq, const EchoCookie& cookie,
                                       std::size_t payload_bytes);
// The sequence number of a reply to one of these requests; nothing when it is anything else.
[[nodiscard]] std::optional<std::uint16_t> parse_echo_reply(bool v6, std::string_view packet,
                                                            const EchoCookie& cookie);

// What became of the packets.
struct EchoTally {
  int sent = 0;
  std::vector<Duration> round_trips;  // of those that were answered

  [[nodiscard]] double loss_percent() const;  // 0 when none was sent
  [[nodiscard]] Duration mean() const;        // 0 when none was answered
};

enum class EchoVerdict { fine, warning, critical };
// Which limits of the spec were crossed; at least one packet was answered.
struct EchoJudgement {
  EchoVerdict verdict = EchoVerdict::fine;
  std::string evidence;
};
[[nodiscard]] EchoJudgement judge_echo(const EchoTally& tally, const IcmpSpec& spec);

}  // namespace firebreak::probes
