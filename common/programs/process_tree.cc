// Reads /proc/PID/stat of every process and follows the parents.
#include "common/programs/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/fd.h"

namespace firebreak::programs {
namespace {

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Process {
  pid_t parent = 0;
  bool alive = false;
  std::size_t threads = 0;
};

constexpr int kThreadsAfterParent = 16;  // fields of proc(5)

// `rest` begins with the parent.
std::size_t threads_in(std::string_view rest) {
  for (int field = 0; field < kThreadsAfterParent; ++field) {
    const auto blank = rest.find(' ');
    if (blank == std::string_view::npos) return 1;
    rest.remove_prefix(blank + 1);
  }
  return number_in<std::size_t>(rest.substr(0, rest.find(' '))).value_or(1);
}

// "PID (NAME) STATE PARENT ...": the name may hold anything, so it ends at the last ')'.
std::optional<Process> process_of(std::string_view stat) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || stat.size() < name_end + 5) return std::nullopt;
  const char state = stat[name_end + 2];
  const std::string_view rest = stat.substr(name_end + 4);
  const auto parent = number_in<pid_t>(rest.substr(0, rest.find(' ')));
  if (!parent) return std::nullopt;
  return Process{*parent, state != 'Z' && state != 'X', threads_in(rest)};
}

std::string stat_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  while (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr)
    if (const auto pid = number_in<pid_t>(static_cast<const char*>(entry->d_name)))
      pids.push_back(*pid);
  return pids;
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  std::set<pid_t> alive;
  for (const pid_t pid : all_pids()) {
    const auto process = process_of(stat_of(pid));
    if (!process) continue;
    children.emplace(process->parent, pid);
    if (process->alive) alive.insert(pid);
  }
  std::vector<pid_t> all{root};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [first, last] = children.equal_range(all[i]);
    for (auto child = first; child != last; ++child) all.push_back(child->second);
  }
  std::vector<pid_t> found;
  for (const pid_t pid : all) {
    if (pid != root && alive.contains(pid)) found.push_back(pid);
  }
  return found;
}

std::size_t tasks_of_user(uid_t user) {
  std::size_t tasks = 0;
  for (const pid_t pid : all_pids()) {
    struct stat info {};
    const std::string path = "/proc/" + std::to_string(pid);
    if (::stat(path.c_str(), &info) != 0 || info.st_uid != user) continue;
    if (const auto process = process_of(stat_of(pid))) tasks += process->threads;
  }
  return tasks;
}

}  // namespace firebreak::programs
