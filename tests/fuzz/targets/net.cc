// What peers send to the probes that speak a protocol of their own: STARTTLS.
//
// The first byte says which.
#include <algorithm>

#include "common/limits.h"
#include "common/probe_spec.h"
#include "probes/starttls.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using probes::StartTls;

// In pieces of `size` bytes; what was said meanwhile.
std::string feed(StartTls& talk, std::string_view bytes, std::size_t size) {
  std::string said = talk.take_output();
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    if (talk.feed(bytes.substr(at, size)) != StartTls::State::talking) break;
    said += talk.take_output();
  }
  return said;
}

void starttls(std::string_view bytes) {
  for (const std::string& protocol : starttls_protocols()) {
    StartTls whole(protocol);
    const std::string said = feed(whole, bytes, std::max<std::size_t>(1, bytes.size()));
    StartTls slow(protocol);
    const std::string slowly = feed(slow, bytes, 1);
    expect(said.size() < 64 && slowly.size() < 64, "a server makes us say little", said + slowly);
    const bool failed = whole.state() == StartTls::State::failed;
    expect(failed != whole.problem().empty(), "a failure says why");
    expect(failed == (whole.reason() != Reason::none), "a failure has a reason");
    expect(whole.problem().size() <= bytes.size() + 64, "memory is bounded");
    // Only what comes with the go-ahead at once is refused where bytes that come later are TLS.
    if (whole.state() == StartTls::State::ready)
      expect(slow.state() == StartTls::State::ready, "pieces do not matter", slow.problem());
    if (whole.state() == StartTls::State::talking && bytes.size() <= limits::kStartTlsBytesMax)
      expect(slow.state() == StartTls::State::talking, "pieces do not matter", slow.problem());
  }
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if (input[0] == 's') starttls(bytes);
}

}  // namespace firebreak::fuzz
