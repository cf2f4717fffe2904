// Samples of one metric from a metrics page, as its bytes arrive: Prometheus' text format 0.0.4.
//
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format; what OpenMetrics
// adds behind a value (exemplars) is read past. Holds one line at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/metric_selector.h"

namespace firebreak::probes {

// A sample's value as both the page and Prometheus' JSON have it: NaN, +Inf and -Inf are numbers.
[[nodiscard]] std::optional<double> parse_sample(std::string_view text);

class MetricsPage {
 public:
  explicit MetricsPage(MetricSelector selector) : selector_(std::move(selector)) {}

  void feed(std::string_view bytes);
  // The last line may be without its end.
  void end();

  // Samples that match and are numbers, and their sum.
  [[nodiscard]] std::size_t matching() const { return matching_; }
  [[nodiscard]] double sum() const { return sum_; }
  // Samples that match and are NaN: they do not count.
  [[nodiscard]] std::size_t without_number() const { return without_number_; }
  // Of what the page is not the format, or empty: a line of our metric that cannot be read, or the
  // first line when no line of the page can.
  [[nodiscard]] const std::string& problem() const { return samples_ == 0 ? odd_line_ : our_line_; }

 private:
  void take_line(std::string_view line);
  [[nodiscard]] bool is_ours(std::string_view line) const;
  bool take_sample(std::string_view line, bool ours);

  MetricSelector selector_;
  std::string pending_;    // a line without its end
  bool skipping_ = false;  // the rest of a line that is too long
  std::size_t samples_ = 0;
  std::size_t matching_ = 0;
  std::size_t without_number_ = 0;
  double sum_ = 0;
  std::string odd_line_;  // the first that is no sample, shortened
  std::string our_line_;  // likewise, of our metric
};

}  // namespace firebreak::probes
