// Writing, removing and reading segments.
#include "agent/spool/log.h"

#include <iterator>
#include <utility>

namespace firebreak::spool {
namespace {

constexpr std::uint64_t kFileCostMin = 4096;  // what a file takes of a disk, however small
constexpr std::size_t kNoticesMax = 100;
constexpr std::size_t kKnownDamageMax = 1000;
constexpr Duration kUnknownAge = std::chrono::hours(1);  // before this boot: late, whatever it is

}  // namespace

void Log::note(Notice::Weight weight, std::string what, std::string file, std::uint64_t offset,
               std::uint64_t lost_at_most) {
  if (notices_.size() < kNoticesMax)
    notices_.push_back({weight, std::move(what), std::move(file), offset, lost_at_most});
}

std::vector<Notice> Log::take_notices() {
  return std::exchange(notices_, {});
}

std::map<std::uint32_t, std::shared_ptr<const ProbeKey>> Log::take_series() {
  return std::exchange(series_, {});
}

// --- Writing -------------------------------------------------------------------------------------

std::uint64_t Log::segment_bytes_max() const {
  return std::clamp(limits_.bytes_max / limits::kSpoolSegmentsAtLeast,
                    limits::kSpoolSegmentBytesMin, limits::kSpoolSegmentBytesMax);
}

Result<> Log::append(const std::vector<Entry>& entries, const Now& now, bool make_room) {
  auto done = append_all(entries, now);
  if (!done && done.error().code == Errc::resource_exhausted && make_room && drop_oldest())
    done = append_all(entries, now);
  if (done) apply_bounds(now);
  return done;
}

Result<> Log::append_all(const std::vector<Entry>& entries, const Now& now) {
  for (const Lane lane : kLanes) {
    const std::uint64_t last = row(lane).last_seq;
    const bool has_any = std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.lane == lane && entry.seq > last;  // others of a call that failed half-way
    });
    if (!has_any) continue;
    if (auto done = append_to(lane, entries, now); !done) return done;
  }
  return {};
}

void Log::begin_segment(Lane lane, const Now& now) {
  Segment segment;
  segment.header = {lane,          next_number_++, incarnation_, now.boot_id,
                    now.monotonic, now.wall,       next_seq_,    acked_};
  // An earlier lane of the same flush may have brought higher numbers than these.
  segment.header.base_seq = std::min(next_seq_, row(lane).last_seq + 1);
  row(lane).encoder.emplace(segment.header);
  row(lane).segments.push_back(std::move(segment));
}

Result<> Log::append_to(Lane lane, const std::vector<Entry>& entries, const Now& now) {
  Row& to = row(lane);
  if (!to.encoder || to.segments.back().size >= segment_bytes_max()) begin_segment(lane, now);
  Segment after = to.segments.back();
  std::string bytes = after.size == 0 ? encode_header(after.header) : std::string();
  for (const Entry& entry : entries) {
    if (entry.lane != lane || entry.seq <= to.last_seq) continue;
    to.encoder->add(entry, bytes);
    if (after.entries++ == 0) after.first_seq = entry.seq;
    after.last_seq = entry.seq;
    after.newest = std::max(after.newest, entry.started);
  }
  const std::uint64_t acked = acked_;
  if (acked > acked_on_disk_) to.encoder->add(Acked{acked}, bytes);
  if (auto written = write(to, bytes); !written) return written;
  after.size += bytes.size();
  to.last_seq = after.last_seq;
  next_seq_ = std::max(next_seq_, after.last_seq + 1);
  acked_on_disk_ = std::max(acked_on_disk_, acked);
  to.segments.back() = std::move(after);
  return {};
}

// To the segment that is being written. After an error it is never written again: nobody knows
// which of its last bytes the disk has.
Result<> Log::write(Row& to, const std::string& bytes) {
  const Segment& segment = to.segments.back();
  const std::string name = segment.name();
  auto done = files_.append(name, bytes);
  if (done) done = files_.sync(name);
  if (done) return done;
  to.encoder.reset();
  if (segment.size > 0) {
    // Best effort: what is left of it is known by its numbers and skipped.
    (void)files_.truncate(name, segment.size);
    return done;
  }
  (void)files_.remove(name);
  to.segments.pop_back();
  return done;
}

// --- Removing ------------------------------------------------------------------------------------

std::uint64_t Log::unacked(const Segment& segment) const {
  if (segment.entries == 0 || segment.last_seq <= acked_) return 0;
  return std::min(segment.entries, segment.last_seq - std::max(acked_, segment.first_seq - 1));
}

std::uint64_t Log::bytes() const {
  std::uint64_t bytes = 0;
  for (const Row& each : rows_)
    for (const Segment& segment : each.segments) bytes += std::max(segment.size, kFileCostMin);
  return bytes;
}

LogCounts Log::counts() const {
  LogCounts counts;
  for (const Row& each : rows_)
    for (const Segment& segment : each.segments) counts.kept += unacked(segment);
  counts.bytes = bytes();
  counts.dropped = dropped_;
  counts.damaged = damaged_;
  return counts;
}

// Whether another file proves as much about the numbers that were given.
bool Log::may_go(const Row& from) const {
  const std::uint64_t proves = from.segments.front().proves();
  return std::any_of(rows_.begin(), rows_.end(), [&](const Row& each) {
    if (each.segments.empty() || (&each == &from && each.segments.size() == 1)) return false;
    const Segment& last = each.segments.back();
    return last.size > 0 && last.proves() >= proves;
  });
}

