// What a crash, a bad disk or an older life left, made sense of.
#include <algorithm>
#include <utility>

#include "agent/spool/log.h"

namespace firebreak::spool {
namespace {

constexpr std::string_view kEvidence = "damaged-";
constexpr std::size_t kCopyBytes = 256u << 10;

// No more records than this fit into so many bytes.
std::uint64_t records_at_most(std::uint64_t bytes) {
  return bytes / kRecordBytesMin + 1;
}

}  // namespace

Result<Log> Log::open(Files& files, LogLimits limits, const Now& now,
                      std::uint64_t fresh_incarnation) {
  Log log(files, limits, now);
  if (auto recovered = log.recover(fresh_incarnation); !recovered) return recovered.error();
  return log;
}

Result<std::vector<Log::Found>> Log::find_segments() {
  const auto names = files_.list();
  if (!names) return names.error();
  std::vector<Found> all;
  for (const std::string& name : *names) {
    const auto is = parse_segment_name(name);
    if (!is) continue;  // evidence, or somebody else's
    const auto size = files_.size(name);
    if (!size) return size.error();
    auto bytes = files_.read(name, 0, kHeaderBytes);
    if (!bytes) return bytes.error();
    Found found{*is, name, *size, std::nullopt};
    auto header = decode_header(*bytes);
    const bool is_its_own = header && header->number == is->number && header->lane == is->lane;
    if (is_its_own) found.header = *std::move(header);
    all.push_back(std::move(found));
  }
  return all;  // names sort as numbers do
}

Result<> Log::recover(std::uint64_t fresh_incarnation) {
  const auto found = find_segments();
  if (!found) return found.error();
  incarnation_ = fresh_incarnation;
  std::array<std::uint64_t, kLanes.size()> last{};
  for (const Found& each : *found) {
    next_number_ = each.is.number + 1;
    if (!each.header) continue;
    incarnation_ = each.header->incarnation;  // the newest counts
    last.at(static_cast<std::size_t>(each.is.lane)) = each.is.number;
  }
  for (const Found& each : *found) {
    const bool is_last = last.at(static_cast<std::size_t>(each.is.lane)) == each.is.number;
    const bool is_ours = each.header && each.header->incarnation == incarnation_;
    if (each.header && !is_ours) (void)files_.remove(each.name);  // its removal was not durable
    if (each.header && !is_ours) continue;
    if (auto done = each.header ? scan(each, is_last) : set_aside(each); !done) return done;
  }
  next_seq_ = std::max(next_seq_, acked_ + 1) + lost_numbers_;
  acked_on_disk_ = acked_;
  settle_tails();
  remove_acked();
  return {};
}

// Without a header, no byte of the file can be trusted. A file that holds no more was being made
// when the power went, or it was to say which numbers earlier damage may have held (settle_tails):
// then what was kept of that damage says it once more.
Result<> Log::set_aside(const Found& found) {
  if (found.size == kHeaderBytes) {
    const auto held = numbers_in_evidence();
    if (!held) return held.error();
    lost_numbers_ += *held;
  }
  if (found.size > kHeaderBytes) {
    ++damaged_;
    note(Notice::Weight::trouble,
         "the header is damaged; at most " + std::to_string(records_at_most(found.size)) +
             " results are lost with this file",
         found.name, 0, records_at_most(found.size));
    lost_numbers_ += records_at_most(found.size - kHeaderBytes);
    if (auto kept = keep_evidence(found.name, found.size); !kept) return kept;
  }
  tails_.emplace_back(found.name, 0);
  return {};
}

void Log::take_record(Segment& segment, const Record& record) {
  if (const auto* acked = std::get_if<Acked>(&record)) {
    acked_ = std::max(acked_, acked->seq);
    return;
  }
  const auto& entry = std::get<Entry>(record);
  Row& in = row(segment.header.lane);
  if (entry.seq <= in.last_seq) return;  // written again after a flush that had failed
  if (segment.entries++ == 0) segment.first_seq = entry.seq;
  segment.last_seq = in.last_seq = entry.seq;
  segment.newest = std::max(segment.newest, rebased(segment.header, entry.started));
  series_.insert_or_assign(entry.ref, entry.key);
}

Result<> Log::scan(const Found& found, bool is_last) {
  Segment segment;
  segment.header = *found.header;
  acked_ = std::max(acked_, segment.header.acked);
  SegmentReader reader(files_, segment.header, found.size);
  // A result says that what was passed over before it had lower numbers; an acknowledgement does
  // not.
  segment.size = reader.good_end();
  for (std::uint64_t troubles = 0;;) {
    const auto record = reader.next();
    if (!record) return record.error();
    if (!*record) break;
    take_record(segment, **record);
    if (reader.troubles() != troubles && !std::holds_alternative<Entry>(**record)) continue;
    troubles = reader.troubles();
    segment.size = reader.good_end();
  }
  next_seq_ = std::max(next_seq_, segment.proves() + 1);
  if (reader.anonymous() > 0)
    note(
        Notice::Weight::trouble,
        std::to_string(reader.anonymous()) + " results are of a series that nothing names any more",
        found.name, 0, reader.anonymous());
  if (segment.size < found.size) {
    // What was there may have been sent, so its numbers are not given again. They may be higher
    // than all that is left of any lane.
    lost_numbers_ += records_at_most(found.size - segment.size);
    tails_.emplace_back(found.name, segment.size);
  }
  std::vector<Damage> damage = reader.take_damage();
  const bool is_torn = is_last && damage.size() == 1 && damage.front().is_at_the_end;
  if (is_torn) {
    note(Notice::Weight::normal,
         "the end was being written when the power went or the agent was killed: " +
             std::to_string(found.size - segment.size) + " bytes are cut off",
         found.name, segment.size);
  } else if (!damage.empty()) {
    for (const Damage& each : damage) notice(segment.header, each);
    if (auto kept = keep_evidence(found.name, found.size); !kept) return kept;
  }
  row(segment.header.lane).segments.push_back(std::move(segment));
  return {};
}

Result<std::uint64_t> Log::numbers_in_evidence() const {
  const auto names = files_.list();
  if (!names) return names.error();
  std::uint64_t numbers = 0;
  for (const std::string& name : *names) {
    if (!name.starts_with(kEvidence)) continue;
    const auto size = files_.size(name);
    if (!size) return size.error();
    numbers += records_at_most(*size);
  }
  return numbers;
}

// A copy, so that a person can look at it; the good records stay in use where they are.
Result<> Log::keep_evidence(const std::string& name, std::uint64_t size) {
  const std::string copy = std::string(kEvidence) + name;
  const auto names = files_.list();
  if (!names) return names.error();
  std::vector<std::string> kept;
  for (const std::string& each : *names)
    if (each.starts_with(kEvidence)) kept.push_back(each);
  if (std::find(kept.begin(), kept.end(), copy) != kept.end()) return {};
  for (std::size_t i = 0; i + limits::kSpoolEvidenceFilesMax <= kept.size(); ++i)
    if (auto removed = files_.remove(kept[i]); !removed) return removed;
  for (std::uint64_t at = 0; at < size; at += kCopyBytes) {
    const auto bytes = files_.read(name, at, kCopyBytes);
    if (!bytes) return bytes.error();
    if (const auto written = files_.append(copy, *bytes); !written) {
      note(Notice::Weight::trouble, "no copy for you to look at: " + written.error().message, name,
           0);
      (void)files_.remove(copy);
      return {};
    }
  }
  return {};
}

// First a durable file says which numbers were given, then the ends that told it go.
void Log::settle_tails() {
  if (tails_.empty()) return;
  std::uint64_t proven = 0;
  for (const Row& each : rows_)
    if (!each.segments.empty()) proven = std::max(proven, each.segments.back().proves());
  if (proven + 1 < next_seq_) {
    row(Lane::healthy).last_seq = std::max(row(Lane::healthy).last_seq, next_seq_ - 1);
    begin_segment(Lane::healthy, now_);
    Segment& segment = row(Lane::healthy).segments.back();
    const std::string bytes = encode_header(segment.header);
    if (const auto written = write(row(Lane::healthy), bytes); !written) {
      note(Notice::Weight::trouble, written.error().message, "", 0);
      return;  // the next life will find them again
    }
    segment.size = bytes.size();
  }
  for (const auto& [name, size] : std::exchange(tails_, {})) {
    const auto cut = size == 0 ? files_.remove(name) : files_.truncate(name, size);
    if (!cut) note(Notice::Weight::trouble, cut.error().message, name, size);
    if (cut && size > 0) (void)files_.sync(name);
  }
}

}  // namespace firebreak::spool
