// What every parser of Beast's (1.81) that is fed by hand has to be kept from, for whoever includes
// Beast.
#pragma once

#include <cstddef>

namespace firebreak {

// Beast aborts the process, where its assertions are on, when the last chunk of an empty body comes
// in pieces: "0\r\n", and then one byte. No whole message has fewer than five bytes left where a
// chunk begins, so nobody waits in vain. `bytes`: all that is not taken yet.
template <class Parser>
[[nodiscard]] bool must_wait_for_chunk(const Parser& parser, std::size_t bytes) {
  constexpr std::size_t kLastChunkBytes = 5;  // "0\r\n\r\n" (RFC 9112, 7.1)
  return parser.is_header_done() && parser.chunked() && bytes < kLastChunkBytes;
}

}  // namespace firebreak
