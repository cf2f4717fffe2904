// Reads /proc/PID/stat of every process and follows the parents.
#include "agent/actuator/process_tree.h"

#include <dirent.h>
#include <fcntl.h>

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/fd.h"

namespace firebreak::actuator {
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
};

// "PID (NAME) STATE PARENT ...": the name may hold anything, so it ends at the last ')'.
std::optional<Process> process_of(std::string_view stat) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || stat.size() < name_end + 5) return std::nullopt;
  const char state = stat[name_end + 2];
  const std::string_view rest = stat.substr(name_end + 4);
  const auto parent = number_in<pid_t>(rest.substr(0, rest.find(' ')));
  if (!parent) return std::nullopt;
  return Process{*parent, state != 'Z' && state != 'X'};
}

std::string stat_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  std::set<pid_t> alive;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  while (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr) {
    const auto pid = number_in<pid_t>(static_cast<const char*>(entry->d_name));
    if (!pid) continue;
    const auto process = process_of(stat_of(*pid));
    if (!process) continue;
    children.emplace(process->parent, *pid);
    if (process->alive) alive.insert(*pid);
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

}  // namespace firebreak::actuator