void Log::remove_front(Row& from) {
  const Segment& segment = from.segments.front();
  if (from.cursor.number == segment.header.number) from.cursor = {};
  if (from.segments.size() == 1) from.encoder.reset();
  dropped_ += unacked(segment);
  if (const auto removed = files_.remove(segment.name()); !removed)
    note(Notice::Weight::trouble, removed.error().message, segment.name(), 0);
  from.segments.pop_front();
}

bool Log::drop_oldest() {
  for (Row& each : rows_) {
    if (each.segments.empty() || !may_go(each)) continue;
    remove_front(each);
    return true;
  }
  return false;
}

void Log::apply_bounds(const Now& now) {
  for (Row& each : rows_)
    while (!each.segments.empty() &&
           each.segments.front().newest < now.monotonic - limits_.age_max && may_go(each))
      remove_front(each);
  while (bytes() > limits_.bytes_max && drop_oldest()) {
  }
}

void Log::ack(std::uint64_t seq) {
  acked_ = std::max(acked_, seq);
  remove_acked();
}

void Log::remove_acked() {
  for (Row& each : rows_) {
    const std::size_t kept = each.encoder ? 1 : 0;
    while (each.segments.size() > kept && each.segments.front().last_seq <= acked_ && may_go(each))
      remove_front(each);
  }
}

void Log::begin_incarnation(std::uint64_t incarnation) {
  for (Row& each : rows_) {
    while (!each.segments.empty()) remove_front(each);
    each = {};
  }
  incarnation_ = incarnation;
  next_seq_ = 1;
  acked_ = acked_on_disk_ = read_from_ = 0;
}

// --- Reading -------------------------------------------------------------------------------------

// A result of another boot is as old as the wall clock says. Where that cannot be, because the
// clock was set back meanwhile, it must at least not look fresh.
Duration Log::rebased(const Header& header, Duration started) const {
  if (header.boot_id == now_.boot_id) return started;
  const WallTime at = header.wall + (started - header.monotonic);
  const Duration here = now_.monotonic - (now_.wall - at);
  return std::max(here <= now_.booted ? here : now_.booted - kUnknownAge, Duration::zero());
}

void Log::notice(const Header& header, const Damage& damage) {
  if (known_damage_.size() >= kKnownDamageMax) return;
  if (!known_damage_.emplace(header.number, damage.from).second) return;
  ++damaged_;
  note(Notice::Weight::trouble,
       std::to_string(damage.to - damage.from) +
           " bytes are not what was written; the results in them are lost",
       segment_name(header.lane, header.number), damage.from,
       (damage.to - damage.from) / kRecordBytesMin + 1);
}

void Log::notice_damage(SegmentReader& reader) {
  for (const Damage& damage : reader.take_damage()) notice(reader.header(), damage);
}

bool Log::open_next(Row& in, std::uint64_t from) {
  const auto next = std::find_if(in.segments.begin(), in.segments.end(), [&](const Segment& each) {
    return each.header.number > in.cursor.number && each.entries > 0 && each.last_seq >= from;
  });
  if (next == in.segments.end()) return false;
  in.cursor.number = next->header.number;
  in.cursor.reader = std::make_unique<SegmentReader>(files_, next->header, next->size);
  return true;
}

// Until the row's cursor has an entry with at least this number, or there is none.
Result<> Log::advance(Row& in, std::uint64_t from) {
  Cursor& cursor = in.cursor;
  while (!cursor.next || cursor.next->seq < from) {
    cursor.next.reset();
    if (!cursor.reader && !open_next(in, from)) return {};
    const auto segment = std::lower_bound(
        in.segments.begin(), in.segments.end(), cursor.number,
        [](const Segment& each, std::uint64_t number) { return each.header.number < number; });
    cursor.reader->set_end(segment->size);  // it may have grown
    auto record = cursor.reader->next();
    if (!record) return record.error();
    notice_damage(*cursor.reader);
    if (!*record) {
      if (std::next(segment) == in.segments.end()) return {};
      cursor.reader.reset();
    } else if (auto* entry = std::get_if<Entry>(&**record)) {
      entry->started = rebased(cursor.reader->header(), entry->started);
      cursor.next = std::move(*entry);
    }
  }
  return {};
}

Result<Log::Page> Log::read(std::uint64_t from, std::size_t count) {
  if (from != read_from_)
    for (Row& each : rows_) each.cursor = {};
  Page page;
  page.up_to = from - 1;
  while (page.entries.size() < count) {
    Row* first = nullptr;
    for (Row& each : rows_) {
      if (each.segments.empty()) continue;
      if (const auto advanced = advance(each, page.up_to + 1); !advanced) {
        read_from_ = 0;
        return advanced.error();
      }
      const auto& next = each.cursor.next;
      if (next && (first == nullptr || next->seq < first->cursor.next->seq)) first = &each;
    }
    if (first == nullptr) {
      page.up_to = std::max(page.up_to, next_seq_ - 1);
      break;
    }
    page.up_to = first->cursor.next->seq;
    page.entries.push_back(*std::exchange(first->cursor.next, std::nullopt));
  }
  read_from_ = page.up_to + 1;
  return page;
}

}  // namespace firebreak::spool
