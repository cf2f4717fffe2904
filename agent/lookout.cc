// Anchors are asked with ordinary probes, by a prober of their own so that they wait for nobody.
#include "agent/lookout.h"

#include <algorithm>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/gateways.h"
#include "agent/sight.h"
#include "agent/time_line.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/probe_spec.h"
#include "common/text.h"
#include "probes/reach.h"
#include "probes/run.h"

namespace firebreak::agent {
namespace {

using boost::system::error_code;

constexpr std::size_t kAddressesAsked = 2;  // of one anchor with a name
constexpr std::uint16_t kGatewayPort = 53;  // open or not: both are answers
constexpr std::size_t kRouteBytesMax = 1u << 20;
constexpr std::size_t kNamesShownBytesMax = 200;
constexpr int kRoundsSilentMost = 3;  // until somebody is told

ProbeSpec question(KindSpec kind) {
  ProbeSpec spec;
  spec.kind = std::move(kind);
  spec.timeout = limits::kAnchorPatience;
  return spec;
}

ProbeSpec by_tcp(const std::string& address, std::uint16_t port) {
  TcpSpec tcp;
  tcp.host = address;
  tcp.port = port;
  return question(std::move(tcp));
}

ProbeSpec by_icmp(const std::string& address) {
  IcmpSpec icmp;
  icmp.host = address;
  icmp.packets = 2;
  return question(std::move(icmp));
}

// Whoever refuses or resets has answered.
bool is_answer(const Observation& observation) {
  return observation.status == Status::ok || observation.reason == Reason::refused ||
         observation.reason == Reason::reset;
}

std::vector<std::string> gateways() {
  const auto text = [](const char* path) {
    auto read = read_small_file(path, kRouteBytesMax);
    return read ? *std::move(read) : std::string();
  };
  std::vector<std::string> all = ipv4_gateways(text("/proc/self/net/route"));
  std::vector<std::string> more = ipv6_gateways(text("/proc/self/net/ipv6_route"));
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// An anchor and what its name meant when it was last looked up.
struct Known {
  Anchor anchor;
  bool is_coordinator = false;
  std::vector<std::string> addresses{};
  int rounds_silent = 0;  // in which others have answered, while it never has; -1: it has

  [[nodiscard]] bool is_elsewhere() const {
    return !addresses.empty() &&
           std::none_of(addresses.begin(), addresses.end(), probes::is_this_host);
  }
};

// All anchors, asked at the same time.
struct Round {
  Instant began;
  Duration lost_before{};
  std::size_t left = 0;
  bool is_answered = false;
  std::string names;  // who is asked
};

}  // namespace

class Lookout::Impl {
 public:
  Impl(boost::asio::io_context& io, const Clock& clock, LookoutSettings settings)
      : clock_(clock), settings_(std::move(settings)), prober_(io), names_(io), timer_(io) {
    known_.reserve(settings_.coordinators.size() + settings_.anchors.size());
    for (const std::string& address : settings_.coordinators)
      known_.push_back({tcp_anchor(address), true});
    for (const Anchor& anchor : settings_.anchors) known_.push_back({anchor});
    look_up_names();
    look();
  }

  void judge(const Run& run, Observation observation, std::function<void(Observation)> done) {
    if (!probes::could_be_own_network(run.spec, observation)) return done(std::move(observation));
    note_link();
    Held held{{run.began, now(), run.is_known}, std::move(observation), std::move(done)};
    if (decide(held)) return;
    held_.push_back(std::move(held));
    look_if_idle();
  }

  // What the coordinator's link has heard is an answer, too.
  void note_link() {
    const auto heard = settings_.heard ? settings_.heard() : std::nullopt;
    if (heard && known_[heard->first].is_elsewhere()) note_answer(heard->second);
  }

  [[nodiscard]] std::optional<Instant> blind_since() const { return sight_.blind_since(); }

 private:
  struct Held {
    Silence silence;
    Observation observation;
    std::function<void(Observation)> done;
  };

  [[nodiscard]] Instant now() const { return time_line(clock_); }

  // --- Held results ---

  // False: the anchors have to be asked first.
  bool decide(Held& held) {
    const Verdict verdict = sight_.judge(held.silence);
    if (verdict == Verdict::ask) return false;
    if (verdict == Verdict::excuse) excuse(held.observation);
    held.done(std::move(held.observation));
    return true;
  }

  void settle() {
    std::vector<Held> waiting = std::exchange(held_, {});
    held_.reserve(waiting.size());
    for (Held& held : waiting)
      if (!decide(held)) held_.push_back(std::move(held));
    if (!held_.empty()) look_if_idle();
  }

  void excuse(Observation& observation) const {
    const std::string reason =
        observation.reason == Reason::none ? "" : std::string(to_string(observation.reason)) + ", ";
    observation.status = Status::unknown;
    observation.reason = Reason::prober;
    observation.values.clear();
    observation.evidence = to_valid_utf8(
        (blind_since() ? "this agent is blind, none of its anchors answers: " + asked_in_vain_
                       : "this agent was blind until a moment ago") +
            "; it saw: " + reason + observation.evidence,
        limits::kEvidenceBytesMax);
  }

  // --- Asking ---

  void look_if_idle() {
    if (!round_ || round_->is_answered) look();
  }

