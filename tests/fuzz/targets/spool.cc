// What an agent finds in its spool's folder: its own files after a crash or on a bad disk, and
// files that nobody wrote, with right checksums or without.
//
// Parts: a results are appended, k some are acknowledged, c a crash and a start; D a bit turns, X
// an end is cut, before a start; f a file of these bytes, p a segment whose only record is of these
// bytes, framed as records are.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "agent/spool/log.h"
#include "agent/spool/rehearsal.h"
#include "common/crc32c.h"
#include "common/limits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_files.h"

namespace firebreak::fuzz {
namespace {

using firebreak::testing::FakeFiles;
using spool::Entry;
using spool::Lane;
using spool::Log;
using std::chrono::hours;
using std::chrono::seconds;

constexpr std::uint64_t kIncarnation = 77;
constexpr std::size_t kPartsMax = 200;
constexpr std::size_t kAll = 1'000'000;

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> 8 * i));
}

// docs/spool-format.md once more: whoever forges a record has its checksum right.
std::string framed(std::uint64_t number, std::string_view payload) {
  std::string seed, out;
  put_number(seed, number, 8);
  put_number(out, payload.size(), 2);
  put_number(out, payload.size() ^ 0xa5c3U, 2);
  put_number(out, crc32c(payload, crc32c(seed)), 4);
  return out.append(payload);
}

class Driver {
 public:
  Driver() { start(); }

  void play(const Part& part) {
    Numbers numbers(part.bytes);
    if (part.kind == 'a') append(numbers);
    if (part.kind == 'k') acknowledge(numbers);
    if (part.kind == 'c') crash(numbers);
    if (part.kind == 'D' || part.kind == 'X') damage(part.kind, numbers);
    if (part.kind == 'f' || part.kind == 'p') forge(part.kind, numbers);
  }

  void finish() { start(); }

