// A query and where it is asked, or a metric and the page that has it; a server and its service.
#include "common/probe_yaml_query.h"

#include <array>
#include <string>

#include "common/metric_selector.h"
#include "common/probe_yaml_fields.h"

namespace firebreak::probe_yaml {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

namespace {

// A selector belongs to a page, a query to a server.
void read_query(MapReader& reader, PrometheusSpec& prometheus, Problems& problems) {
  const Node query = reader.required("query");
  read_lines(query, prometheus.query, problems);
  if (query && prometheus.query.find_first_not_of(" \t\r\n") == std::string::npos)
    problems.error(query.place(), "the query is empty; write PromQL, such as up == 0");
}

void read_metric(MapReader& reader, PrometheusSpec& prometheus, Problems& problems) {
  const Node metric = reader.required("metric");
  read_lines(metric, prometheus.metric, problems);
  if (!metric) return;
  if (const auto selector = parse_metric_selector(prometheus.metric); !selector)
    problems.error(metric.place(), selector.error().message);
}

}  // namespace

PrometheusSpec read_prometheus(const Node& node, Problems& problems) {
  static const std::array<std::string, 2> kSources{"url", "scrape"};
  PrometheusSpec prometheus;
  MapReader reader(node, "a prometheus target", problems);
  const auto source = reader.exactly_one_of(kSources);
  if (!source) {
    reader.ignore_rest();
    return prometheus;
  }
  if (auto url = source->value.as_string(problems)) {
    check_url(source->value, *url, problems);
    if (source->key.text() == "url" && url->find_first_of("?#") != std::string::npos)
      problems.error(source->value.place(),
                     "the server's URL ends with its path; what is asked stands in 'query'");
    prometheus.http.url = *std::move(url);
  }
  if (source->key.text() == "url")
    read_query(reader, prometheus, problems);
  else
    read_metric(reader, prometheus, problems);
  prometheus.warning = read_range(reader.optional("warning"), problems);
  prometheus.critical = read_range(reader.optional("critical"), problems);
  if (const auto index = reader.optional("empty").as_word(problems, empty_answers()))
    prometheus.empty = empty_answers()[*index];
  if (const Node headers = reader.optional("headers"))
    read_headers(headers, prometheus.http, problems);
  read_http_access(reader, prometheus.http, problems);
  return prometheus;
}

GrpcSpec read_grpc(const Node& node, Problems& problems) {
  GrpcSpec grpc;
  if (node.kind() == yaml::Kind::scalar) {
    read_endpoint(node, grpc.host, grpc.port, problems);
    if (grpc.port == 0) problems.error(node.place(), "no port; write the target as host:port");
    return grpc;
  }
  MapReader reader(node, "a grpc target", problems);
  read_host(reader.required("host"), grpc.host, problems);
  read_port(reader.required("port"), grpc.port, problems);
  read_line(reader.optional("service"), grpc.service, problems, limits::kGrpcServiceBytesMax);
  read_line(reader.optional("authority"), grpc.authority, problems, limits::kHostBytesMax);
  grpc.tls = read_tls_wish(reader, problems);
  return grpc;
}

}  // namespace firebreak::probe_yaml
