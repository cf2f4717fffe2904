// Framing and durability of a snapshot's file. Every checksum goes on from the one before it, so
// that a record of another place or another file does not fit.
#include "coordinator/store/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "common/crc32c.h"
#include "common/limits.h"
#include "coordinator/store/snapshot_codec.h"

namespace firebreak::store {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "FBSNAP\r\n";  // a copy that mends line ends breaks it
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kDigestBytes = 64;
constexpr std::uint32_t kTrailer = 0xffffffff;  // instead of a record's length
constexpr std::string_view kPrefix = "snapshot-";
constexpr std::string_view kPastPrefix = "past-";
constexpr std::size_t kDigits = 20;
constexpr const char* kUnfinished = ".tmp";

template <class Number>
void put_number(std::string& to, Number value) {
  std::array<char, sizeof value> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  to.append(bytes.data(), bytes.size());
}
template <class Number>
Number take_number(std::string_view& from) {
  Number value{};
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return value;
}

std::string header_bytes(const SnapshotHeader& header) {
  std::string bytes(kMagic);
  put_number(bytes, kVersion);
  put_number(bytes, header.anchor);
  put_number(bytes, header.position);
  put_number(bytes, header.epoch);
  put_number(bytes, unix_us(header.at));
  std::string digest = header.directory_digest;
  digest.resize(kDigestBytes);
  bytes += digest;
  put_number(bytes, crc32c(bytes));
  return bytes;
}
constexpr std::size_t kHeaderBytes = 8 + 4 + 4 + 8 + 8 + 8 + kDigestBytes + 4;

// What the records' checksums go on from: the header's own. (Of the header with its checksum the
// checksum is always the same.)
std::uint32_t seed_of(std::string_view header) {
  return crc32c(header.substr(0, kHeaderBytes - sizeof(std::uint32_t)));
}

std::string why(const char* doing, const std::string& path) {
  return path + ": cannot " + doing + ": " + std::system_category().message(errno);
}

Error damaged(const std::string& path, const std::string& what) {
  return make_error(Errc::corrupt, path + ": " + what);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  bool write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }
  // False: an error (errno), or the file ends before that (errno 0).
  bool read_all(std::string& into, std::size_t size) const {
    into.resize(size);
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = ::read(fd_, into.data() + have, size - have);
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) errno = 0;
      if (got <= 0) return false;
      have += static_cast<std::size_t>(got);
    }
    return true;
  }

 private:
  int fd_;
};

Result<> write_file(const std::string& path, const SnapshotHeader& header,
                    const std::vector<std::string>& records) {
  const File file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return make_error(Errc::permission_denied, why("create", path));
  const auto failed = [&](const char* doing) {
    return make_error(
        errno == ENOSPC || errno == EDQUOT ? Errc::resource_exhausted : Errc::internal,
        why(doing, path));
  };
  std::string bytes = header_bytes(header);
  std::uint32_t crc = seed_of(bytes);
  if (!file.write_all(bytes)) return failed("write");
  for (const std::string& record : records) {
    crc = crc32c(record, crc);
    bytes.clear();
    put_number(bytes, static_cast<std::uint32_t>(record.size()));
    put_number(bytes, crc);
    if (!file.write_all(bytes) || !file.write_all(record)) return failed("write");
  }
  bytes.clear();
  put_number(bytes, kTrailer);
  put_number(bytes, std::uint64_t{records.size()});
  put_number(bytes, crc32c(bytes, crc));
  if (!file.write_all(bytes)) return failed("write");
  if (::fdatasync(file.fd()) != 0) return failed("sync");
  return {};
}

Result<> sync_folder(const std::string& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.fd()) != 0)
    return make_error(Errc::internal, why("sync", folder));
  return {};
}

Result<SnapshotHeader> parse_header(const std::string& path, std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return damaged(path, "not a snapshot of firebreak");
  const std::string_view checked = bytes.substr(0, kHeaderBytes - sizeof(std::uint32_t));
  std::string_view rest = bytes.substr(kMagic.size());
  const auto version = take_number<std::uint32_t>(rest);
  SnapshotHeader header;
  header.anchor = take_number<std::uint32_t>(rest);
  header.position = take_number<std::uint64_t>(rest);
  header.epoch = take_number<std::uint64_t>(rest);
  header.at = instant_from_unix_us(take_number<std::int64_t>(rest));
  header.directory_digest = rest.substr(0, kDigestBytes);
  header.directory_digest.resize(std::strlen(header.directory_digest.c_str()));
  rest.remove_prefix(kDigestBytes);
  if (take_number<std::uint32_t>(rest) != crc32c(checked))
    return damaged(path, "the header does not match its checksum");
  if (version != kVersion)
    return make_error(Errc::failed_precondition, path + ": format " + std::to_string(version) +
                                                     ", this program knows " +
                                                     std::to_string(kVersion));
  return header;
}

