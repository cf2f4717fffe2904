// What reaches the only part that runs as root: requests on its socket, and its journal.
//
// Parts: q a request, o an outcome, r a record; the records make a journal, which J damages and
// "j" replaces by bytes of its own.
#include <firebreak/v1/actuator.pb.h>
#include <firebreak/v1/actuator_journal.pb.h>

#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "agent/actuator/decide.h"
#include "agent/actuator/journal.h"
#include "agent/actuator/wire.h"
#include "common/limits.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using actuator::Record;

const actuator::AllowList& allowed() {
  static const actuator::AllowList list = [] {
    actuator::AllowList made;
    actuator::Action& unit = made["restart"];
    unit.name = "restart";
    unit.what = actuator::UnitCommand{"restart", "${unit}"};
    unit.parameters["unit"] = actuator::OneOf{{"nginx.service", "shop.service"}};
    unit.timeout = std::chrono::seconds(10);
    unit.per_hour = 3;
    actuator::Action& program = made["scale"];
    program.name = "scale";
    program.what = actuator::Program{{"/usr/bin/scale", "${count}", "${name}"}, {}, "", "/"};
    program.parameters["count"] = actuator::Integer{1, 20};
    program.parameters["name"] = actuator::Pattern{std::make_shared<const re2::RE2>("[^;]*")};
    program.timeout = std::chrono::seconds(10);
    program.cooldown = std::chrono::minutes(1);
    return made;
  }();
  return list;
}

class Driver {
 public:
  void request(std::string_view bytes) {
    const auto request = actuator::decode_request(bytes);
    if (!request) return expect(!request.error().message.empty(), "an error says why");
    if (const auto* acknowledged = std::get_if<actuator::Acknowledged>(&*request)) {
      if (history_.find(acknowledged->id) != nullptr) remember({now_, *acknowledged});
      return;
    }
    if (const auto* order = std::get_if<actuator::Order>(&*request)) obey(*order);
  }

  void outcome(std::string_view bytes) {
    const auto outcome = actuator::decode_outcome(bytes);
    if (!outcome) return;
    // Encoding cuts what is too long, once.
    const auto sent = actuator::decode_outcome(actuator::encode_outcome(*outcome));
    if (!sent) broken("an outcome can be sent on", sent.error().message);
    const auto again = actuator::decode_outcome(actuator::encode_outcome(*sent));
    expect(again && *again == *sent, "an outcome is the same when it is sent on");
    if (!sent->id.empty()) remember({now_, actuator::Ended{*sent}});
  }

  void record(std::string_view bytes) {
    const auto record = actuator::decode_record(bytes);
    // A clock of another age is behind no checksum of ours.
    if (!record || record->at < Instant{} || record->at > now_ + std::chrono::hours(24 * 365))
      return;
    const auto kept = actuator::decode_record(actuator::encode_record(*record));
    if (!kept) broken("a record can be read again", kept.error().message);
    const auto again = actuator::decode_record(actuator::encode_record(*kept));
    expect(again && *again == *kept, "a record is the same after the journal");
    remember(*kept);
  }

  // Cut, and one bit turned: what is read is what stood before the damage.
  void damage(std::string_view how) {
    Numbers numbers(how);
    std::string bytes = actuator::journal_bytes(records_);
    const std::size_t keep = numbers.number(static_cast<std::uint32_t>(bytes.size()) + 1);
    expect_prefix(bytes.substr(0, keep));
    const std::size_t at = numbers.number(static_cast<std::uint32_t>(bytes.size()));
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << numbers.number(8));
    expect_prefix(bytes);
    const auto read = actuator::read_journal(bytes);
    expect(!read.damage.empty(), "a bit that turned is noticed");
  }

  static void journal(std::string_view bytes) {
    const auto read = actuator::read_journal(bytes);
    expect(read.good_bytes <= bytes.size(), "no more is good than there is");
    const auto again = actuator::read_journal(bytes.substr(0, read.good_bytes));
    expect(again.records == read.records, "what is good stands alone");
  }

  void finish() const {
    expect_prefix(actuator::journal_bytes(records_));
    const auto read = actuator::read_journal(actuator::journal_bytes(records_));
    expect(read.damage.empty() && read.records == records_, "a journal reads as it was written");
    // Its compact form is the same history.
    actuator::History again;
    for (const Record& record : history_.records()) again.apply(record);
    expect(again.records() == history_.records(), "a compact journal is the same history");
    expect(again.epoch_seen() == history_.epoch_seen(), "a compact journal keeps the epoch");
    expect(again.running() == history_.running(), "a compact journal keeps what runs");
  }

 private:
  void remember(Record record) {
    history_.apply(record);
    records_.push_back(std::move(record));
  }

  void expect_prefix(std::string_view bytes) const {
    const auto read = actuator::read_journal(bytes);
    expect(read.records.size() <= records_.size() &&
               std::equal(read.records.begin(), read.records.end(), records_.begin()),
           "nothing is read from a damaged journal but what was written");
  }

  void obey(const actuator::Order& order) {
    const actuator::Situation situation{allowed(), history_, 0, {}, now_, now_};
    const auto decision = actuator::decide(order, situation);
    const bool known = history_.find(order.id) != nullptr;
    if (const auto* refuse = std::get_if<actuator::Refuse>(&decision)) {
      expect(!refuse->reason.empty(), "a refusal says why");
      if (order.id.empty()) return;  // as the server does: nobody could ask for this outcome
      actuator::Outcome refused;
      refused.id = order.id;
      refused.state = actuator::State::refused;
      return remember({now_, actuator::Ended{refused}});
    }
    const auto* start = std::get_if<actuator::Start>(&decision);
    if (start == nullptr) return;
    expect(!known && started_.insert(order.id).second, "an action runs once per id");
    expect(order.epoch >= history_.epoch_seen(), "an older epoch is not obeyed");
    check_argv(*start);
    remember({now_, actuator::Intent{order.id, order.name, order.epoch}});
    now_ += std::chrono::minutes(2);
  }

  static void check_argv(const actuator::Start& start) {
    expect(start.action != nullptr && !start.argv.empty() && start.argv[0].starts_with('/'),
           "what runs is an absolute path");
    for (std::size_t i = 1; i < start.argv.size(); ++i) {
      const std::string& word = start.argv[i];
      expect(word == "--" || word == "--no-ask-password" || !word.starts_with('-'),
             "no value becomes an option", word);
      for (const char c : word) expect(c >= 0x20 || c < 0, "no value holds a control character");
    }
  }

  actuator::History history_;
  std::vector<Record> records_;
  std::set<ActionId> started_;
  Instant now_ = instant_from_unix_us(1'795'230'000'000'000);
};

}  // namespace

const google::protobuf::Message* prototype(char kind) {
  switch (kind) {
    case 'q':
      return &v1::ActuatorRequest::default_instance();
    case 'o':
      return &v1::ActionOutcome::default_instance();
    case 'r':
      return &v1::ActuatorRecord::default_instance();
    default:
      return nullptr;
  }
}

std::string_view kinds() {
  return "qorJj";
}

void run(std::string_view input) {
  Driver driver;
  for (const Part& part : split(input)) {
    if (part.kind == 'q') driver.request(part.bytes);
    if (part.kind == 'o') driver.outcome(part.bytes);
    if (part.kind == 'r') driver.record(part.bytes);
    if (part.kind == 'J') driver.damage(part.bytes);
    if (part.kind == 'j') Driver::journal(part.bytes);
  }
  driver.finish();
}

}  // namespace firebreak::fuzz
