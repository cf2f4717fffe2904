// Opens without a lock of its own that would keep a coordinator away, and without a write.
#include "coordinator/store/read_only.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace firebreak::store {
namespace {

// A path as a URI of SQLite takes it.
std::string uri_of(const std::string& path, const char* option) {
  std::string uri = "file:";
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '?' || c == '#' || c == '%') {
      uri += '%';
      uri += kHex[byte >> 4];
      uri += kHex[byte & 15];
    } else {
      uri += c;
    }
  }
  return uri + "?" + option;
}

}  // namespace

Result<ReadOnly> ReadOnly::open(const std::string& path) {
  namespace fs = std::filesystem;
  ReadOnly opened;
  opened.lock_ = ::open((path + ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_ours = opened.lock_ < 0 || ::flock(opened.lock_, LOCK_SH | LOCK_NB) == 0;
  std::error_code failed;
  const bool has_log = fs::file_size(path + "-wal", failed) > 0 && !failed;
  if (is_ours && !fs::exists(path + "-shm", failed)) opened.index_ = path + "-shm";
  const std::string how = uri_of(path, has_log ? "mode=ro" : "immutable=1");
  auto db = open_database(path, how, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  if (!db) return db.error();
  sqlite3_db_config(db->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  opened.db_ = std::move(*db);
  return opened;
}

ReadOnly::ReadOnly(ReadOnly&& other) noexcept
    : db_(std::move(other.db_)),
      lock_(std::exchange(other.lock_, -1)),
      index_(std::exchange(other.index_, {})) {}

ReadOnly::~ReadOnly() {
  db_.reset();
  if (!index_.empty()) ::unlink(index_.c_str());
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace firebreak::store
