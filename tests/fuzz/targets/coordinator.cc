// Agents' streams and operators' requests, in any order, against the coordinator's core.
//
// Parts: a b an AgentMessage of agent one or two, A B the end of its stream; t time passes; r the
// coordinator restarts; p P another policy; y z answer the oldest one-shot probe or order, s the
// oldest notification ends; k n d v f c w x i I m M what operators ask for.
#include <firebreak/v1/agent.pb.h>
#include <firebreak/v1/operator.pb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/api/quieting.h"
#include "coordinator/api/requests.h"
#include "coordinator/ingest/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/operator_requests.h"
#include "tests/fuzz/world.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kPartsMax = 60;

template <class Message>
Message parse(std::string_view bytes) {
  Message message;
  // What does not parse leaves a message with what came before: as good an input as any.
  (void)message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return message;
}

class Driver {
 public:
  void play(const Part& part) {
    switch (part.kind) {
      case 'a':
      case 'b':
        return hear(stream(part.kind == 'b'), part.bytes);
      case 'A':
      case 'B':
        return end(stream(part.kind == 'B'), "the stream ended");
      case 't':
        return world_.pass(time_of(part.bytes));
      case 'r':
        for (auto& each : streams_) each.session.reset();
        return world_.restart(++epoch_);
      case 'p':
      case 'P':
        return world_.take(core::PolicyChanged{world_policy(part.kind == 'P'), "mia"});
      case 'y':
      case 'z':
      case 's':
        return answer(part);
      default:
        return ask(part);
    }
  }
  void finish() { world_.finish(); }

 private:
  struct Stream {
    AgentName agent;
    std::optional<ingest::Session> session;
  };
  Stream& stream(bool second) { return streams_[second ? 1 : 0]; }

  static Duration time_of(std::string_view text) {
    std::int64_t ms = 0;
    std::from_chars(text.data(), text.data() + text.size(), ms);
    return std::chrono::milliseconds(std::clamp<std::int64_t>(ms, 0, 90'000'000));
  }

  // As the hub does: an error is the end of the stream.
  void hear(Stream& from, std::string_view bytes) {
    v1::AgentMessage message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (!from.session) from.session.emplace(from.agent);
    const WallTime wall{world_.now().time_since_epoch()};
    const auto event = from.session->take(message, world_.now(), wall);
    if (!event) {
      expect(!event.error().message.empty(), "an error says why");
      return end(from, event.error().message);
    }
    if (*event) world_.take(**event);
  }

  void end(Stream& from, const std::string& why) {
    if (from.session && from.session->has_begun())
      world_.take(core::AgentDetached{from.agent, from.session->incarnation(), why});
    from.session.reset();
  }

  void answer(const Part& part) {
    Numbers numbers(part.bytes);
    if (part.kind == 'y') {
      if (const auto open = world_.next_request()) {
        Observation seen;
        seen.status = static_cast<Status>(numbers.number(4));
        seen.reason = static_cast<Reason>(numbers.number(static_cast<int>(Reason::config) + 1));
        seen.latency = std::chrono::milliseconds(numbers.byte());
        seen.evidence = to_valid_text(numbers.rest());
        world_.take(core::ProbeNowFinished{open->agent, open->request, std::move(seen)});
      }
    } else if (part.kind == 'z') {
      if (const auto open = world_.next_order()) {
        core::ActionReported said;
        said.action = open->action;
        said.reporter = "agent:" + open->agent.str();
        said.state = static_cast<core::ActionState>(
            numbers.number(static_cast<int>(core::ActionState::unknown) + 1));
        said.output = to_valid_text(numbers.rest());
        if (said.state == core::ActionState::ordered)
          world_.take(core::OrderLapsed{said.action});
        else
          world_.take(said);
      }
    } else if (const auto open = world_.next_notification()) {
      const bool delivered = numbers.number(2) == 0;
      world_.take(core::NotificationFinished{open->notification, delivered, 1,
                                             to_valid_text(numbers.rest())});
    }
  }

  // Such text is cut and mended before it gets here.
  static std::string to_valid_text(std::string_view text) {
    return to_valid_utf8(text, limits::kEvidenceBytesMax);
  }

  void ask(const Part& part) {
    const std::string by = "mia";
    switch (part.kind) {
      case 'k':
        return judge(api::to_event(by, aimed<v1::AcknowledgeIncidentRequest>(part.bytes)));
      case 'n':
        return judge(api::to_event(by, aimed<v1::AddNoteRequest>(part.bytes)));
      case 'v':
        return judge(api::to_event(by, aimed<v1::ResolveIncidentRequest>(part.bytes)));
      case 'd':
        return judge(api::to_event(by, parse<v1::DeclareIncidentRequest>(part.bytes),
                                   *world_.state().policy));
      case 'f':
        return judge(
            api::to_event(by, parse<v1::SetFactRequest>(part.bytes), *world_.state().policy));
      case 'c':
        return judge(api::to_event(by, parse<v1::ClearFactRequest>(part.bytes)));
      case 'i':
        return judge(api::to_event(by, parse<v1::AddSilenceRequest>(part.bytes)));
      case 'I':
        return judge(api::to_event(by, parse<v1::ExpireSilenceRequest>(part.bytes)));
      case 'm':
        return judge(api::to_event(by, parse<v1::StartMaintenanceRequest>(part.bytes)));
      case 'M':
        return judge(api::to_event(by, parse<v1::EndMaintenanceRequest>(part.bytes)));
      case 'w': {
        const auto service = api::check_service_name(std::string(part.bytes));
        if (!service) return;
        last_validation_ = ValidationId("v-" + std::to_string(++validations_));
        return judge(core::OperatorAsked{by, core::StartValidation{last_validation_, *service}});
      }
      case 'x':
        return judge(core::OperatorAsked{by, core::CancelValidation{last_validation_}});
      default:
        return;
    }
  }

  // "$" stands for an incident that there is.
  template <class Request>
  Request aimed(std::string_view bytes) {
    auto request = parse<Request>(bytes);
    if (request.id() == "$" && !world_.state().incidents.empty())
      request.set_id(world_.state().incidents.rbegin()->first.str());
    return request;
  }

  // As the engine does: only what is admissible is journaled.
  void judge(const Result<core::OperatorAsked>& asked) {
    if (!asked) return;
    const core::Event event = *asked;
    if (core::admissible(world_.state(), event)) world_.take(event);
  }

  World world_;
  std::array<Stream, 2> streams_{
      {{AgentName("edge-1"), std::nullopt}, {AgentName("edge-2"), std::nullopt}}};
  std::uint64_t epoch_ = 1;
  std::uint64_t validations_ = 0;
  ValidationId last_validation_;
};

}  // namespace

const google::protobuf::Message* prototype(char kind) {
  switch (kind) {
    case 'a':
    case 'b':
      return &v1::AgentMessage::default_instance();
    default:
      return request_prototype(kind);
  }
}

std::string_view kinds() {
  return "abABtrpPyzskndvfcwx";
}

void run(std::string_view input) {
  Driver driver;
  for (const Part& part : split(input, kPartsMax)) driver.play(part);
  driver.finish();
}

}  // namespace firebreak::fuzz
