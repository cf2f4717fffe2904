// A snapshot as a file: whole, damaged, or of bytes that nobody wrote. What the records say is the
// target journal's.
//
// Parts: h numbers for the header, n a record; D a bit turns, X the end is cut, A something
// follows; f a file of these bytes.
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "coordinator/store/snapshot_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temp_dir.h"

namespace firebreak::fuzz {
namespace {

const firebreak::testing::TempDir& folder() {
  static const firebreak::testing::TempDir made;
  return made;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> /*files*/) {
  return make_error(Errc::failed_precondition, "no policy is known here");
}

struct Read {
  Result<store::SnapshotHeader> header;
  std::vector<std::string> records;
};

Read read(const std::string& path) {
  std::vector<std::string> records;
  auto header = store::read_snapshot(path, [&](std::string_view record) {
    records.emplace_back(record);
    return Result<>();
  });
  return {std::move(header), std::move(records)};
}

// `is_changed`: it was a snapshot before.
void check_file(const std::string& bytes, bool is_changed) {
  const std::string path = folder() / "some-file";
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  const auto seen = read(path);
  if (!seen.header) {
    expect(seen.header.error().message.starts_with(path), "an error names the file");
    expect(!store::load_snapshot(path, &compile), "what cannot be read cannot be loaded");
    return;
  }
  expect(!is_changed, "no changed file is taken for a snapshot");
  expect(bytes.size() >= seen.records.size() * 8, "every record is in the file");
  (void)store::load_snapshot(path, &compile);
}

class Driver {
 public:
  void play(const Part& part) {
    Numbers numbers(part.bytes);
    if (part.kind == 'h') {
      header_ = {numbers.number(UINT32_MAX), numbers.number(UINT32_MAX),
                 instant_from_unix_us(numbers.number(UINT32_MAX)), numbers.number(UINT32_MAX),
                 std::string(numbers.number(65), 'd')};
    }
    if (part.kind == 'n') records_.emplace_back(part.bytes);
    if (part.kind == 'f') check_file(std::string(part.bytes), false);
    if (part.kind == 'D' || part.kind == 'X' || part.kind == 'A') damage(part.kind, numbers);
  }

  void finish() const {
    const std::string path = folder() / store::snapshot_name(header_.position);
    const auto written = store::write_snapshot(folder().path(), header_, records_);
    if (!written) broken("a disk that works takes a snapshot", written.error().message);
    const auto seen = read(path);
    if (!seen.header) broken("what is written can be read", seen.header.error().message);
    expect(seen.records == records_, "records are what was written");
    expect(seen.header->position == header_.position && seen.header->epoch == header_.epoch &&
               seen.header->at == header_.at && seen.header->anchor == header_.anchor &&
               seen.header->directory_digest == header_.directory_digest,
           "the header is what was written");
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }

 private:
  void damage(char kind, Numbers& numbers) const {
    if (!store::write_snapshot(folder().path(), header_, records_)) return;
    const std::string path = folder() / store::snapshot_name(header_.position);
    std::string bytes = bytes_of(path);
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    const std::size_t at = numbers.number(static_cast<std::uint32_t>(bytes.size()));
    if (kind == 'D') bytes[at] = static_cast<char>(bytes[at] ^ 1 << numbers.number(8));
    if (kind == 'X') bytes.resize(at);
    if (kind == 'A') bytes.append(1, 'x').append(numbers.rest());
    check_file(bytes, true);
  }

  store::SnapshotHeader header_;
  std::vector<std::string> records_;
};

}  // namespace

const google::protobuf::Message* prototype(char /*kind*/) {
  return nullptr;
}

std::string_view kinds() {
  return "hnDXAf";
}

void run(std::string_view input) {
  Driver driver;
  for (const Part& part : split(input)) driver.play(part);
  driver.finish();
}

}  // namespace firebreak::fuzz
