// The agent's own recovery over a rehearsal of its folder, and its own readers for the small files.
#include "agent/state/doctor.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include "agent/spool/log.h"
#include "agent/spool/posix_files.h"
#include "agent/spool/rehearsal.h"
#include "agent/state/checked_file.h"
#include "agent/state/epoch_file.h"
#include "agent/state/handed_over.h"
#include "common/limits.h"

namespace firebreak::agent {
namespace {

namespace fs = std::filesystem;
using spool::Lane;
using spool::Notice;

constexpr std::size_t kPlacesShownMax = 20;
constexpr std::size_t kPage = 1000;
constexpr int kTries = 3;  // a running agent removes files between our looking and our reading

struct Place {
  std::string state;  // empty: only the spool is looked at
  std::string spool;
};

bool has_segment(const std::string& folder) {
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed))
    if (spool::parse_segment_name(entry->path().filename().string())) return true;
  return false;
}

Place place_of(const std::string& path) {
  std::error_code failed;
  if (!fs::is_directory(path + "/spool", failed) && has_segment(path)) return {"", path};
  return {path, path + "/spool"};
}

// What a start would find.
struct Recovered {
  std::vector<Notice> notices;
  std::uint64_t places = 0;  // of damage; more than notices tell
  std::uint64_t incarnation = 0, next_seq = 0, acked = 0;
  std::array<std::uint64_t, spool::kLanes.size()> sendable{};
  std::uint64_t missing = 0;  // numbers between results that can be sent
  std::uint64_t beyond = 0;   // numbers behind the last of them that may have been given
  Duration oldest = Duration::max();
  [[nodiscard]] std::uint64_t all() const { return sendable[0] + sendable[1] + sendable[2]; }
  [[nodiscard]] bool has_trouble() const {
    return places > 0 || std::any_of(notices.begin(), notices.end(), [](const Notice& notice) {
             return notice.weight == Notice::Weight::trouble;
           });
  }
  [[nodiscard]] std::uint64_t lost_at_most() const;
};

// No more than fit into the damaged bytes, and no more than there are numbers without a result.
std::uint64_t Recovered::lost_at_most() const {
  if (!has_trouble()) return 0;
  std::uint64_t fit = 0;
  for (const Notice& notice : notices) fit += notice.lost_at_most;
  const bool are_all_told = places <= notices.size();
  return are_all_told ? std::min(fit, missing + beyond) : missing + beyond;
}

Result<> read_all(spool::Log& log, Recovered& found) {
  std::uint64_t expected = found.acked + 1;
  for (;;) {
    const auto page = log.read(expected, kPage);
    if (!page) return page.error();
    for (const spool::Entry& entry : page->entries) {
      ++found.sendable.at(static_cast<std::size_t>(entry.lane));
      found.missing += entry.seq - expected;
      found.oldest = std::min(found.oldest, entry.started);
      expected = entry.seq + 1;
    }
    if (page->entries.size() < kPage) break;
  }
  found.beyond = found.next_seq - std::min(found.next_seq, expected);
  return {};
}

// The time line is the wall clock's here: no segment is of this "boot", so all are moved by it.
Result<Recovered> rehearse(spool::Files& disk, WallTime now) {
  const Duration time = now.time_since_epoch();
  spool::Rehearsal files(disk);
  auto log = spool::Log::open(files, {}, {"examination", time, time, now}, 0);
  if (!log) return log.error();
  Recovered found;
  found.incarnation = log->incarnation();
  found.next_seq = log->next_seq();
  found.acked = log->acked();
  if (const auto read = read_all(*log, found); !read) return read.error();
  found.places = log->counts().damaged;
  found.notices = log->take_notices();
  return found;
}

class Patient {
 public:
  explicit Patient(Place place) : place_(std::move(place)) {}

  AgentExamination examine(WallTime now) {
    look_at_spool(now);
    if (!place_.state.empty()) {
      look_at_epoch();
      look_at_orders();
      look_at_heartbeats();
    }
    return {std::move(examination_), summary_};
  }

 private:
  void found(Health health, const std::string& file, std::string what) {
    examination_.findings.push_back({health, file, std::move(what)});
  }
  void look_at_spool(WallTime now);
  void tell_places(const Recovered& found);
  void tell_results(const Recovered& found);
  void tell_copies(spool::Files& disk);
  void look_at_epoch();
  void look_at_orders();
  void look_at_heartbeats();

  const Place place_;
  Examination examination_;
  std::optional<SpoolSummary> summary_;
};

