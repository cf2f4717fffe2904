// What Prometheus says to an instant query, from its JSON.
//
// https://prometheus.io/docs/prometheus/latest/querying/api/
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/observation.h"

namespace firebreak::probes {

struct Series {
  std::string name;  // up{job="api"}; hostile; at most limits::kEvidenceBytesMax
  double value = 0;  // never NaN
};

struct PrometheusAnswer {
  // What is wrong with it: a failure of the query, or no answer of Prometheus at all (protocol).
  Status status = Status::ok;
  Reason reason = Reason::none;
  std::string evidence;

  std::vector<Series> series;      // of a scalar: one
  std::size_t without_number = 0;  // series whose value is NaN: they do not count
  std::string warnings;            // what the server says of an answer that may not be whole
};

[[nodiscard]] PrometheusAnswer parse_prometheus_answer(std::string_view json);

}  // namespace firebreak::probes
