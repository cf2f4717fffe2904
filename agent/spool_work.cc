// The order of a turn.
#include "agent/spool_work.h"

#include <utility>

namespace firebreak::agent {

SpoolStart start_of(spool::Log& log) {
  return {log.incarnation(), log.next_seq(), log.acked(), log.counts().kept, log.take_series()};
}

SpoolDone perform(spool::Log& log, SpoolWork work, const spool::Now& now,
                  std::uint64_t fresh_incarnation) {
  SpoolDone done;
  if (work.starts_over) log.begin_incarnation(fresh_incarnation);
  log.ack(work.acked);
  if (!work.entries.empty()) {
    if (const auto written = log.append(work.entries, now, work.make_room); !written) {
      done.is_written = false;
      done.trouble = written.error().message;
    }
  }
  if (work.read_from > 0) {
    auto page = log.read(work.read_from, work.read_count);
    done.is_read = static_cast<bool>(page);
    if (page) {
      done.read = std::move(page->entries);
      done.read_up_to = page->up_to;
    } else {
      done.trouble = page.error().message;
    }
  }
  done.incarnation = log.incarnation();
  done.counts = log.counts();
  done.notices = log.take_notices();
  done.work = std::move(work);
  return done;
}

}  // namespace firebreak::agent
