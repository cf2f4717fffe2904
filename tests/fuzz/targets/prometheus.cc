// Metrics pages, cut anywhere, selectors, and what Prometheus answers.
//
// The first byte says which: m a page, whose first line is the selector; s a selector; a an answer.
#include <algorithm>
#include <cmath>

#include "common/limits.h"
#include "common/metric_selector.h"
#include "probes/metrics_page.h"
#include "probes/prometheus_answer.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using probes::MetricsPage;

MetricsPage read(const MetricSelector& selector, std::string_view bytes, std::size_t piece) {
  MetricsPage page(selector);
  for (std::size_t at = 0; at < bytes.size(); at += piece) page.feed(bytes.substr(at, piece));
  page.end();
  return page;
}

void page(std::string_view bytes) {
  const std::size_t line = std::min(bytes.find('\n'), bytes.size());
  const auto selector = parse_metric_selector(bytes.substr(0, line));
  if (!selector) return;
  bytes.remove_prefix(std::min(line + 1, bytes.size()));
  const MetricsPage whole = read(*selector, bytes, std::max<std::size_t>(1, bytes.size()));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
    const MetricsPage pieces = read(*selector, bytes, piece);
    expect(pieces.matching() == whole.matching() &&
               pieces.without_number() == whole.without_number() &&
               pieces.problem() == whole.problem(),
           "pieces do not matter");
    expect(pieces.sum() == whole.sum() || (std::isnan(pieces.sum()) && std::isnan(whole.sum())),
           "pieces do not change a sum");
  }
  const auto lines = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n')) + 1;
  expect(whole.matching() + whole.without_number() <= lines, "a sample is a line");
  expect(whole.matching() > 0 || whole.sum() == 0, "a sum is of samples");
  expect(whole.problem().size() <= limits::kEvidenceBytesMax, "evidence is bounded");
  // Whoever wants every sample of the name gets no fewer.
  const MetricsPage all = read({selector->name, {}}, bytes, 16);
  expect(all.matching() >= whole.matching(), "labels only leave out");
}

void selector(std::string_view text) {
  const auto read = parse_metric_selector(text);
  if (!read) return expect(!read.error().message.empty(), "an error says why");
  expect(metric_name_size(read->name) == read->name.size(), "a name is a name", read->name);
  expect(read->matchers.size() <= limits::kMetricMatchersMax, "labels are bounded");
  for (const MetricSelector::Matcher& matcher : read->matchers) {
    expect(label_name_size(matcher.label) == matcher.label.size(), "a label has a name");
    const MetricSelector one{read->name, {matcher}};
    expect(one.matches({{matcher.label, matcher.value}}) == matcher.equal, "what it names matches");
    expect(one.matches({{matcher.label, matcher.value + "x"}}) != matcher.equal,
           "what it does not name does not");
  }
}

void answer(std::string_view json) {
  const probes::PrometheusAnswer read = probes::parse_prometheus_answer(json);
  expect((read.reason == Reason::none) == (read.status == Status::ok), "a failure has a reason");
  expect(read.reason == Reason::none || !read.evidence.empty(), "a failure says why");
  expect(read.reason == Reason::none || read.series.empty(), "a failure has no numbers");
  expect(read.evidence.size() <= 4 * limits::kEvidenceBytesMax, "evidence is bounded");
  expect(read.warnings.size() <= limits::kEvidenceBytesMax, "warnings are bounded");
  for (const probes::Series& series : read.series) {
    expect(!std::isnan(series.value), "a value is a number or infinite");
    expect(series.name.size() <= limits::kEvidenceBytesMax + 1, "names are bounded");
  }
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if (input[0] == 'm') page(bytes);
  if (input[0] == 's') selector(bytes);
  if (input[0] == 'a') answer(bytes);
}

}  // namespace firebreak::fuzz
