// What the outbox asks of the spool, and what comes of it: values that cross to the thread that
// waits for the disk and back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/spool/entry.h"
#include "agent/spool/log.h"

namespace firebreak::agent {

// What the spool knew when it was opened.
struct SpoolStart {
  std::uint64_t incarnation = 0;
  std::uint64_t next_seq = 1;
  std::uint64_t acked = 0;
  std::uint64_t kept = 0;
  std::map<std::uint32_t, std::shared_ptr<const ProbeKey>> series;  // by ref
};
[[nodiscard]] SpoolStart start_of(spool::Log& log);

// One turn: forget what is acknowledged, then write, then read.
struct SpoolWork {
  bool starts_over = false;  // under a new incarnation, before anything else
  std::uint64_t acked = 0;
  std::vector<spool::Entry> entries;
  bool make_room = false;       // on a full disk, the least important goes
  std::uint64_t read_from = 0;  // 0: nothing is to be read
  std::size_t read_count = 0;
  std::uint64_t stream = 0;  // that asked for the reading
};
struct SpoolDone {
  SpoolWork work;
  bool is_written = true;  // work.entries are durable
  bool is_read = true;
  std::string trouble;  // why not
  std::vector<spool::Entry> read;
  std::uint64_t read_up_to = 0;
  std::uint64_t incarnation = 0;
  spool::LogCounts counts;
  std::vector<spool::Notice> notices;
};
// Waits for the disk. `fresh_incarnation` is used when the work starts over.
[[nodiscard]] SpoolDone perform(spool::Log& log, SpoolWork work, const spool::Now& now,
                                std::uint64_t fresh_incarnation);

}  // namespace firebreak::agent
