// Two versions of each file: what the process sees, and what the platter has.
#include "tests/support/fake_files.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace firebreak::testing {

std::optional<Error> FakeFiles::begin(bool is_append) {
  const std::uint64_t operation = ++operations_;
  is_full_ = false;
  if (crashed_) return make_error(Errc::unavailable, "the power is off");
  if (!plan_ || operation < plan_->at || operation >= plan_->at + plan_->lasts) return std::nullopt;
  switch (plan_->fault) {
    case Fault::refuse:
      return make_error(Errc::unavailable, "Input/output error");
    case Fault::full:
      is_full_ = is_append;
      return std::nullopt;
    case Fault::crash:
      break;
  }
  crashed_ = true;
  // The last append before the power went may be under way.
  return make_error(Errc::unavailable, "the power is off");
}

std::uint64_t FakeFiles::bytes_used() const {
  std::uint64_t used = 0;
  for (const auto& [name, file] : files_) used += file.seen.size();
  return used;
}

void FakeFiles::flush_all() {
  removed_.clear();
  for (auto& [name, file] : files_) {
    file.durable = file.seen;
    file.is_name_durable = true;
    file.is_poisoned = false;
  }
}

std::string FakeFiles::survivor(const File& file, Survives survives) {
  const bool has_grown = file.seen.size() > file.durable.size() &&
                         file.seen.compare(0, file.durable.size(), file.durable) == 0;
  if (survives == Survives::nothing || file.is_poisoned || !has_grown) return file.durable;
  const std::size_t unflushed = file.seen.size() - file.durable.size();
  if (survives == Survives::torn)
    return file.seen.substr(0, file.durable.size() + rng_.below(unflushed + 1));
  std::string bytes = file.seen;
  for (std::size_t i = 0; i < 1 + unflushed / 8; ++i)
    bytes[file.durable.size() + rng_.below(unflushed)] = '\0';
  return bytes;
}

void FakeFiles::crash(Survives survives) {
  crashed_ = false;
  plan_.reset();
  failing_syncs_ = 0;
  if (survives == Survives::all) return;
  for (auto& [name, file] : removed_) files_.try_emplace(name, std::move(file));
  removed_.clear();
  for (auto file = files_.begin(); file != files_.end();) {
    const bool is_gone = !file->second.is_name_durable && survives == Survives::nothing;
    if (is_gone) {
      file = files_.erase(file);
      continue;
    }
    file->second.seen = survivor(file->second, survives);
    file->second.durable = file->second.seen;
    file->second.is_name_durable = true;
    file->second.is_poisoned = false;
    ++file;
  }
}

Result<std::vector<std::string>> FakeFiles::list() {
  if (auto error = begin(false)) return *std::move(error);
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

Result<std::uint64_t> FakeFiles::size(const std::string& name) {
  if (auto error = begin(false)) return *std::move(error);
  const auto file = files_.find(name);
  if (file == files_.end()) return make_error(Errc::not_found, name + ": no such file");
  return std::uint64_t{file->second.seen.size()};
}

Result<std::string> FakeFiles::read(const std::string& name, std::uint64_t offset,
                                    std::size_t bytes) {
  if (auto error = begin(false)) return *std::move(error);
  const auto file = files_.find(name);
  if (file == files_.end()) return make_error(Errc::not_found, name + ": no such file");
  if (offset >= file->second.seen.size()) return std::string();
  return file->second.seen.substr(offset, bytes);
}

Result<> FakeFiles::append(const std::string& name, std::string_view bytes) {
  auto error = begin(true);
  if (error && !crashed_) return *std::move(error);
  std::uint64_t room = bytes.size();
  if (capacity_) room = *capacity_ - std::min(*capacity_, bytes_used());
  if (is_full_ || error) room = rng_.below(bytes.size() + 1);
  const bool fits = bytes.size() <= room && !is_full_ && !error;
  if (!fits) bytes = bytes.substr(0, std::min<std::uint64_t>(room, bytes.size()));
  files_[name].seen.append(bytes);
  if (error) return *std::move(error);
  if (!fits) return make_error(Errc::resource_exhausted, name + ": No space left on device");
  return {};
}

Result<> FakeFiles::sync(const std::string& name) {
  ++syncs_;
  if (auto error = begin(false)) return *std::move(error);
  const auto found = files_.find(name);
  if (found == files_.end()) return make_error(Errc::not_found, name + ": no such file");
  File& file = found->second;
  if (failing_syncs_ > 0) {
    --failing_syncs_;
    file.is_poisoned = true;
    return make_error(Errc::unavailable, name + ": Input/output error");
  }
  removed_.clear();
  for (auto& [other, each] : files_) each.is_name_durable = true;
  if (!file.is_poisoned) file.durable = file.seen;
  return {};
}

Result<> FakeFiles::truncate(const std::string& name, std::uint64_t size) {
  if (auto error = begin(false)) return *std::move(error);
  const auto file = files_.find(name);
  if (file == files_.end()) return make_error(Errc::not_found, name + ": no such file");
  file->second.seen.resize(size);
  return {};
}

Result<> FakeFiles::remove(const std::string& name) {
  if (auto error = begin(false)) return *std::move(error);
  const auto file = files_.find(name);
  if (file == files_.end()) return make_error(Errc::not_found, name + ": no such file");
  if (file->second.is_name_durable) removed_.insert_or_assign(name, std::move(file->second));
  files_.erase(file);
  return {};
}

}  // namespace firebreak::testing
