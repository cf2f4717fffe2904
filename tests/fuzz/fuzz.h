// What a fuzz target is made of: one function over bytes, and a way to say that a promise is
// broken.
//
// A target includes this header and defines run(). With clang it becomes a libFuzzer program
// (scripts/fuzz), with every other compiler a program that plays the files of its corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace firebreak::fuzz {

// One input, hostile. Returns when every promise was kept; it may not throw.
void run(std::string_view input);

// Ends the process: this input breaks a promise.
[[noreturn]] void broken(std::string_view promise, std::string_view detail = {});
inline void expect(bool kept, std::string_view promise, std::string_view detail = {}) {
  if (!kept) broken(promise, detail);
}

// Text that may reach a terminal: valid UTF-8 without control or deceptive characters; newlines
// only where they are allowed.
void expect_safe(std::string_view text, bool lines_allowed, std::string_view what);
void expect_utf8(std::string_view text, std::string_view what);

// Numbers from the front of an input; zeros when it is used up.
class Numbers {
 public:
  explicit Numbers(std::string_view input) : input_(input) {}
  std::uint8_t byte();
  std::uint32_t number(std::uint32_t below);  // below > 0
  std::string_view rest() const { return input_; }

 private:
  std::string_view input_;
};

// An input of several parts: each is a byte, its kind, and the rest. A line of "%%" stands between
// parts, so that a mutation within one leaves the others what they are.
struct Part {
  char kind = 0;
  std::string_view bytes;
};
inline constexpr std::string_view kBetweenParts = "\n%%\n";
// What comes after the first `most` is left out.
std::vector<Part> split(std::string_view input, std::size_t most = SIZE_MAX);
std::string join(const std::vector<Part>& parts);

// A target whose parts are messages says here which, so that mutations keep them well-formed;
// nullptr: a part of this kind is plain bytes. See mutator.cc.
const google::protobuf::Message* prototype(char kind);
// Every kind of part that the target knows.
std::string_view kinds();

}  // namespace firebreak::fuzz