void Patient::look_at_spool(WallTime now) {
  auto disk = spool::PosixFiles::look(place_.spool);
  if (!disk && disk.error().code == Errc::not_found)
    return found(Health::lost, place_.spool,
                 "there is no such folder: what was kept in it is gone; the agent makes a new one "
                 "and counts from 1 under another name");
  if (!disk) return found(Health::lost, place_.spool, disk.error().message);
  if (disk->is_in_use())
    found(Health::sound, place_.spool,
          "an agent runs on it: this is what it had on disk just now; stop it for figures that "
          "stay true");
  auto recovered = rehearse(*disk, now);
  for (int tries = 1; tries < kTries && !recovered; ++tries) recovered = rehearse(*disk, now);
  if (!recovered)
    return found(Health::lost, place_.spool,
                 recovered.error().message + "; an agent cannot start until that is mended");
  tell_places(*recovered);
  tell_copies(*disk);
  tell_results(*recovered);
}

void Patient::tell_places(const Recovered& recovered) {
  std::size_t told = 0;
  for (const Notice& notice : recovered.notices) {
    if (++told > kPlacesShownMax) break;
    const bool is_trouble = notice.weight == Notice::Weight::trouble;
    found(is_trouble ? Health::damaged : Health::sound, place_.spool + "/" + notice.file,
          "byte " + std::to_string(notice.offset) + ": " + notice.what);
  }
  const auto rest = std::max<std::uint64_t>(recovered.places, recovered.notices.size()) -
                    std::min(told, kPlacesShownMax);
  if (told > kPlacesShownMax)
    found(Health::damaged, place_.spool, "and " + std::to_string(rest) + " places more");
}

void Patient::tell_copies(spool::Files& disk) {
  const auto names = disk.list();
  if (!names) return;
  for (const std::string& name : *names)
    if (name.starts_with("damaged-"))
      found(Health::sound, place_.spool + "/" + name,
            "a copy that a start of the agent kept, because bytes had changed; remove it when you "
            "have looked at the disk");
}

void Patient::tell_results(const Recovered& recovered) {
  const SpoolSummary summary{recovered.all(), recovered.lost_at_most()};
  summary_ = summary;
  std::string counts = std::to_string(summary.sendable) + " results can be sent";
  if (summary.sendable > 0)
    counts +=
        " (" + std::to_string(recovered.sendable[static_cast<std::size_t>(Lane::healthy)]) +
        " healthy, " + std::to_string(recovered.sendable[static_cast<std::size_t>(Lane::fault)]) +
        " faults, " + std::to_string(recovered.sendable[static_cast<std::size_t>(Lane::news)]) +
        " changes), the oldest from " + format_utc(Instant{recovered.oldest});
  if (recovered.incarnation != 0)
    counts += "; the next number is " + std::to_string(recovered.next_seq) +
              ", acknowledged is up to " + std::to_string(recovered.acked);
  found(Health::sound, place_.spool, std::move(counts));
  if (!recovered.has_trouble()) {
    if (recovered.missing > 0)
      found(Health::sound, place_.spool,
            std::to_string(recovered.missing) +
                " numbers have no result: dropped at the spool's bound, or lost in damage that an "
                "earlier start has put aside");
    return;
  }
  const std::string advice =
      "an agent starts from this by itself, steps over the damage and keeps a copy of the file; "
      "look at the disk";
  if (summary.lost_at_most == 0)
    return found(Health::damaged, place_.spool,
                 "no result is lost that was not acknowledged; " + advice);
  found(Health::lost, place_.spool,
        "at most " + std::to_string(summary.lost_at_most) + " results are lost; " + advice);
}

void Patient::look_at_epoch() {
  const std::string path = place_.state + "/epoch";
  const auto seen = read_epoch(place_.state);
  if (!seen)
    return found(Health::lost, path, seen.error().message + "; until then no agent starts here");
  found(Health::sound, path,
        seen->epoch == 0 ? std::string("there is none: no coordinator was obeyed yet, or somebody "
                                       "removed it; any coordinator is obeyed")
                         : "epoch " + std::to_string(seen->epoch) + " was obeyed" +
                               (seen->is_checked ? ""
                                                 : "; without a checksum, the next start "
                                                   "adds one"));
}

void Patient::look_at_orders() {
  const auto orders = HandedOver::open(place_.state);
  if (!orders)
    return found(Health::lost, place_.state + "/orders",
                 orders.error().message + "; until then no agent starts here");
  found(Health::sound, place_.state + "/orders",
        std::to_string(orders->size()) + " orders were handed over to the actuator");
}

void Patient::look_at_heartbeats() {
  const std::string path = place_.state + "/heartbeats";
  const auto text = read_checked_file(path, limits::kHeartbeatFileBytesMax);
  if (text) return found(Health::sound, path, "what jobs have reported is as it was written");
  if (text.error().code == Errc::not_found) return;  // this agent takes no reports
  found(Health::lost, path,
        text.error().message + "; heartbeats begin anew, unknown until their jobs report");
}

}  // namespace

bool is_agent_folder(const std::string& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed) || fs::exists(path + "/coordinator.db", failed)) return false;
  return fs::is_directory(path + "/spool", failed) || fs::exists(path + "/epoch", failed) ||
         has_segment(path);
}

AgentExamination examine_agent(const std::string& path, WallTime now) {
  return Patient(place_of(path)).examine(now);
}

}  // namespace firebreak::agent
