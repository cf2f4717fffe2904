// Boost.JSON reads it; nothing in it is taken to be of a type that it does not have.
#include "probes/prometheus_answer.h"

#include <cmath>
#include <optional>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "common/limits.h"
#include "probes/metrics_page.h"

namespace firebreak::probes {
namespace {

namespace json = boost::json;

PrometheusAnswer failed(Status status, Reason reason, std::string evidence) {
  PrometheusAnswer answer;
  answer.status = status;
  answer.reason = reason;
  answer.evidence = std::move(evidence);
  return answer;
}

PrometheusAnswer not_prometheus(std::string_view why, std::string_view text) {
  std::string evidence = "not an answer of Prometheus, ";
  evidence.append(why).append(": ").append(text.substr(0, limits::kEvidenceBytesMax));
  return failed(Status::critical, Reason::protocol, std::move(evidence));
}

std::string_view text_at(const json::object& object, std::string_view key) {
  const json::value* const found = object.if_contains(key);
  const json::string* const text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

// up{instance="a:9090",job="api"}
std::string series_name(const json::object& series) {
  const json::value* const found = series.if_contains("metric");
  const json::object* const labels = found == nullptr ? nullptr : found->if_object();
  if (labels == nullptr) return "{}";
  std::string name(text_at(*labels, "__name__").substr(0, limits::kEvidenceBytesMax));
  const char* before = "{";
  for (const auto& label : *labels) {
    if (label.key() == "__name__" || !label.value().is_string()) continue;
    if (name.size() >= limits::kEvidenceBytesMax) break;
    name.append(before).append(label.key()).append("=\"");
    name.append(std::string_view(label.value().get_string())).append("\"");
    before = ",";
  }
  name.resize(std::min(name.size(), limits::kEvidenceBytesMax));
  if (name.empty()) return "{}";
  return *before == ',' ? name + "}" : name;
}

// [1700000000.1, "42"]
std::optional<double> sample_of(const json::value* value) {
  const json::array* const pair = value == nullptr ? nullptr : value->if_array();
  if (pair == nullptr || pair->size() != 2) return std::nullopt;
  const json::string* const text = pair->back().if_string();
  return text == nullptr ? std::nullopt : parse_sample(*text);
}

void add_series(PrometheusAnswer& answer, std::string name, double value) {
  if (std::isnan(value)) {
    ++answer.without_number;
    return;
  }
  answer.series.push_back({std::move(name), value});
}

PrometheusAnswer read_vector(const json::array& all) {
  PrometheusAnswer answer;
  answer.series.reserve(all.size());
  for (const json::value& each : all) {
    const json::object* const series = each.if_object();
    if (series == nullptr) return not_prometheus("a series is no object", "");
    const auto value = sample_of(series->if_contains("value"));
    if (!value && series->contains("histogram"))
      return failed(Status::unknown, Reason::config,
                    series_name(*series) +
                        " is a histogram; ask for a number of it, as "
                        "histogram_quantile() or histogram_count() give one");
    if (!value) return not_prometheus("a series has no number", series_name(*series));
    add_series(answer, series_name(*series), *value);
  }
  return answer;
}

PrometheusAnswer read_data(const json::object& data, std::string_view text) {
  const std::string_view type = text_at(data, "resultType");
  const json::value* const result = data.if_contains("result");
  if (type == "vector" && result != nullptr && result->is_array())
    return read_vector(result->get_array());
  if (type == "scalar") {
    const auto value = sample_of(result);
    if (!value) return not_prometheus("a scalar is no number", text);
    PrometheusAnswer answer;
    add_series(answer, "the answer", *value);
    return answer;
  }
  if (type == "matrix")
    return failed(Status::unknown, Reason::config,
                  "the query answers with ranges of samples, not with numbers; aggregate them, as "
                  "rate(...[5m]) does");
  if (type == "string")
    return failed(Status::unknown, Reason::config, "the query answers with a text, not a number");
  return not_prometheus("no result", text);
}

// {"status": "error", "errorType": "bad_data", "error": "..."}
PrometheusAnswer read_error(const json::object& answer) {
  const std::string_view type = text_at(answer, "errorType");
  std::string evidence(type.substr(0, limits::kEvidenceBytesMax));
  evidence.append(": ").append(text_at(answer, "error").substr(0, limits::kEvidenceBytesMax));
  if (type == "bad_data") return failed(Status::unknown, Reason::config, std::move(evidence));
  return failed(Status::critical, type == "timeout" ? Reason::timeout : Reason::status,
                std::move(evidence));
}

std::string warnings_of(const json::object& answer) {
  std::string warnings;
  const json::value* const found = answer.if_contains("warnings");
  const json::array* const all = found == nullptr ? nullptr : found->if_array();
  if (all == nullptr) return warnings;
  for (const json::value& each : *all) {
    if (warnings.size() >= limits::kEvidenceBytesMax) break;
    if (!warnings.empty()) warnings.append("; ");
    warnings.append(each.is_string() ? std::string_view(each.get_string()) : "?");
  }
  warnings.resize(std::min(warnings.size(), limits::kEvidenceBytesMax));
  return warnings;
}

}  // namespace

PrometheusAnswer parse_prometheus_answer(std::string_view text) {
  json::parse_options bounds;
  bounds.max_depth = limits::kJsonDepthMax;
  boost::system::error_code error;
  const json::value parsed =
      json::parse(json::string_view(text.data(), text.size()), error, json::storage_ptr(), bounds);
  if (error) return not_prometheus("no JSON", text);
  const json::object* const top = parsed.if_object();
  if (top == nullptr) return not_prometheus("no object", text);
  const std::string_view status = text_at(*top, "status");
  if (status == "error") return read_error(*top);
  const json::value* const data = top->if_contains("data");
  if (status != "success" || data == nullptr || !data->is_object())
    return not_prometheus("neither success nor error", text);
  PrometheusAnswer answer = read_data(data->get_object(), text);
  answer.warnings = warnings_of(*top);
  return answer;
}

}  // namespace firebreak::probes
