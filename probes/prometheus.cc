// One HTTP request, readings from its answer, one verdict over them.
#include "probes/prometheus.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/metric_selector.h"
#include "probes/http.h"
#include "probes/metrics_page.h"
#include "probes/prometheus_answer.h"

namespace firebreak::probes {
namespace {

// What a query or a page has told.
struct Readings {
  std::vector<Series> series;
  std::size_t count = 0;           // as "results"
  std::size_t without_number = 0;  // NaN
  std::string nothing;             // what there is none of: "the query finds no series"
  std::string warnings;
};

// application/x-www-form-urlencoded, whatever the text holds.
std::string form_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size() * 3);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (plain)
      encoded += c;
    else
      encoded.append("%").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  }
  return encoded;
}

// POST, so that no query is too long for a URL; the server gives up when we do.
HttpSpec query_request(const Attempt& attempt, const PrometheusSpec& spec) {
  HttpSpec request = spec.http;
  while (request.url.ends_with('/')) request.url.pop_back();
  request.url += "/api/v1/query";
  request.method = "POST";
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(attempt.spec().timeout).count();
  request.body = "query=" + form_encoded(spec.query) + "&timeout=" + std::to_string(timeout) + "ms";
  return request;
}

bool fail_answer(Attempt& attempt, const PrometheusAnswer& answer) {
  return attempt.fail(answer.status, answer.reason, answer.evidence);
}

Awaitable<bool> ask_server(Attempt& attempt, const PrometheusSpec& spec, Readings& readings) {
  const HttpSpec request = query_request(attempt, spec);
  const BodyWish wish{limits::kPrometheusAnswerBytesMax, {}};
  HttpResponse response;
  if (!co_await ask_http(attempt, request, response, wish)) {
    // An error has its HTTP status, and its own words in the body.
    const PrometheusAnswer error = parse_prometheus_answer(response.body);
    if (response.status >= 400 && response.status != 401 && error.reason != Reason::none &&
        error.reason != Reason::protocol)
      fail_answer(attempt, error);
    co_return false;
  }
  if (response.body_cut)
    co_return attempt.unknown(Reason::config,
                              "the query answers with more than 1 MiB; aggregate it");
  PrometheusAnswer answer = parse_prometheus_answer(response.body);
  if (answer.reason != Reason::none) co_return fail_answer(attempt, answer);
  readings.series = std::move(answer.series);
  readings.count = readings.series.size();
  readings.without_number = answer.without_number;
  readings.warnings = std::move(answer.warnings);
  readings.nothing = "the query finds no series";
  co_return true;
}

HttpSpec page_request(const PrometheusSpec& spec) {
  HttpSpec request = spec.http;
  const bool has_accept = std::any_of(
      request.headers.begin(), request.headers.end(),
      [](const auto& header) { return header.first == "Accept" || header.first == "accept"; });
  if (!has_accept) request.headers.emplace_back("Accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1");
  return request;
}

Awaitable<bool> read_page(Attempt& attempt, const PrometheusSpec& spec, Readings& readings) {
  auto selector = parse_metric_selector(spec.metric);
  if (!selector) co_return attempt.unknown(Reason::config, selector.error().message);
  MetricsPage page(*std::move(selector));
  const HttpSpec request = page_request(spec);
  const BodyWish wish{limits::kMetricsPageBytesMax,
                      [&page](std::string_view bytes) { page.feed(bytes); }};
  HttpResponse response;
  if (!co_await ask_http(attempt, request, response, wish)) co_return false;
  if (response.body_cut)
    co_return attempt.critical(Reason::body, "the page is longer than 16 MiB: " + response.body);
  page.end();
  if (!page.problem().empty())
    co_return attempt.critical(Reason::protocol, "not a page of metrics: " + page.problem());
  // Two infinities may make a NaN.
  const bool is_number = page.matching() > 0 && !std::isnan(page.sum());
  if (is_number) readings.series.push_back({spec.metric, page.sum()});
  readings.count = page.matching();
  readings.without_number = page.without_number();
  readings.nothing = "the page has no sample of " + spec.metric;
  co_return true;
}

std::string nan_note(const Readings& readings) {
  if (readings.without_number == 0) return "";
  return std::to_string(readings.without_number) + " without a number (NaN)";
}

void judge_nothing(Attempt& attempt, const PrometheusSpec& spec, const Readings& readings) {
  std::string text = readings.nothing;
  if (const std::string note = nan_note(readings); !note.empty()) text += ", but " + note;
  if (spec.empty == "ok")
    attempt.succeed(text);
  else
    attempt.fail(spec.empty == "unknown" ? Status::unknown : Status::critical, Reason::missing,
                 text);
}

// True: the limit is crossed, and that is the verdict.
bool crosses(Attempt& attempt, const Readings& readings, const std::optional<Range>& limit,
             Status status) {
  if (!limit) return false;
  const auto alerts = [&limit](const Series& one) { return limit->alerts(one.value); };
  const auto first = std::find_if(readings.series.begin(), readings.series.end(), alerts);
  if (first == readings.series.end()) return false;
  std::string text =
      first->name + " is " + format_number(first->value) + ", the limit is " + to_string(*limit);
  if (readings.series.size() > 1)
    text = std::to_string(std::count_if(first, readings.series.end(), alerts)) + " of " +
           std::to_string(readings.series.size()) + " series: " + text;
  attempt.fail(status, Reason::threshold, text);
  return true;
}

void judge_readings(Attempt& attempt, const PrometheusSpec& spec, const Readings& readings) {
  if (readings.series.size() == 1 && std::isfinite(readings.series.front().value))
    attempt.add_first_value("value", readings.series.front().value);
  attempt.add_value("results", static_cast<double>(readings.count));
  if (crosses(attempt, readings, spec.critical, Status::critical)) return;
  const bool found = !readings.series.empty();
  if (!found && (readings.warnings.empty() || spec.empty != "ok"))
    return judge_nothing(attempt, spec, readings);
  if (!readings.warnings.empty()) {
    // What is missing of an answer may be the worst of it.
    attempt.fail(Status::warning, Reason::body,
                 "the answer may not be whole: " + readings.warnings);
    return;
  }
  if (crosses(attempt, readings, spec.warning, Status::warning)) return;
  attempt.succeed(nan_note(readings));
}

}  // namespace

Awaitable<void> probe_prometheus(Attempt& attempt, const PrometheusSpec& spec) {
  Readings readings;
  const bool read = spec.query.empty() ? co_await read_page(attempt, spec, readings)
                                       : co_await ask_server(attempt, spec, readings);
  if (read) judge_readings(attempt, spec, readings);
}

}  // namespace firebreak::probes
