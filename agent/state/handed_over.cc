// One id a line in one small file.
#include "agent/state/handed_over.h"

#include <algorithm>
#include <string_view>

#include "agent/state/checked_file.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::agent {
namespace {

constexpr const char* kName = "orders";
constexpr std::size_t kBytesMax = limits::kOrdersRememberedMax * (limits::kActionIdBytesMax + 1);

bool is_id(std::string_view line) {
  return !line.empty() && line.size() <= limits::kActionIdBytesMax && escape_line(line) == line;
}

Error damaged(const std::string& path) {
  return make_error(Errc::corrupt,
                    path +
                        " does not hold one action id a line: the disk or somebody's hand "
                        "damaged it; remove it once no incident waits for an action here");
}

}  // namespace

Result<HandedOver> HandedOver::open(std::string folder) {
  HandedOver orders(std::move(folder));
  const std::string path = orders.folder_ + "/" + kName;
  const auto text = read_checked_file(path, kBytesMax);
  if (!text && text.error().code == Errc::not_found) return orders;
  if (!text && text.error().code == Errc::corrupt) return damaged(path);
  if (!text) return text.error();
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    if (end == std::string_view::npos || !is_id(line)) return damaged(path);
    orders.ids_.emplace_back(line);
    rest.remove_prefix(end + 1);
  }
  return orders;
}

bool HandedOver::contains(const ActionId& id) const {
  return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
}

Result<> HandedOver::add(const ActionId& id) {
  if (contains(id)) return {};
  ids_.push_back(id);
  if (ids_.size() > limits::kOrdersRememberedMax) ids_.pop_front();
  std::string text;
  for (const ActionId& each : ids_) text += each.str() + "\n";
  return replace_checked_file(folder_, kName, text);
}

}  // namespace firebreak::agent
