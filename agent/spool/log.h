// Results on disk from when they are given a number until the coordinator has committed them.
//
// Each lane is a row of segment files; one is written, the older ones are only read and removed.
// Everything here is decided from what is in the files, the arguments and the limits; there is no
// clock and no thread. Not thread-safe; every call may wait for the disk.
//
// What holds: an entry is durable when append() returns success. A sequence number that was ever
// durable is never given again, in whatever state the files are found. read() gives entries in the
// order of their numbers; a number that is missing there was dropped or lost, and was counted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/spool/entry.h"
#include "agent/spool/files.h"
#include "agent/spool/format.h"
#include "agent/spool/segment_reader.h"
#include "common/limits.h"
#include "common/result.h"

namespace firebreak::spool {

struct LogLimits {
  std::uint64_t bytes_max = limits::kSpoolBytesDefault;  // of all segments
  Duration age_max = limits::kSpoolAgeDefault;
};

// Something that an operator should know: a log line, with where it is about.
struct Notice {
  enum class Weight { normal, trouble } weight = Weight::trouble;
  std::string what;
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t lost_at_most = 0;  // results
};

struct LogCounts {
  std::uint64_t kept = 0;     // entries on disk that are not acknowledged; at most
  std::uint64_t bytes = 0;    // of all segments
  std::uint64_t dropped = 0;  // unacknowledged entries removed at the bounds, in this life
  std::uint64_t damaged = 0;  // places where bytes were not what was written, in this life
};

class Log {
 public:
  // Reads every segment. `fresh_incarnation` is taken when there is none yet. `files` must outlive
  // the log. An error is the disk's; damage is not one: it is stepped over and noticed.
  static Result<Log> open(Files& files, LogLimits limits, const Now& now,
                          std::uint64_t fresh_incarnation);

  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  // The lowest number that was never given.
  [[nodiscard]] std::uint64_t next_seq() const { return next_seq_; }
  [[nodiscard]] std::uint64_t acked() const { return acked_; }
  // Of series whose entries are still here, by ref. Only after open(), and once.
  std::map<std::uint32_t, std::shared_ptr<const ProbeKey>> take_series();

  // Makes the entries durable, all with one flush per lane, and applies the bounds. Their numbers
  // rise and are new; those of an earlier failed call may come again. After an error nothing is
  // known about them. `make_room`: when the disk is full, the oldest of the least important goes.
  Result<> append(const std::vector<Entry>& entries, const Now& now, bool make_room = false);

  struct Page {
    std::vector<Entry> entries;
    std::uint64_t up_to = 0;  // every entry there is up to this number is in `entries`
  };
  // The next entries from number `from` on, at most `count`. An error is the disk's.
  Result<Page> read(std::uint64_t from, std::size_t count);

  // Everything up to `seq` is committed; segments with nothing else are removed.
  void ack(std::uint64_t seq);

  // Forgets everything and counts from 1 under another name: the coordinator knows numbers of this
  // incarnation that we do not, so the folder is older than it should be.
  void begin_incarnation(std::uint64_t incarnation);

  [[nodiscard]] LogCounts counts() const;
  std::vector<Notice> take_notices();

 private:
  struct Segment {
    Header header;
    std::uint64_t size = 0;  // durable
    std::uint64_t entries = 0;
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
    Duration newest{};
    [[nodiscard]] std::string name() const { return segment_name(header.lane, header.number); }
    // Numbers up to here were given, says this file.
    [[nodiscard]] std::uint64_t proves() const { return std::max(last_seq, header.base_seq - 1); }
  };
  struct Cursor {
    std::unique_ptr<SegmentReader> reader;  // of the segment with this number
    std::uint64_t number = 0;
    std::optional<Entry> next;
  };
  struct Row {
    std::deque<Segment> segments;           // by number; with entries, but perhaps the last
    std::optional<SegmentEncoder> encoder;  // of the last one, while it is written
    Cursor cursor;
    std::uint64_t last_seq = 0;  // of all that was ever here
  };
  struct Found {  // a segment file, before it is read
    SegmentName is;
    std::string name;
    std::uint64_t size = 0;
    std::optional<Header> header;  // nullopt: neither copy of it is good
  };

  Log(Files& files, LogLimits limits, Now now)
      : files_(files), limits_(limits), now_(std::move(now)) {}

  // Recovery (log_recovery.cc).
  Result<> recover(std::uint64_t fresh_incarnation);
  Result<std::vector<Found>> find_segments();
  Result<> set_aside(const Found& found);
  Result<> scan(const Found& found, bool is_last);
  void take_record(Segment& segment, const Record& record);
  // At most, of the copies of damaged files that are kept.
  [[nodiscard]] Result<std::uint64_t> numbers_in_evidence() const;
  Result<> keep_evidence(const std::string& name, std::uint64_t size);
  void settle_tails();

  // Writing.
  Result<> append_all(const std::vector<Entry>& entries, const Now& now);
  Result<> append_to(Lane lane, const std::vector<Entry>& entries, const Now& now);
  Result<> write(Row& row, const std::string& bytes);
  void begin_segment(Lane lane, const Now& now);
  [[nodiscard]] std::uint64_t segment_bytes_max() const;

  // Removing.
  void apply_bounds(const Now& now);
  bool drop_oldest();
  [[nodiscard]] bool may_go(const Row& row) const;
  void remove_front(Row& row);
  void remove_acked();
  [[nodiscard]] std::uint64_t unacked(const Segment& segment) const;
  [[nodiscard]] std::uint64_t bytes() const;

  // Reading.
  Result<> advance(Row& row, std::uint64_t from);
  bool open_next(Row& row, std::uint64_t from);
  [[nodiscard]] Duration rebased(const Header& header, Duration started) const;
  void notice_damage(SegmentReader& reader);
  void notice(const Header& header, const Damage& damage);
  void note(Notice::Weight weight, std::string what, std::string file, std::uint64_t offset,
            std::uint64_t lost_at_most = 0);

  [[nodiscard]] Row& row(Lane lane) { return rows_.at(static_cast<std::size_t>(lane)); }

  Files& files_;
  LogLimits limits_;
  Now now_;  // when it was opened
  std::array<Row, kLanes.size()> rows_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t next_number_ = 1;  // of a file
  std::uint64_t next_seq_ = 1;
  std::uint64_t acked_ = 0;
  std::uint64_t acked_on_disk_ = 0;
  std::uint64_t read_from_ = 0;  // where the cursors stand
  std::uint64_t dropped_ = 0;
  std::uint64_t damaged_ = 0;
  std::map<std::uint32_t, std::shared_ptr<const ProbeKey>> series_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> known_damage_;  // file and offset
  std::vector<Notice> notices_;
  std::uint64_t lost_numbers_ = 0;  // during recovery: at most, in bytes that cannot be read
  std::vector<std::pair<std::string, std::uint64_t>> tails_;  // to be cut: file and its new size
};

}  // namespace firebreak::spool
