// The declarations that rules, selectors and checks are compiled against.
#include "coordinator/policy/signals.h"

namespace firebreak::policy {

namespace {

using Kind = cel::Type::Kind;

struct Shape {
  const char* name;
  Signal signal;
  Kind result;
};

// (probe)
constexpr Shape kNow[] = {
    {"available", Signal::available, Kind::boolean},
    {"status", Signal::status, Kind::string},
    {"failing_for", Signal::failing_for, Kind::duration},
    {"failing_agents", Signal::failing_agents, Kind::integer},
    {"failing_share", Signal::failing_share, Kind::real},
    {"age", Signal::age, Kind::duration},
    {"value", Signal::value, Kind::real},
    {"latency", Signal::latency, Kind::duration},
};
// (probe, window)
constexpr Shape kWindowed[] = {
    {"min_value", Signal::min_value, Kind::real},
    {"max_value", Signal::max_value, Kind::real},
    {"avg_value", Signal::avg_value, Kind::real},
    {"mean", Signal::mean, Kind::duration},
    {"max", Signal::max, Kind::duration},
    {"p50", Signal::p50, Kind::duration},
    {"p95", Signal::p95, Kind::duration},
    {"p99", Signal::p99, Kind::duration},
    {"error_rate", Signal::error_rate, Kind::real},
    {"samples", Signal::samples, Kind::integer},
    {"delta", Signal::delta, Kind::real},
    {"rate", Signal::rate, Kind::real},
    {"baseline_mean", Signal::baseline_mean, Kind::duration},
    {"baseline_p50", Signal::baseline_p50, Kind::duration},
    {"baseline_p95", Signal::baseline_p95, Kind::duration},
    {"baseline_p99", Signal::baseline_p99, Kind::duration},
    {"baseline_error_rate", Signal::baseline_error_rate, Kind::real},
};
// (probe, label)
constexpr Shape kGrouped[] = {
    {"failing_groups", Signal::failing_groups, Kind::integer},
    {"failing_groups_share", Signal::failing_groups_share, Kind::real},
};
// (service)
constexpr Shape kOfService[] = {
    {"severity_of", Signal::severity_of, Kind::string},
    {"service_status", Signal::service_status, Kind::string},
};

// The first argument, as far as it is written out.
const std::string* name_in(const cel::Call& call) {
  if (call.arguments.empty()) return nullptr;
  const auto& first = call.arguments.front().constant;
  return first && first->is(cel::Value::Kind::string) ? &first->as_string() : nullptr;
}

}  // namespace

bool is_of_probe(Signal signal) {
  return signal != Signal::severity_of && signal != Signal::service_status &&
         signal != Signal::now && signal != Signal::within;
}

std::optional<ServiceName> service_of(const cel::Call& call) {
  const auto signal = static_cast<Signal>(call.id);
  if (signal != Signal::severity_of && signal != Signal::service_status) return std::nullopt;
  const std::string* name = name_in(call);
  return name == nullptr ? std::nullopt : std::optional(ServiceName(*name));
}

std::optional<ProbeKey> probe_of(const cel::Call& call, const ServiceName& service) {
  const std::string* name = name_in(call);
  if (name == nullptr || !is_of_probe(static_cast<Signal>(call.id))) return std::nullopt;
  const std::size_t slash = name->find('/');
  if (slash == std::string::npos) return ProbeKey{service, ProbeName(*name)};
  return ProbeKey{ServiceName(name->substr(0, slash)), ProbeName(name->substr(slash + 1))};
}

cel::Declarations rule_declarations(const cel::Type::Fields& facts) {
  cel::Declarations declarations;
  declarations.variables.emplace("facts", cel::Type::record(facts));
  declarations.variables.emplace("service", Kind::string);
  for (const Shape& shape : kNow)
    declarations.functions.push_back(
        {shape.name, {Kind::string}, shape.result, static_cast<int>(shape.signal)});
  declarations.functions.push_back(
      {"value", {Kind::string, Kind::string}, Kind::real, static_cast<int>(Signal::value)});
  for (const Shape& shape : kWindowed)
    declarations.functions.push_back(
        {shape.name, {Kind::string, Kind::duration}, shape.result, static_cast<int>(shape.signal)});
  for (const Shape& shape : kGrouped)
    declarations.functions.push_back(
        {shape.name, {Kind::string, Kind::string}, shape.result, static_cast<int>(shape.signal)});
  for (const Shape& shape : kOfService)
    declarations.functions.push_back(
        {shape.name, {Kind::string}, shape.result, static_cast<int>(shape.signal)});
  declarations.functions.push_back({"now", {}, Kind::timestamp, static_cast<int>(Signal::now)});
  declarations.functions.push_back(
      {"within", {Kind::string, Kind::string}, Kind::boolean, static_cast<int>(Signal::within)});
  return declarations;
}

cel::Declarations selector_declarations() {
  cel::Declarations declarations;
  declarations.variables.emplace("name", Kind::string);
  declarations.variables.emplace("labels", cel::Type::map(Kind::string));
  return declarations;
}

cel::Declarations observation_declarations() {
  cel::Declarations declarations;
  declarations.variables.emplace("status", Kind::string);
  declarations.variables.emplace("latency", Kind::duration);
  declarations.variables.emplace("value", Kind::real);
  declarations.variables.emplace("values", cel::Type::map(Kind::real));
  return declarations;
}

}  // namespace firebreak::policy
