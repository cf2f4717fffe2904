// Where libFuzzer comes in.
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // libFuzzer gives a null pointer for an empty input.
  firebreak::fuzz::run({size == 0 ? "" : reinterpret_cast<const char*>(data), size});
  return 0;
}
