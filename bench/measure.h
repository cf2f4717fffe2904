// What work cost: CPU time and memory, of this process or another.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace firebreak::bench {

using Nanoseconds = std::chrono::nanoseconds;

// User and system time of all threads of this process, not of its children.
Nanoseconds own_cpu();
// The same of another process that we may look at; std::runtime_error when it is gone.
Nanoseconds cpu_of(pid_t process);
// Resident memory in KiB; std::runtime_error when the process is gone.
double rss_kib(pid_t process);

struct Finished {
  Nanoseconds cpu{};  // of the program and of the children that it waited for
  std::string output;
};
// Runs a program to its end; std::runtime_error with its output when it failed.
Finished run(const std::vector<std::string>& command);

// Of a copy, sorted; at least one value. `q` from 0 to 1, by the nearest rank.
double quantile(std::vector<double> values, double q);

}  // namespace firebreak::bench
