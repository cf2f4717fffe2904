// Eight bytes of header, then the cookie, then padding.
#include "probes/icmp_packet.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace firebreak::probes {
namespace {

constexpr std::size_t kEchoHeaderBytes = 8;

struct EchoTypes {
  char request;
  char reply;
};

EchoTypes types_of(bool v6) {
  return v6 ? EchoTypes{static_cast<char>(128), static_cast<char>(129)} : EchoTypes{8, 0};
}

}  // namespace

std::string echo_request(bool v6, std::uint16_t seq, const EchoCookie& cookie,
                         std::size_t payload_bytes) {
  std::string packet(kEchoHeaderBytes + std::max(payload_bytes, cookie.size()), '\0');
  packet[0] = types_of(v6).request;
  packet[6] = static_cast<char>(seq >> 8);
  packet[7] = static_cast<char>(seq & 0xff);
  std::copy(cookie.begin(), cookie.end(), packet.begin() + kEchoHeaderBytes);
  return packet;
}

std::optional<std::uint16_t> parse_echo_reply(bool v6, std::string_view packet,
                                              const EchoCookie& cookie) {
  if (packet.size() < kEchoHeaderBytes + cookie.size() || packet[0] != types_of(v6).reply ||
      packet[1] != 0 ||
      packet.substr(kEchoHeaderBytes, cookie.size()) !=
          std::string_view(cookie.data(), cookie.size()))
    return std::nullopt;
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(packet[6]) << 8 |
                                    static_cast<std::uint8_t>(packet[7]));
}

double EchoTally::loss_percent() const {
  if (sent == 0) return 0;
  return 100.0 * (sent - static_cast<double>(round_trips.size())) / sent;
}

Duration EchoTally::mean() const {
  if (round_trips.empty()) return {};
  return std::accumulate(round_trips.begin(), round_trips.end(), Duration{}) /
         static_cast<Duration::rep>(round_trips.size());
}

EchoJudgement judge_echo(const EchoTally& tally, const IcmpSpec& spec) {
  const auto lossy = [&](const std::optional<double>& limit) {
    return limit && tally.loss_percent() > *limit;
  };
  const auto slow = [&](const std::optional<Duration>& limit) {
    return limit && tally.mean() > *limit;
  };
  EchoJudgement judgement;
  if (lossy(spec.loss_warning) || slow(spec.rtt_warning)) judgement.verdict = EchoVerdict::warning;
  if (lossy(spec.loss_critical) || slow(spec.rtt_critical))
    judgement.verdict = EchoVerdict::critical;
  if (judgement.verdict == EchoVerdict::fine) return judgement;
  const std::size_t lost = static_cast<std::size_t>(tally.sent) - tally.round_trips.size();
  judgement.evidence = std::to_string(lost) + " of " + std::to_string(tally.sent) +
                       " packets lost, mean round trip " + humanize_duration(tally.mean());
  return judgement;
}

}  // namespace firebreak::probes