  void look() {
    auto round = std::make_shared<Round>();
    round->began = now();
    round->lost_before = prober_.lost();
    round_ = round;
    const std::vector<Question> questions = questions_of(*round);
    round->left = questions.size() + 1;  // and the end of this function
    for (const Question& question : questions)
      prober_.start(question.spec, [this, round, asked = question.known](const Observation& seen) {
        if (is_answer(seen)) answered(*round, asked);
        end_one(*round);
      });
    note_link();
    end_one(*round);
  }

  struct Question {
    ProbeSpec spec;
    Known* known = nullptr;  // nothing: a gateway
  };

  std::vector<Question> questions_of(Round& round) {
    std::vector<Question> questions;
    questions.reserve(2 * (known_.size() + 2 * limits::kGatewaysMax));
    const auto ask = [&](const std::string& address, ProbeSpec spec, Known* known) {
      if (round.names.size() < kNamesShownBytesMax && !round.names.ends_with(address))
        round.names.append(round.names.empty() ? "" : ", ").append(address);
      questions.push_back({std::move(spec), known});
    };
    for (const std::string& gateway : gateways()) {
      ask(gateway, by_icmp(gateway), nullptr);
      ask(gateway, by_tcp(gateway, kGatewayPort), nullptr);
    }
    for (Known& known : known_) {
      if (!known.is_elsewhere()) continue;
      for (std::size_t i = 0; i < std::min(known.addresses.size(), kAddressesAsked); ++i) {
        const std::string& address = known.addresses[i];
        ask(address,
            known.anchor.kind == Anchor::Kind::icmp ? by_icmp(address)
                                                    : by_tcp(address, known.anchor.port),
            &known);
      }
    }
    return questions;
  }

  void answered(Round& round, Known* known) {
    round.is_answered = true;
    if (known != nullptr) known->rounds_silent = -1;
    note_answer(now());
    settle();
  }

  void end_one(Round& round) {
    if (--round.left > 0) return;
    // Who did not run could not hear.
    const bool could_hear = prober_.lost() - round.lost_before < Duration(limits::kPulseSlack);
    if (!round.is_answered && could_hear) note_silence(round);
    if (round.is_answered) warn_of_useless_anchors();
    if (round_.get() == &round) round_.reset();
    wait_for_look();
    settle();
  }

  // Whoever names an anchor relies on it. A coordinator that is away is told of by its link.
  void warn_of_useless_anchors() {
    for (Known& known : known_) {
      if (known.rounds_silent < 0 || known.is_coordinator) continue;
      if (++known.rounds_silent != kRoundsSilentMost) continue;
      log::warning(
          "an anchor has never answered, so it proves nothing: name one in agent.yaml that takes "
          "pings or connections from here",
          {{"anchor", known.anchor.host}, {"port", std::int64_t{known.anchor.port}}});
    }
  }

  void note_answer(Instant at) {
    if (!sight_.answered(at)) return;
    log::info("this agent sees again: an anchor answers");
    wait_for_look();
  }

  void note_silence(const Round& round) {
    note_link();
    if (!sight_.silent(round.began, now())) return;
    asked_in_vain_ = round.names.empty() ? "no route to a gateway" : round.names;
    log::warning(
        "this agent is blind: none of its anchors answers; targets that are silent are reported as "
        "unknown",
        {{"anchors", asked_in_vain_}});
  }

  void wait_for_look() {
    const Duration wait = std::max<Duration>(sight_.next_look() - now(), Duration::zero());
    timer_.expires_after(wait);
    timer_.async_wait([this](const error_code& cancelled) {
      if (cancelled) return;
      look_up_names();
      note_link();  // a lively link makes asking needless
      if (sight_.next_look() > now()) return wait_for_look();
      look();
    });
  }

  // --- Names ---

  void look_up_names() {
    for (Known& known : known_) {
      if (is_address(known.anchor.host)) {
        known.addresses = {known.anchor.host};
        continue;
      }
      // A name that cannot be looked up goes on to mean what it did.
      auto found = [this, &known](std::vector<std::string> addresses) {
        known.addresses = std::move(addresses);
        if (!sight_.has_anchors()) look();
      };
      if (const auto asked = names_.look_up(known.anchor.host, std::move(found)); !asked)
        log::warning("an anchor's name cannot be looked up",
                     {{"anchor", known.anchor.host}, {"error", asked.error().message}});
    }
  }

  const Clock& clock_;
  const LookoutSettings settings_;
  std::vector<Known> known_;  // the coordinators first; does not grow
  Sight sight_;
  std::vector<Held> held_;
  std::shared_ptr<Round> round_;  // the last one begun
  std::string asked_in_vain_;
  Prober prober_;
  probes::Names names_;
  boost::asio::steady_timer timer_;
};

Lookout::Lookout(boost::asio::io_context& io, const Clock& clock, LookoutSettings settings)
    : impl_(std::make_unique<Impl>(io, clock, std::move(settings))) {}

Lookout::~Lookout() = default;

void Lookout::judge(const Run& run, Observation observation,
                    std::function<void(Observation)> done) {
  impl_->judge(run, std::move(observation), std::move(done));
}

void Lookout::note_link() {
  impl_->note_link();
}

std::optional<Instant> Lookout::blind_since() const {
  return impl_->blind_since();
}

}  // namespace firebreak::agent
