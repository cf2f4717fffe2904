// Which samples of a metrics page are meant: http_requests_total{code="500",method!="GET"}.
//
// The syntax of PromQL's instant selectors, as far as = and != go:
// https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace firebreak {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

struct MetricSelector {
  struct Matcher {
    std::string label;
    std::string value;
    bool equal = true;  // false: the label must be another one
    friend bool operator==(const Matcher&, const Matcher&) = default;
  };
  std::string name;
  std::vector<Matcher> matchers;
  friend bool operator==(const MetricSelector&, const MetricSelector&) = default;

  // A label that a sample does not have is empty; of one that is there twice the first counts.
  [[nodiscard]] bool matches(const MetricLabels& labels) const;
};

// The error says what is not a selector, in words for whoever wrote it.
[[nodiscard]] Result<MetricSelector> parse_metric_selector(std::string_view text);

// How many bytes at the beginning of `text` are a metric's name, or a label's.
[[nodiscard]] std::size_t metric_name_size(std::string_view text);
[[nodiscard]] std::size_t label_name_size(std::string_view text);

// A quoted label value at the beginning of `text`, with \\, \" and \n: its size with both quotes,
// its content into `into`. 0: there is none, or it does not end.
[[nodiscard]] std::size_t read_label_value(std::string_view text, std::string& into);

}  // namespace firebreak