 private:
  [[nodiscard]] spool::Now now() const {
    return {boot_, hours(10000), hours(10000) + seconds(time_),
            WallTime{Duration{1'795'230'000'000'000}} + seconds(time_)};
  }

  // Twice: what a rehearsal finds is what the start then finds.
  void start() {
    ++time_;
    log_.reset();
    spool::Rehearsal rehearsal(files_);
    auto tried = Log::open(rehearsal, {}, now(), kIncarnation);
    if (!tried) broken("damage is no error", tried.error().message);
    const auto expected = everything(*tried);
    auto opened = Log::open(files_, {}, now(), kIncarnation);
    if (!opened) broken("damage is no error", opened.error().message);
    log_.emplace(*std::move(opened));
    expect(everything(*log_) == expected && log_->next_seq() == tried->next_seq(),
           "a rehearsal finds what a start finds");
    if (is_forged_) return;
    expect(log_->next_seq() > highest_, "a number that was durable is not given again");
    expect(log_->acked() <= highest_, "what was never given is not acknowledged");
    for (const auto& [seq, latency] : expected) {
      const auto written = written_.find(seq);
      expect(written != written_.end() && written->second == latency,
             "what is read is what was written");
    }
    if (is_damaged_) return;
    for (const auto& [seq, latency] : written_)
      expect(seq <= acked_ || expected.contains(seq), "what was durable is there");
  }

  static std::map<std::uint64_t, std::int64_t> everything(Log& log) {
    std::map<std::uint64_t, std::int64_t> all;
    std::uint64_t last = log.acked();
    const auto page = log.read(log.acked() + 1, kAll);
    if (!page) broken("what is there can be read", page.error().message);
    for (const Entry& entry : page->entries) {
      expect(entry.seq > last, "numbers rise");
      last = entry.seq;
      expect(entry.key != nullptr, "every result has its series");
      expect(entry.observation.values.size() <= limits::kValuesPerResultMax, "values are bounded");
      expect(entry.started >= Duration::zero(), "no result is older than the time line");
      all.emplace(entry.seq, entry.observation.latency.count());
    }
    expect(log.take_notices().size() <= 200, "what is said is bounded");
    return all;
  }

  void append(Numbers& numbers) {
    std::vector<Entry> entries;
    std::uint64_t seq = log_->next_seq();
    if (seq == 0 || seq > UINT64_MAX / 2) return;  // forged
    for (std::uint32_t count = 1 + numbers.number(20); count > 0; --count, ++seq) {
      Entry entry;
      entry.seq = seq;
      entry.lane = spool::kLanes.at(numbers.number(3));
      entry.ref = numbers.number(4);
      const std::string probe = "probe" + std::to_string(entry.ref);
      entry.key = std::make_shared<const ProbeKey>(ProbeKey{ServiceName("shop"), ProbeName(probe)});
      entry.started = now().monotonic;
      entry.observation.latency = Duration{numbers.number(100000)};
      entry.observation.evidence = std::string(numbers.number(300), 'e');
      entries.push_back(std::move(entry));
    }
    ++time_;
    const auto done = log_->append(entries, now());
    if (!done) broken("a disk that works takes results", done.error().message);
    for (const Entry& entry : entries) {
      written_[entry.seq] = entry.observation.latency.count();
      highest_ = std::max(highest_, entry.seq);
    }
  }

  void acknowledge(Numbers& numbers) {
    const std::uint64_t known = std::min(log_->next_seq() - 1, highest_);
    if (known == 0) return;
    acked_ = std::max<std::uint64_t>(acked_, numbers.number(static_cast<std::uint32_t>(known) + 1));
    log_->ack(acked_);
  }

  void crash(Numbers& numbers) {
    files_.crash(static_cast<FakeFiles::Survives>(numbers.number(4)));
    boot_ = numbers.number(2) == 0 ? "boot-1" : "boot-2";
    start();
  }

  void damage(char kind, Numbers& numbers) {
    const auto names = files_.list();
    if (names->empty()) return;
    const std::string& name = (*names)[numbers.number(static_cast<std::uint32_t>(names->size()))];
    std::string& bytes = files_.bytes(name);
    if (bytes.empty()) return;
    const std::size_t at = numbers.number(static_cast<std::uint32_t>(bytes.size()));
    if (kind == 'X') {
      is_forged_ = true;  // a file that lost its end does not say which numbers were there
      bytes.resize(at);
    } else {
      is_damaged_ = true;
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << numbers.number(8));
    }
    files_.flush_all();
    start();
  }

  void forge(char kind, Numbers& numbers) {
    is_forged_ = true;
    const Lane lane = spool::kLanes.at(numbers.number(3));
    const std::uint64_t number = numbers.number(256);
    const std::string name = spool::segment_name(lane, number);
    std::string bytes;
    if (kind == 'p') {
      // Of every size: those that are possible, and their neighbours that are not.
      const auto wide = [&]() -> std::uint64_t {
        const std::uint64_t low = numbers.number(1000);
        switch (numbers.number(4)) {
          case 0:
            return low;
          case 1:
            return (1ULL << 55) - 500 + low;
          case 2:
            return (1ULL << 62) - 500 + low;
          default:
            return low - 500;
        }
      };
      bytes = spool::encode_header({lane, number, numbers.number(4) == 0 ? wide() : kIncarnation,
                                    "boot-1", Duration{static_cast<std::int64_t>(wide())},
                                    WallTime{Duration{static_cast<std::int64_t>(wide())}}, wide(),
                                    wide()});
      bytes += framed(number, numbers.rest().substr(0, limits::kSpoolRecordBytesMax));
    } else {
      bytes = numbers.rest();
    }
    log_.reset();
    (void)files_.remove(name);
    (void)files_.append(name, bytes);
    files_.flush_all();
    start();
  }

  FakeFiles files_;
  std::optional<Log> log_;
  std::map<std::uint64_t, std::int64_t> written_;  // number -> latency
  std::uint64_t highest_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t time_ = 0;
  std::string boot_ = "boot-1";
  bool is_damaged_ = false;
  bool is_forged_ = false;
};

}  // namespace

const google::protobuf::Message* prototype(char /*kind*/) {
  return nullptr;
}

std::string_view kinds() {
  return "akcDXfp";
}

void run(std::string_view input) {
  Driver driver;
  for (const Part& part : split(input, kPartsMax)) driver.play(part);
  driver.finish();
}

}  // namespace firebreak::fuzz
