// The gzip format (RFC 1952), unpacked as it comes, with the reader deciding when it has enough.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace firebreak::probes {

class Gunzip {
 public:
  // Gets a piece of at most 16 KiB; false: enough, nothing more is unpacked.
  using Sink = std::function<bool(std::string_view)>;

  Gunzip();
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  // False: it is not gzip. Nothing may be fed afterwards, nor when `sink` has had enough.
  bool feed(std::string_view packed, const Sink& sink);
  // What was fed ends where a file may end.
  [[nodiscard]] bool is_whole() const { return whole_; }

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  bool whole_ = false;
};

}  // namespace firebreak::probes
