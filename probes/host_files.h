// What the files of /proc and statvfs say about a host, as named values.
//
// proc(5), and https://docs.kernel.org/accounting/psi.html for pressure. Percent are 0 to 100. A
// file that is not as the kernel writes it yields nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/observation.h"

namespace firebreak::probes {

using HostValues = std::vector<NamedValue>;

// /proc/stat: jiffies since boot, of all processors together.
struct CpuTimes {
  std::uint64_t total = 0;
  std::uint64_t idle = 0;
  std::uint64_t iowait = 0;
  std::uint64_t steal = 0;
  int processors = 0;
  friend bool operator==(const CpuTimes&, const CpuTimes&) = default;
};
[[nodiscard]] std::optional<CpuTimes> parse_cpu(std::string_view stat);
// cpu, cpu_iowait, cpu_steal: percent of the time between two looks. Nothing when no time passed.
void add_cpu(const CpuTimes& before, const CpuTimes& after, HostValues& values);

// /proc/meminfo: memory_used, memory_available (bytes), swap_used. False: not a meminfo.
bool add_memory(std::string_view meminfo, HostValues& values);
// /proc/loadavg: load1, load5, load15, and load1_per_cpu when `processors` is known.
bool add_load(std::string_view loadavg, int processors, HostValues& values);
// /proc/sys/fs/file-nr: files (open ones), files_used.
bool add_files(std::string_view file_nr, HostValues& values);
// /proc/pressure/RESOURCE: pressure_RESOURCE and pressure_RESOURCE_full, percent over 10 seconds.
bool add_pressure(std::string_view resource, std::string_view pressure, HostValues& values);

// One file system, as statvfs(3) counts it.
struct DiskSpace {
  std::string path;
  std::uint64_t block_bytes = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;  // without root's reserve
  std::uint64_t inodes = 0;            // 0: it has none to run out of
  std::uint64_t inodes_free = 0;
};
// disk_used, inodes_used: of the fullest; disk_free: bytes, the least. Of each, when there are
// several, disk_used.NAME and so on.
void add_disks(const std::vector<DiskSpace>& disks, HostValues& values);

}  // namespace firebreak::probes
