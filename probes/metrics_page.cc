// Line by line: a sample that is not of the wanted metric is only looked at while nothing proves
// that the page is one of metrics at all.
#include "probes/metrics_page.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

void skip_gap(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
}

// The labels behind "{", with the "}". Without a place to keep them they are only read.
bool take_labels(std::string_view& line, MetricLabels* labels) {
  for (;;) {
    skip_gap(line);
    if (line.starts_with('}')) {
      line.remove_prefix(1);
      return true;
    }
    const std::string_view name = line.substr(0, label_name_size(line));
    if (name.empty()) return false;
    line.remove_prefix(name.size());
    skip_gap(line);
    if (!line.starts_with('=')) return false;
    line.remove_prefix(1);
    skip_gap(line);
    std::string value;
    const std::size_t size = read_label_value(line, value);
    if (size == 0) return false;
    line.remove_prefix(size);
    if (labels != nullptr) labels->emplace_back(name, std::move(value));
    skip_gap(line);
    if (line.starts_with(','))
      line.remove_prefix(1);
    else if (!line.starts_with('}'))
      return false;
  }
}

}  // namespace

std::optional<double> parse_sample(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  if (text.find('(') != std::string_view::npos) return std::nullopt;  // nan(text), which C reads
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool MetricsPage::is_ours(std::string_view line) const {
  if (!line.starts_with(selector_.name)) return false;
  line.remove_prefix(selector_.name.size());
  return line.empty() || line.front() == '{' || line.front() == ' ' || line.front() == '\t';
}

bool MetricsPage::take_sample(std::string_view line, bool ours) {
  const std::size_t name = metric_name_size(line);
  if (name == 0) return false;
  line.remove_prefix(name);
  skip_gap(line);
  MetricLabels labels;
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    if (!take_labels(line, ours ? &labels : nullptr)) return false;
    skip_gap(line);
  }
  const auto value = parse_sample(line.substr(0, line.find_first_of(" \t")));
  if (!value) return false;
  ++samples_;
  if (!ours || !selector_.matches(labels)) return true;
  if (std::isnan(*value)) {
    ++without_number_;
    return true;
  }
  ++matching_;
  sum_ += *value;
  return true;
}

void MetricsPage::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  skip_gap(line);
  if (line.empty() || line.front() == '#') return;
  const bool ours = is_ours(line);
  if (samples_ > 0 && !ours) return;
  if (!skipping_ && take_sample(line, ours)) return;
  std::string& odd = ours ? our_line_ : odd_line_;
  if (odd.empty()) odd = std::string(line.substr(0, limits::kEvidenceBytesMax));
  if (odd_line_.empty()) odd_line_ = odd;
}

void MetricsPage::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t line_end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, line_end);
    const bool whole = line_end != std::string_view::npos;
    bytes.remove_prefix(whole ? line_end + 1 : bytes.size());
    if (!skipping_ && pending_.size() + part.size() > limits::kMetricLineBytesMax) {
      pending_.append(part.substr(0, limits::kMetricLineBytesMax - pending_.size()));
      skipping_ = true;
      take_line(pending_);
      pending_.clear();
    }
    if (skipping_) {
      skipping_ = !whole;
    } else if (!whole) {
      pending_.append(part);
    } else if (pending_.empty()) {
      take_line(part);
    } else {
      pending_.append(part);
      take_line(pending_);
      pending_.clear();
    }
  }
}

void MetricsPage::end() {
  if (!pending_.empty()) take_line(pending_);
  pending_.clear();
}

}  // namespace firebreak::probes