Result<> read_trailer(const File& file, const std::string& path, std::uint32_t crc,
                      std::uint64_t count) {
  std::string bytes;
  put_number(bytes, kTrailer);
  std::string rest;
  if (!file.read_all(rest, sizeof(std::uint64_t))) return damaged(path, "the trailer is cut");
  std::string_view view = rest;
  const bool is_count = take_number<std::uint64_t>(view) == count;
  bytes += rest;
  std::string said;
  if (!file.read_all(said, sizeof(std::uint32_t))) return damaged(path, "the trailer is cut");
  view = said;
  if (take_number<std::uint32_t>(view) != crc32c(bytes, crc) || !is_count)
    return damaged(path, "the trailer does not match what comes before it");
  if (file.read_all(said, 1)) return damaged(path, "something follows the trailer");
  return {};
}

std::string name_of(std::string_view prefix, std::uint64_t position) {
  std::string digits = std::to_string(position);
  digits.insert(0, kDigits - digits.size(), '0');
  return std::string(prefix) + digits;
}

std::vector<std::uint64_t> list_files(std::string_view prefix, const std::string& folder) {
  std::vector<std::uint64_t> positions;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || name.size() != prefix.size() + kDigits) continue;
    const std::string digits = name.substr(prefix.size());
    if (digits.find_first_not_of("0123456789") != std::string::npos) continue;
    if (digits > std::to_string(UINT64_MAX)) continue;
    positions.push_back(std::stoull(digits));
  }
  std::sort(positions.rbegin(), positions.rend());
  return positions;
}

}  // namespace

std::string snapshot_name(std::uint64_t position) {
  return name_of(kPrefix, position);
}

std::vector<std::uint64_t> list_snapshots(const std::string& folder) {
  return list_files(kPrefix, folder);
}

std::string past_snapshot_name(std::uint64_t position) {
  return name_of(kPastPrefix, position);
}

std::vector<std::uint64_t> list_past_snapshots(const std::string& folder) {
  return list_files(kPastPrefix, folder);
}

Result<> write_snapshot(const std::string& folder, const SnapshotHeader& header,
                        const std::vector<std::string>& records) {
  const std::string path = folder + "/" + snapshot_name(header.position);
  const std::string unfinished = path + kUnfinished;
  if (const auto written = write_file(unfinished, header, records); !written) {
    ::unlink(unfinished.c_str());
    return written.error();
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) {
    const Error error = make_error(Errc::internal, why("rename", unfinished));
    ::unlink(unfinished.c_str());
    return error;
  }
  return sync_folder(folder);
}

Result<SnapshotHeader> read_snapshot_header(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return make_error(Errc::permission_denied, why("open", path));
  std::string bytes;
  if (!file.read_all(bytes, kHeaderBytes)) return damaged(path, "the header is cut");
  return parse_header(path, bytes);
}

Result<SnapshotHeader> read_snapshot(const std::string& path,
                                     const std::function<Result<>(std::string_view)>& visit) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return make_error(Errc::permission_denied, why("open", path));
  std::string bytes;
  if (!file.read_all(bytes, kHeaderBytes)) return damaged(path, "the header is cut");
  auto header = parse_header(path, bytes);
  if (!header) return header.error();
  std::uint32_t crc = seed_of(bytes);
  for (std::uint64_t number = 0;; ++number) {
    const std::string which = "record " + std::to_string(number);
    if (!file.read_all(bytes, sizeof(std::uint32_t))) return damaged(path, which + " is missing");
    std::string_view view = bytes;
    const auto size = take_number<std::uint32_t>(view);
    if (size == kTrailer) {
      if (const auto ended = read_trailer(file, path, crc, number); !ended) return ended.error();
      return header;
    }
    if (size > limits::kSnapshotRecordBytesMax)
      return damaged(path, which + " claims " + std::to_string(size) + " bytes");
    if (!file.read_all(bytes, sizeof(std::uint32_t))) return damaged(path, which + " is cut");
    view = bytes;
    const auto said = take_number<std::uint32_t>(view);
    if (!file.read_all(bytes, size)) return damaged(path, which + " is cut");
    crc = crc32c(bytes, crc);
    if (crc != said) return damaged(path, which + " does not match its checksum");
    if (const auto visited = visit(bytes); !visited) {
      std::string message = path;
      message.append(": ").append(which).append(": ").append(visited.error().message);
      return Error{visited.error().code, std::move(message)};
    }
  }
}

Result<Snapshot> load_snapshot(const std::string& path, const PolicyCompiler& compile) {
  StateDecoder decoder(compile);
  auto header = read_snapshot(path, [&](std::string_view record) { return decoder.add(record); });
  if (!header) return header.error();
  auto state = decoder.finish();
  if (!state) return Error{state.error().code, path + ": " + state.error().message};
  Snapshot snapshot;
  snapshot.position = header->position;
  snapshot.at = header->at;
  snapshot.directory_digest = std::move(header->directory_digest);
  snapshot.state = std::move(*state);
  return snapshot;
}

}  // namespace firebreak::store
