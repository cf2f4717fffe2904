// Append, fsync, fold; and reading back what a crash or a bad disk left.
#include "agent/actuator/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "agent/actuator/frame.h"
#include "agent/actuator/wire.h"
#include "common/crc32c.h"

namespace firebreak::actuator {
namespace {

constexpr std::string_view kMagic = "firebreak actuator journal 1\n";
constexpr std::size_t kWord = 4;
constexpr std::size_t kHeaderBytes = 2 * kWord;
constexpr std::size_t kRecordBytesMax = 64u << 10;  // an outcome with its output is below 10 KiB
constexpr std::size_t kCompactAboveBytes = 1u << 20;

// Goes on from `crc` by taking its bytes before the others.
std::uint32_t extend_crc(std::uint32_t crc, std::string_view bytes) {
  return crc32c(bytes, crc32c(frame_header(crc)));
}

// `crc` goes on from the record before, and is left where the next one goes on.
std::string frame_record(const Record& record, std::uint32_t& crc) {
  const std::string payload = encode_record(record);
  const std::string length = frame_header(static_cast<std::uint32_t>(payload.size()));
  crc = extend_crc(crc, length);
  std::string bytes = length + frame_header(crc) + payload;
  crc = extend_crc(crc, payload);
  return bytes + frame_header(crc);
}

// What some file systems leave of an append that a power cut interrupted.
bool is_only_zeros(std::string_view bytes, std::size_t max_size) {
  return bytes.size() <= max_size && bytes.find_first_not_of('\0') == std::string_view::npos;
}

// One record from the front of `rest`. Nothing when `rest` is only the beginning of one.
Result<std::optional<std::size_t>> read_record(std::string_view rest, JournalContent& content) {
  if (rest.size() < kHeaderBytes || is_only_zeros(rest, kRecordBytesMax)) {
    return std::optional<std::size_t>{};
  }
  const std::uint32_t length = frame_length(rest);
  const std::uint32_t header_crc = extend_crc(content.crc, rest.substr(0, kWord));
  if (header_crc != frame_length(rest.substr(kWord)) || length > kRecordBytesMax) {
    return make_error(Errc::corrupt, "the header of a record has changed");
  }
  const std::size_t size = kHeaderBytes + length + kWord;
  if (rest.size() < size) return std::optional<std::size_t>{};
  const std::string_view payload = rest.substr(kHeaderBytes, length);
  const std::uint32_t crc = extend_crc(header_crc, payload);
  if (crc != frame_length(rest.substr(kHeaderBytes + length))) {
    return make_error(Errc::corrupt, "the content of a record has changed");
  }
  auto record = decode_record(payload);
  if (!record) return record.error();
  content.records.push_back(*std::move(record));
  content.crc = crc;
  return std::optional<std::size_t>{size};
}

Result<void> write_all(int fd, std::string_view bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(Errc::unavailable, "cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return {};
}

Result<std::string> read_all(int fd) {
  std::string bytes;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(bytes.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(Errc::unavailable, "cannot read");
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> check_private(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error(Errc::unavailable, "cannot stat " + path);
  if (info.st_uid != ::geteuid() || (info.st_mode & 022) != 0) {
    return make_error(Errc::permission_denied,
                      path +
                          " has to belong to the actuator's user and to be writable by nobody "
                          "else (chown, chmod go-w)");
  }
  return {};
}

Result<Fd> open_private(int directory, const char* name, const std::string& path) {
  Fd file(::openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return system_error(Errc::unavailable, "cannot open " + path);
  if (auto checked = check_private(file.get(), path); !checked) return checked.error();
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return system_error(Errc::already_exists,
                        "cannot lock " + path + "; does another actuator use it?");
  }
  return file;
}

}  // namespace

JournalContent read_journal(std::string_view bytes) {
  JournalContent content;
  content.crc = extend_crc(0, kMagic);
  const std::string_view magic = bytes.substr(0, kMagic.size());
  if (magic != kMagic.substr(0, magic.size()) && !is_only_zeros(bytes, kMagic.size())) {
    content.damage = "the first line is not that of an actuator's journal";
    return content;
  }
  if (magic != kMagic) return content;
  content.good_bytes = kMagic.size();
  while (content.good_bytes < bytes.size()) {
    const auto size = read_record(bytes.substr(content.good_bytes), content);
    if (!size) {
      content.damage = size.error().message + ", at byte " + std::to_string(content.good_bytes) +
                       " of " + std::to_string(bytes.size());
      return content;
    }
    if (!*size) break;
    content.good_bytes += **size;
  }
  return content;
}

std::string journal_bytes(const std::vector<Record>& records) {
  std::string bytes(kMagic);
  std::uint32_t crc = extend_crc(0, kMagic);
  for (const Record& record : records) bytes += frame_record(record, crc);
  return bytes;
}

Result<Journal> Journal::open(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(Errc::unavailable, "cannot create the state directory " + directory);
  }
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return system_error(Errc::unavailable, "cannot open the state directory " + directory);
  if (auto checked = check_private(fd.get(), directory); !checked) return checked.error();
  Journal journal(std::move(fd), directory + "/journal");
  if (auto loaded = journal.load(); !loaded) return loaded.error();
  return journal;
}

Result<void> Journal::load() {
  auto file = open_private(directory_.get(), "journal", path_);
  if (!file) return file.error();
  file_ = *std::move(file);
  const auto bytes = read_all(file_.get());
  if (!bytes) return make_error(bytes.error().code, path_ + ": " + bytes.error().message);
  const JournalContent content = read_journal(*bytes);
  for (const Record& record : content.records) history_.apply(record);
  size_ = content.good_bytes;
  compact_size_ = size_;
  crc_ = content.crc;
  if (!content.damage.empty()) {
    damage_ = path_ + " is damaged: " + content.damage +
              ". Nothing runs until a person has checked which actions ran and moved it away";
    return {};
  }
  if (size_ == 0) return start_file();
  if (size_ == bytes->size()) return {};
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0 || ::fsync(file_.get()) != 0) {
    return system_error(Errc::unavailable, "cannot cut the torn end off " + path_);
  }
  return {};
}

Result<void> Journal::start_file() {
  if (::ftruncate(file_.get(), 0) != 0) {
    return system_error(Errc::unavailable, "cannot empty " + path_);
  }
  if (auto written = write_all(file_.get(), kMagic, 0); !written) {
    return make_error(written.error().code, path_ + ": " + written.error().message);
  }
  if (::fsync(file_.get()) != 0 || ::fsync(directory_.get()) != 0) {
    return system_error(Errc::unavailable, "cannot make " + path_ + " durable");
  }
  size_ = kMagic.size();
  compact_size_ = size_;
  return {};
}

Result<void> Journal::append(const Record& record) {
  if (!damage_.empty()) return make_error(Errc::failed_precondition, damage_);
  std::uint32_t crc = crc_;
  const std::string bytes = frame_record(record, crc);
  if (auto written = write_all(file_.get(), bytes, size_); !written) {
    // A full disk may have taken a part of it; without that part the file is as it was.
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
      damage_ = "cannot undo a partial write to " + path_ + "; restart the actuator";
    }
    return make_error(written.error().code, path_ + ": " + written.error().message);
  }
  if (::fdatasync(file_.get()) != 0) {
    const Error error = system_error(Errc::unavailable, "cannot make " + path_ + " durable");
    damage_ = error.message + "; nothing runs until the disk is well and the actuator restarted";
    return error;
  }
  size_ += bytes.size();
  crc_ = crc;
  history_.apply(record);
  return {};
}

Result<void> Journal::compact_if_large(Instant now) {
  if (size_ < std::max(kCompactAboveBytes, 2 * compact_size_)) return {};
  return compact(now);
}

Result<void> Journal::compact(Instant now) {
  if (!damage_.empty()) return make_error(Errc::failed_precondition, damage_);
  history_.forget(now);
  const std::string bytes = journal_bytes(history_.records());
  const std::string path = path_ + ".new";
  auto file = open_private(directory_.get(), "journal.new", path);
  if (!file) return file.error();
  if (::ftruncate(file->get(), 0) != 0) {
    return system_error(Errc::unavailable, "cannot empty " + path);
  }
  if (auto written = write_all(file->get(), bytes, 0); !written) {
    return make_error(written.error().code, path + ": " + written.error().message);
  }
  if (::fsync(file->get()) != 0) {
    return system_error(Errc::unavailable, "cannot make " + path + " durable");
  }
  if (::renameat(directory_.get(), "journal.new", directory_.get(), "journal") != 0) {
    return system_error(Errc::unavailable, "cannot rename " + path);
  }
  file_ = *std::move(file);
  size_ = bytes.size();
  compact_size_ = size_;
  crc_ = read_journal(bytes).crc;
  // Until the rename is durable a power cut would bring the old file back, without what is
  // appended from now on.
  if (::fsync(directory_.get()) != 0) {
    damage_ = system_error(Errc::unavailable, "cannot make the new " + path_ + " durable").message +
              "; nothing runs until the disk is well and the actuator restarted";
    return make_error(Errc::unavailable, damage_);
  }
  return {};
}

}  // namespace firebreak::actuator
