// When each of many things must be looked at again: set, first and due in logarithmic time.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/time.h"

namespace firebreak::core {

// Keeps the earlier of the two; empty: no time.
inline void at_first(std::optional<Instant>& first, std::optional<Instant> at) {
  if (at) first = first ? std::min(*first, *at) : *at;
}
// Keeps the later of the two.
inline void at_last(std::optional<Instant>& last, Instant at) {
  last = last ? std::max(*last, at) : at;
}

template <class Key>
class Alarms {
 public:
  // One alarm per key; empty: none.
  void set(const Key& key, std::optional<Instant> at) {
    const auto found = at_.find(key);
    if (found != at_.end()) {
      if (at && *at == found->second) return;
      order_.erase({found->second, key});
      at_.erase(found);
    }
    if (!at) return;
    at_.emplace(key, *at);
    order_.emplace(*at, key);
  }
  // Sets it unless an earlier one is set.
  void set_earlier(const Key& key, Instant at) {
    const auto found = at_.find(key);
    if (found == at_.end() || found->second > at) set(key, at);
  }
  [[nodiscard]] std::optional<Instant> first() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first;
  }
  // Removes and returns those at or before `now`, earliest first.
  [[nodiscard]] std::vector<Key> take_due(Instant now) {
    std::vector<Key> due;
    while (!order_.empty() && order_.begin()->first <= now) {
      due.push_back(order_.begin()->second);
      at_.erase(due.back());
      order_.erase(order_.begin());
    }
    return due;
  }

  [[nodiscard]] const std::map<Key, Instant>& all() const { return at_; }

 private:
  std::map<Key, Instant> at_;
  std::set<std::pair<Instant, Key>> order_;
};

}  // namespace firebreak::core
