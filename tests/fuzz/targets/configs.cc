// The file that says what may run as root, and the two programs' own configurations.
//
// Parts: a a file of actions.d, k one of checks.d, c the coordinator's configuration, g the
// agent's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "agent/actuator/actions_file.h"
#include "agent/config.h"
#include "coordinator/config.h"
#include "probes/checks.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

// A folder of ours in memory, with one file; gone at the end of the process.
class Folder {
 public:
  Folder() {
    char path[] = "/dev/shm/firebreak-fuzz-XXXXXX";
    expect(::mkdtemp(path) != nullptr, "there is a folder in memory");
    path_ = path;
  }
  ~Folder() {
    ::unlink(file().c_str());
    ::rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(std::string_view bytes) const {
    const int fd = ::open(file().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect(fd >= 0, "the file is there");
    while (!bytes.empty()) {
      const auto written = ::write(fd, bytes.data(), bytes.size());
      expect(written > 0, "the file is written");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    ::close(fd);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] std::string file() const { return path_ + "/web.yaml"; }
  std::string path_;
};

void check(const actuator::Action& action) {
  expect(is_valid_name(action.name), "an action has a name");
  expect(action.timeout > Duration{0}, "an action ends");
  if (const auto* program = std::get_if<actuator::Program>(&action.what))
    expect(!program->argv.empty() && program->argv[0].starts_with('/'), "a program is absolute");
}

void actions(std::string_view bytes) {
  static const Folder folder;
  folder.write(bytes);
  yaml::Problems problems;
  const auto read = actuator::read_actions(folder.path(), ::geteuid(), problems);
  expect_safe(problems.render(), true, "what is said of actions");
  expect(read.files == 1, "the file is seen");
  expect(problems.ok() == (read.files_refused == 0), "a file with a mistake is refused");
  if (!problems.ok()) expect(read.allowed.empty(), "a file with a mistake allows nothing");
  for (const auto& [name, action] : read.allowed) {
    expect(name == action.name, "an action is found by its name");
    check(action);
  }
}

void checks(std::string_view bytes) {
  static const Folder folder;
  folder.write(bytes);
  yaml::Problems problems;
  const auto read = probes::read_checks(folder.path(), ::geteuid(), problems);
  expect_safe(problems.render(), true, "what is said of checks");
  expect(problems.ok() == (read.files_refused == 0), "a file with a mistake is refused");
  if (!problems.ok()) expect(read.allowed.empty(), "a file with a mistake allows nothing");
  for (const auto& [name, check] : read.allowed) {
    expect(is_valid_name(name), "a check has a name");
    expect(check.timeout > Duration{0}, "a check ends");
    expect(check.program.argv.at(0).starts_with('/'), "a program is absolute");
  }
}

template <class Config>
void check(const Result<Config>& config) {
  if (!config) expect_safe(config.error().message, true, "what is said of a configuration");
}

}  // namespace

void run(std::string_view input) {
  for (const Part& part : split(input)) {
    if (part.kind == 'a') actions(part.bytes);
    if (part.kind == 'k') checks(part.bytes);
    if (part.kind == 'c')
      check(coordinator::parse_config("coordinator.yaml", std::string(part.bytes)));
    if (part.kind == 'g') check(agent::parse_config("agent.yaml", std::string(part.bytes)));
  }
}

}  // namespace firebreak::fuzz
