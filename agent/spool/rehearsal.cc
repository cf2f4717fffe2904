// Changes in memory over a folder that is only read.
#include "agent/spool/rehearsal.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak::spool {
namespace {

// Room for a copy of each damaged segment that a start keeps, twice.
constexpr std::uint64_t kBytesMax =
    2 * limits::kSpoolEvidenceFilesMax * limits::kSpoolSegmentBytesMax;

Error no_such_file(const std::string& name) {
  return make_error(Errc::not_found, name + ": no such file");
}

}  // namespace

Result<Rehearsal::Change*> Rehearsal::change(const std::string& name, bool may_create) {
  const auto known = changes_.find(name);
  if (known != changes_.end() && (!known->second.is_removed || may_create)) {
    if (known->second.is_removed) known->second = {};
    return &known->second;
  }
  if (known != changes_.end()) return no_such_file(name);
  const auto size = disk_.size(name);
  const bool is_new = !size && size.error().code == Errc::not_found && may_create;
  if (!size && !is_new) return size.error();
  Change& made = changes_[name];
  made.kept = is_new ? 0 : *size;
  return &made;
}

Result<std::vector<std::string>> Rehearsal::list() {
  auto names = disk_.list();
  if (!names) return names;
  for (const auto& [name, changed] : changes_) {
    std::erase(*names, name);
    if (!changed.is_removed) names->push_back(name);
  }
  std::sort(names->begin(), names->end());
  return names;
}

Result<std::uint64_t> Rehearsal::size(const std::string& name) {
  const auto changed = changes_.find(name);
  if (changed == changes_.end()) return disk_.size(name);
  if (changed->second.is_removed) return no_such_file(name);
  return changed->second.kept + changed->second.added.size();
}

Result<std::string> Rehearsal::read(const std::string& name, std::uint64_t offset,
                                    std::size_t bytes) {
  const auto found = changes_.find(name);
  if (found == changes_.end()) return disk_.read(name, offset, bytes);
  const Change& changed = found->second;
  if (changed.is_removed) return no_such_file(name);
  std::string text;
  if (offset < changed.kept) {
    auto front = disk_.read(name, offset, std::min<std::uint64_t>(bytes, changed.kept - offset));
    if (!front) return front;
    text = *std::move(front);
  }
  const std::uint64_t next = offset + text.size();
  if (text.size() < bytes && next >= changed.kept && next - changed.kept < changed.added.size())
    text.append(changed.added, next - changed.kept, bytes - text.size());
  return text;
}

Result<> Rehearsal::append(const std::string& name, std::string_view bytes) {
  const auto changed = change(name, true);
  if (!changed) return changed.error();
  if (bytes.size() > kBytesMax - added_)
    return make_error(Errc::resource_exhausted, name + ": too large to be tried out in memory");
  added_ += bytes.size();
  (*changed)->added += bytes;
  return {};
}

Result<> Rehearsal::sync(const std::string& name) {
  const auto there = size(name);
  if (!there) return there.error();
  return {};
}

Result<> Rehearsal::truncate(const std::string& name, std::uint64_t size) {
  const auto changed = change(name, false);
  if (!changed) return changed.error();
  Change& file = **changed;
  const std::uint64_t added = size > file.kept ? size - file.kept : 0;
  file.kept = std::min(file.kept, size);
  added_ = added_ - file.added.size() + added;
  file.added.resize(added);
  return {};
}

Result<> Rehearsal::remove(const std::string& name) {
  const auto changed = change(name, false);
  if (!changed) return changed.error();
  added_ -= (*changed)->added.size();
  **changed = {true, 0, {}};
  return {};
}

}  // namespace firebreak::spool
