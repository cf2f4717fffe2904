// Two texts line by line: the shortest edit (Myers, "An O(ND) Difference Algorithm"), written as
// unified diffs are.
#include <algorithm>
#include <string_view>

#include "common/limits.h"
#include "coordinator/policy/diff.h"

namespace firebreak::policy {
namespace {

using Lines = std::vector<std::string_view>;
constexpr std::size_t kContext = 3;

struct Edit {
  char sign = ' ';  // ' ', '-' or '+'
  std::string_view line;
};

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

// What is left of a search: how far each diagonal was reached with each number of edits.
class Search {
 public:
  Search(const Lines& a, const Lines& b) : a_(a), b_(b) {}

  // False: more edits are needed than are looked for.
  bool run() {
    const int most = std::min(static_cast<int>(a_.size() + b_.size()), limits::kDiffEditsMax);
    std::vector<int> reach(2 * static_cast<std::size_t>(most) + 3, 0);
    offset_ = most + 1;
    for (int edits = 0; edits <= most; ++edits) {
      for (int k = -edits; k <= edits; k += 2) {
        int x = goes_down(reach, k, edits) ? at(reach, k + 1) : at(reach, k - 1) + 1;
        while (matches(x, x - k)) ++x;
        reach[slot(k)] = x;
        if (x >= size(a_) && x - k >= size(b_)) {
          trail_.emplace_back(reach.begin() + offset_ - edits, reach.begin() + offset_ + edits + 1);
          return true;
        }
      }
      trail_.emplace_back(reach.begin() + offset_ - edits, reach.begin() + offset_ + edits + 1);
    }
    return false;
  }

  std::vector<Edit> edits() const {
    std::vector<Edit> out;
    int x = size(a_), y = size(b_);
    for (int edits = static_cast<int>(trail_.size()) - 1; edits > 0; --edits) {
      const auto& before = trail_[static_cast<std::size_t>(edits) - 1];
      const auto reached = [&](int k) {
        const int index = k + edits - 1;
        return index < 0 || index >= static_cast<int>(before.size())
                   ? -1
                   : before[static_cast<std::size_t>(index)];
      };
      const int k = x - y;
      const bool down = k == -edits || (k != edits && reached(k - 1) < reached(k + 1));
      const int from = down ? k + 1 : k - 1;
      const int from_x = reached(from), from_y = from_x - from;
      while (x > from_x && y > from_y && (down ? x > from_x : x > from_x + 1)) keep(out, x, y);
      if (down && y > from_y) out.push_back({'+', b_[static_cast<std::size_t>(--y)]});
      if (!down && x > from_x) out.push_back({'-', a_[static_cast<std::size_t>(--x)]});
    }
    while (x > 0 && y > 0) keep(out, x, y);
    std::reverse(out.begin(), out.end());
    return out;
  }

 private:
  static int size(const Lines& lines) { return static_cast<int>(lines.size()); }
  [[nodiscard]] std::size_t slot(int k) const {
    const int index = offset_ + k;
    return static_cast<std::size_t>(index);
  }
  [[nodiscard]] int at(const std::vector<int>& reach, int k) const { return reach[slot(k)]; }
  [[nodiscard]] bool goes_down(const std::vector<int>& reach, int k, int edits) const {
    return k == -edits || (k != edits && at(reach, k - 1) < at(reach, k + 1));
  }
  [[nodiscard]] bool matches(int x, int y) const {
    return x < size(a_) && y >= 0 && y < size(b_) &&
           a_[static_cast<std::size_t>(x)] == b_[static_cast<std::size_t>(y)];
  }
  void keep(std::vector<Edit>& out, int& x, int& y) const {
    --x;
    --y;
    out.push_back({' ', a_[static_cast<std::size_t>(x)]});
  }

  const Lines& a_;
  const Lines& b_;
  int offset_ = 0;
  std::vector<std::vector<int>> trail_;
};

std::vector<Edit> edits_between(const Lines& a, const Lines& b) {
  std::size_t head = 0, tail = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                 lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  const Lines old_lines = middle(a), new_lines = middle(b);
  std::vector<Edit> out;
  for (std::size_t i = 0; i < head; ++i) out.push_back({' ', a[i]});
  Search search(old_lines, new_lines);
  if (search.run()) {
    for (const Edit& edit : search.edits()) out.push_back(edit);
  } else {
    for (const std::string_view line : old_lines) out.push_back({'-', line});
    for (const std::string_view line : new_lines) out.push_back({'+', line});
  }
  for (std::size_t i = a.size() - tail; i < a.size(); ++i) out.push_back({' ', a[i]});
  return out;
}

struct Hunk {
  std::size_t begin = 0, end = 0;  // of the edits
};

std::vector<Hunk> hunks_of(const std::vector<Edit>& edits) {
  std::vector<Hunk> hunks;
  for (std::size_t i = 0; i < edits.size(); ++i) {
    if (edits[i].sign == ' ') continue;
    const std::size_t begin = i < kContext ? 0 : i - kContext;
    const std::size_t end = std::min(edits.size(), i + 1 + kContext);
    if (!hunks.empty() && begin <= hunks.back().end)
      hunks.back().end = end;
    else
      hunks.push_back({begin, end});
  }
  return hunks;
}

std::string range(std::size_t line, std::size_t count) {
  return std::to_string(count == 0 ? line : line + 1) + "," + std::to_string(count);
}

}  // namespace

std::string unified_diff(const std::string& name, const std::string& before,
                         const std::string& after) {
  if (before == after) return {};
  const Lines a = lines_of(before), b = lines_of(after);
  const std::vector<Edit> edits = edits_between(a, b);
  std::string out = "--- " + name + "\n+++ " + name + "\n";
  std::size_t old_line = 0, new_line = 0, at = 0;
  for (const Hunk& hunk : hunks_of(edits)) {
    for (; at < hunk.begin; ++at) {
      ++old_line;
      ++new_line;
    }
    std::size_t olds = 0, news = 0;
    std::string body;
    for (; at < hunk.end; ++at) {
      if (edits[at].sign != '+') ++olds;
      if (edits[at].sign != '-') ++news;
      body += edits[at].sign;
      body.append(edits[at].line).append("\n");
    }
    out += "@@ -" + range(old_line, olds) + " +" + range(new_line, news) + " @@\n" + body;
    old_line += olds;
    new_line += news;
  }
  return out;
}

}  // namespace firebreak::policy
