// Reads numbers out of the kernel's texts; a number that is missing or too large is no number.
#include "probes/host_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/range.h"
#include "probes/plugin_output.h"

namespace firebreak::probes {
namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

// Takes the next line, or the next word, off `text`.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  text.remove_prefix(std::min(text.find_first_not_of(ends), text.size()));
  const std::string_view taken = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(taken.size());
  return taken;
}
std::string_view take_line(std::string_view& text) {
  return take_until(text, "\n");
}
std::string_view take_word(std::string_view& text) {
  return take_until(text, " \t\n");
}

double percent(double part, double whole) {
  return whole > 0 ? std::clamp(100 * part / whole, 0.0, 100.0) : 0;
}

// The number behind "NAME:", in the unit that the file uses.
std::optional<double> field_of(std::string_view meminfo, std::string_view name) {
  while (!meminfo.empty()) {
    std::string_view line = take_line(meminfo);
    if (!line.starts_with(name) || line.substr(name.size(), 1) != ":") continue;
    line.remove_prefix(name.size() + 1);
    const auto number = whole_number(take_word(line));
    return number ? std::optional(static_cast<double>(*number)) : std::nullopt;
  }
  return std::nullopt;
}

void add(HostValues& values, std::string name, double value) {
  values.push_back({std::move(name), value});
}

double used_of(const DiskSpace& disk) {
  const auto used = static_cast<double>(disk.blocks - std::min(disk.blocks, disk.blocks_free));
  return percent(used, used + static_cast<double>(disk.blocks_available));  // as df(1) shows it
}
double free_of(const DiskSpace& disk) {
  return static_cast<double>(disk.blocks_available) * static_cast<double>(disk.block_bytes);
}
double inodes_used_of(const DiskSpace& disk) {
  const auto used = disk.inodes - std::min(disk.inodes, disk.inodes_free);
  return percent(static_cast<double>(used), static_cast<double>(disk.inodes));
}

}  // namespace

std::optional<CpuTimes> parse_cpu(std::string_view stat) {
  CpuTimes times;
  bool found = false;
  while (!stat.empty()) {
    std::string_view line = take_line(stat);
    const std::string_view name = take_word(line);
    if (!name.starts_with("cpu")) continue;
    if (name.size() > 3) {
      ++times.processors;
      continue;
    }
    // user nice system idle iowait irq softirq steal; guests' time is in user and nice already.
    std::array<std::uint64_t, 8> jiffies{};
    for (std::uint64_t& each : jiffies) {
      const auto number = whole_number(take_word(line));
      if (!number || *number > UINT64_MAX / 16) return std::nullopt;
      each = *number;
      times.total += each;
    }
    times.idle = jiffies[3];
    times.iowait = jiffies[4];
    times.steal = jiffies[7];
    found = true;
  }
  if (!found) return std::nullopt;
  return times;
}

void add_cpu(const CpuTimes& before, const CpuTimes& after, HostValues& values) {
  if (after.total <= before.total) return;
  const auto total = static_cast<double>(after.total - before.total);
  // The kernel's idle and iowait may go back a little.
  const auto share = [total](std::uint64_t from, std::uint64_t to) {
    return percent(to > from ? static_cast<double>(to - from) : 0, total);
  };
  const double idle = share(before.idle, after.idle);
  const double iowait = share(before.iowait, after.iowait);
  add(values, "cpu", std::max(0.0, 100 - idle - iowait));
  add(values, "cpu_iowait", iowait);
  add(values, "cpu_steal", share(before.steal, after.steal));
}

bool add_memory(std::string_view meminfo, HostValues& values) {
  constexpr double kKibibyte = 1024;
  const auto total = field_of(meminfo, "MemTotal");
  const auto available = field_of(meminfo, "MemAvailable");
  if (!total || !available || *total <= 0) return false;
  add(values, "memory_used", percent(*total - *available, *total));
  add(values, "memory_available", *available * kKibibyte);
  const auto swap = field_of(meminfo, "SwapTotal");
  const auto swap_free = field_of(meminfo, "SwapFree");
  if (swap && swap_free) add(values, "swap_used", percent(*swap - *swap_free, *swap));
  return true;
}

bool add_load(std::string_view loadavg, int processors, HostValues& values) {
  std::array<double, 3> loads{};
  for (double& load : loads) {
    const auto number = parse_number(take_word(loadavg));
    if (!number || *number < 0) return false;
    load = *number;
  }
  add(values, "load1", loads[0]);
  add(values, "load5", loads[1]);
  add(values, "load15", loads[2]);
  if (processors > 0) add(values, "load1_per_cpu", loads[0] / processors);
  return true;
}

bool add_files(std::string_view file_nr, HostValues& values) {
  const auto open = whole_number(take_word(file_nr));
  take_word(file_nr);  // always 0
  const auto most = whole_number(take_word(file_nr));
  if (!open || !most) return false;
  add(values, "files", static_cast<double>(*open));
  add(values, "files_used", percent(static_cast<double>(*open), static_cast<double>(*most)));
  return true;
}

bool add_pressure(std::string_view resource, std::string_view pressure, HostValues& values) {
  bool found = false;
  for (const std::string_view who : {"some", "full"}) {
    std::string_view line = take_line(pressure);
    if (take_word(line) != who) return found;
    const std::string_view average = take_word(line);
    constexpr std::string_view kBefore = "avg10=";
    const auto number =
        average.starts_with(kBefore) ? parse_number(average.substr(kBefore.size())) : std::nullopt;
    if (!number || *number < 0) return found;
    std::string name = "pressure_";
    name.append(resource).append(who == "full" ? "_full" : "");
    add(values, std::move(name), std::min(*number, 100.0));
    found = true;
  }
  return found;
}

void add_disks(const std::vector<DiskSpace>& disks, HostValues& values) {
  if (disks.empty()) return;
  double used = 0;
  double least_free = free_of(disks.front());
  double inodes = 0;
  for (const DiskSpace& disk : disks) {
    used = std::max(used, used_of(disk));
    least_free = std::min(least_free, free_of(disk));
    inodes = std::max(inodes, inodes_used_of(disk));
  }
  add(values, "disk_used", used);
  add(values, "disk_free", least_free);
  add(values, "inodes_used", inodes);
  if (disks.size() == 1) return;
  for (const DiskSpace& disk : disks) {
    const std::string name = value_name(disk.path);
    add(values, "disk_used." + name, used_of(disk));
    add(values, "disk_free." + name, free_of(disk));
    add(values, "inodes_used." + name, inodes_used_of(disk));
  }
}

}  // namespace firebreak::probes
