// zlib, one piece of output at a time: a bomb costs what is taken of it.
#include "probes/gunzip.h"

#include <zlib.h>

#include <array>
#include <new>

namespace firebreak::probes {
namespace {

constexpr int kGzipOnly = 15 + 16;  // zlib.h: the largest window, a gzip header and no other

}  // namespace

struct Gunzip::Stream {
  Stream() {
    if (::inflateInit2(&z, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Stream() { ::inflateEnd(&z); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream z{};
};

Gunzip::Gunzip() : stream_(std::make_unique<Stream>()) {}

Gunzip::~Gunzip() = default;

bool Gunzip::feed(std::string_view packed, const Sink& sink) {
  z_stream& z = stream_->z;
  std::array<char, 16u << 10> piece;
  // zlib does not write to its input, whatever its type says.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z.avail_in = static_cast<uInt>(packed.size());
  for (;;) {
    // Of members one after another (RFC 1952, 2.2) each begins anew.
    if (whole_ && z.avail_in > 0 && ::inflateReset(&z) != Z_OK) return false;
    if (z.avail_in > 0) whole_ = false;
    if (whole_) return true;
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = static_cast<uInt>(piece.size());
    const int result = ::inflate(&z, Z_NO_FLUSH);
    const std::size_t size = piece.size() - z.avail_out;
    if (size > 0 && !sink(std::string_view(piece.data(), size))) return true;
    if (result == Z_BUF_ERROR) return true;  // nothing left to do without more input
    if (result != Z_OK && result != Z_STREAM_END) return false;
    whole_ = result == Z_STREAM_END;
    if (z.avail_in == 0 && z.avail_out > 0) return true;
  }
}

}  // namespace firebreak::probes
