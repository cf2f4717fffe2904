// What the store gives back: journal rows, effects, incidents and snapshots, damaged or from
// another version.
//
// Parts: j a row of the journal, e an effect of the outbox, i an incident; n a record of a
// snapshot, all of them together are one.
#include <firebreak/v1/journal.pb.h>
#include <firebreak/v1/snapshot.pb.h>

#include <optional>

#include "coordinator/policy/loader.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/snapshot_codec.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::invalid_argument, loaded.problems);
  return loaded.policy;
}

// What is read is what is written: encoding it again gives bytes that read back to themselves.
template <class Decode, class Encode>
void check(std::string_view bytes, const Decode& decode, const Encode& encode) {
  const auto read = decode(bytes);
  if (!read) return expect(!read.error().message.empty(), "an error says why");
  const std::string written = encode(*read);
  const auto again = decode(written);
  if (!again) broken("what was read once can be read again", again.error().message);
  expect(encode(*again) == written, "writing and reading changes nothing");
}

void check_batch(std::string_view bytes) {
  check(
      bytes, [](std::string_view from) { return store::decode_batch(from, 5, &compile); },
      &store::encode_batch);
  const auto read = store::decode_batch(bytes, 5, &compile);
  if (!read) return;
  for (std::size_t i = 0; i < read->size(); ++i)
    expect((*read)[i].position == 5 + i, "positions follow one another");
}

std::optional<core::State> decode_state(const std::vector<std::string>& records) {
  store::StateDecoder decoder(&compile);
  for (const std::string& record : records)
    if (const auto added = decoder.add(record); !added) {
      expect(!added.error().message.empty(), "an error says why");
      return std::nullopt;
    }
  auto state = decoder.finish();
  if (state) return std::move(*state);
  expect(!state.error().message.empty(), "an error says why");
  return std::nullopt;
}

void check_snapshot(const std::vector<std::string>& records) {
  const auto state = decode_state(records);
  if (!state) return;
  const std::vector<std::string> written = store::encode_state(*state);
  const auto again = decode_state(written);
  expect(again.has_value(), "what was read once can be read again");
  expect(store::encode_state(*again) == written, "writing and reading changes nothing");
}

}  // namespace

const google::protobuf::Message* prototype(char kind) {
  switch (kind) {
    case 'j':
      return &journal::v1::Batch::default_instance();
    case 'e':
      return &journal::v1::Effect::default_instance();
    case 'i':
      return &journal::v1::Incident::default_instance();
    case 'n':
      return &journal::v1::SnapshotRecord::default_instance();
    default:
      return nullptr;
  }
}

std::string_view kinds() {
  return "jein";
}

void run(std::string_view input) {
  std::vector<std::string> snapshot;
  for (const Part& part : split(input)) {
    if (part.kind == 'j') check_batch(part.bytes);
    if (part.kind == 'e') check(part.bytes, &store::decode_effect, &store::encode_effect);
    if (part.kind == 'n') snapshot.emplace_back(part.bytes);
    if (part.kind == 'i') check(part.bytes, &store::decode_incident, &store::encode_incident);
  }
  if (!snapshot.empty()) check_snapshot(snapshot);
}

}  // namespace firebreak::fuzz
