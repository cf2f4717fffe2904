// Certificates from files that somebody else may have made.
#include <sys/mman.h>
#include <unistd.h>

#include "common/ids.h"
#include "common/pki.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

// A file in memory, by a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    expect(fd_ >= 0, "there is a file in memory");
    while (!bytes.empty()) {
      const auto written = ::write(fd_, bytes.data(), bytes.size());
      expect(written > 0, "the file in memory is written");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void check(const pki::Identity& identity) {
  expect(is_valid_name(identity.name), "an identity has a name");
  const auto again = pki::parse_identity(pki::identity_uri(identity));
  expect(again && *again == identity, "an identity reads back as it is written");
}

}  // namespace

void run(std::string_view input) {
  if (const auto identity = pki::parse_identity(input)) check(*identity);
  const MemoryFile file(input);
  const auto info = pki::read_certificate_info(file.path());
  if (!info)
    expect(!info.error().message.empty(), "an error says why");
  else if (info->identity)
    check(*info->identity);
  // The same bytes in every role: certificate, key and authority.
  const auto material = pki::read_tls_material({file.path(), file.path(), file.path()});
  if (material) check(material->identity);
}

}  // namespace firebreak::fuzz
