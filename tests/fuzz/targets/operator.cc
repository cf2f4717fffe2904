// What operators send, each request for itself: nothing gets past that core or journal would choke
// on. How requests and agents mix is the target coordinator's.
//
// Parts: k n v d f c a request each, p a policy; l a limit.
#include <firebreak/v1/operator.pb.h>

#include <memory>

#include "common/limits.h"
#include "coordinator/api/requests.h"
#include "coordinator/core/step.h"
#include "coordinator/store/journal_codec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/operator_requests.h"
#include "tests/fuzz/world.h"

namespace firebreak::fuzz {
namespace {

template <class Message>
Message parse(std::string_view bytes) {
  Message message;
  (void)message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return message;
}

void check(const Result<core::OperatorAsked>& asked) {
  if (!asked) {
    expect(!asked.error().message.empty(), "an error says why");
    return expect_safe(asked.error().message, false, "what an operator is told");
  }
  const std::string bytes = store::encode_batch({{1, Instant{}, *asked}});
  const auto read = store::decode_batch(bytes, 1, nullptr);
  if (!read) broken("what is accepted can be journaled", read.error().message);
  expect(store::encode_batch(*read) == bytes, "what is accepted is the same after the journal");
}

void check_policy(const v1::ApplyPolicyRequest& request) {
  const auto files = api::policy_files(request);
  if (!files) return expect_safe(files.error().message, false, "what an operator is told");
  std::size_t bytes = 0;
  for (const policy::SourceFile& file : *files) {
    bytes += file.text.size();
    expect_safe(file.path, false, "a policy file's path");
    expect(file.path.find("..") == std::string::npos || file.path.find("/..") == std::string::npos,
           "a path stays below its folder", file.path);
    expect(!file.path.starts_with('/') && !file.path.starts_with('.'), "a path is relative",
           file.path);
  }
  expect(bytes <= limits::kPolicyBytesMax, "a policy is bounded");
}

void check_limit(std::string_view bytes) {
  const auto limit = api::check_limit(parse<v1::ListIncidentsRequest>(bytes));
  if (limit) expect(*limit > 0 && *limit <= limits::kResolvedIncidentsKept, "a list is bounded");
}

}  // namespace

const google::protobuf::Message* prototype(char kind) {
  switch (kind) {
    case 'p':
      return &v1::ApplyPolicyRequest::default_instance();
    case 'l':
      return &v1::ListIncidentsRequest::default_instance();
    default:
      return request_prototype(kind);
  }
}

std::string_view kinds() {
  return "knvdfcpl";
}

void run(std::string_view input) {
  const std::string by = "mia";
  for (const Part& part : split(input)) {
    const std::string_view bytes = part.bytes;
    if (part.kind == 'k') check(api::to_event(by, parse<v1::AcknowledgeIncidentRequest>(bytes)));
    if (part.kind == 'n') check(api::to_event(by, parse<v1::AddNoteRequest>(bytes)));
    if (part.kind == 'v') check(api::to_event(by, parse<v1::ResolveIncidentRequest>(bytes)));
    if (part.kind == 'c') check(api::to_event(by, parse<v1::ClearFactRequest>(bytes)));
    if (part.kind == 'd')
      check(api::to_event(by, parse<v1::DeclareIncidentRequest>(bytes), *world_policy()));
    if (part.kind == 'f')
      check(api::to_event(by, parse<v1::SetFactRequest>(bytes), *world_policy()));
    if (part.kind == 'p') check_policy(parse<v1::ApplyPolicyRequest>(bytes));
    if (part.kind == 'l') check_limit(bytes);
  }
}

}  // namespace firebreak::fuzz
