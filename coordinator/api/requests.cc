// Checks what operators send.
#include "coordinator/api/requests.h"

#include <firebreak/v1/operator.pb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "proto/checker.h"

namespace firebreak::api {
namespace {

using wire::Checker;

constexpr std::size_t kIncidentIdBytesMax = 128;
constexpr std::size_t kTitleBytesMax = 300;
constexpr std::size_t kRequestIdBytesMax = 128;
constexpr std::size_t kPathBytesMax = 255;
constexpr int kPolicyFilesMax = 1000;
constexpr std::size_t kIncidentsListed = 100;

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

void incident_id(Checker& check, const std::string& id, bool is_optional) {
  if (id.empty() && is_optional) return;
  check.require(!id.empty(), "id", "is missing; name the incident, such as INC-20261121-031407");
  check.line(id, kIncidentIdBytesMax, "id");
}

void service_name(Checker& check, const std::string& name, bool is_optional) {
  if (name.empty() && is_optional) return;
  if (check.require(!name.empty(), "service", "is missing; name the service"))
    check.name(name, "service");
}

void limit(Checker& check, std::uint32_t limit) {
  check.require(limit <= limits::kListedMax, "limit",
                "at most " + std::to_string(limits::kListedMax) + ", not " + std::to_string(limit));
}

template <class Name, class Request>
Result<Page<Name>> page_of(const Request& request) {
  Checker check;
  limit(check, request.limit());
  if (!request.after().empty()) check.name(request.after(), "after");
  if (check.failed()) return check.error();
  return Page<Name>{request.limit(), Name(request.after())};
}

void required_text(Checker& check, const std::string& text, std::string_view field,
                   std::string_view problem) {
  if (check.require(!is_blank(text), field, problem))
    check.text(text, limits::kTextBytesMax, field);
}

Result<core::OperatorAsked> finish(const Checker& check, const std::string& by,
                                   decltype(core::OperatorAsked::what) what) {
  if (check.failed()) return check.error();
  return core::OperatorAsked{by, std::move(what)};
}

Error unknown_name(std::string_view kind, const std::string& name,
                   const std::vector<std::string>& known) {
  const std::string meant = did_you_mean(name, known);
  std::string message =
      "the policy has no " + std::string(kind) + " '" + escape_line(name, 80) + "'";
  if (!meant.empty())
    message += "; did you mean '" + meant + "'?";
  else if (!known.empty() && known.size() <= 10)
    message += "; it has " + join_words(known);
  return make_error(Errc::not_found, std::move(message));
}

Result<policy::SeverityIndex> severity_of(const std::string& name, const policy::Policy& policy) {
  if (const auto severity = policy.find_severity(name)) return *severity;
  std::vector<std::string> names;
  for (const policy::Severity& known : policy.severities) names.push_back(known.name);
  return unknown_name("severity", name, names);
}

template <class Names>
std::vector<std::string> keys_of(const Names& names) {
  std::vector<std::string> keys;
  keys.reserve(names.size());
  for (const auto& [name, value] : names) keys.push_back(name.str());
  return keys;
}

const char* type_name(policy::FactType type) {
  switch (type) {
    case policy::FactType::boolean:
      return "true or false";
    case policy::FactType::integer:
      return "a whole number";
    case policy::FactType::real:
      return "a number";
    case policy::FactType::string:
      break;
  }
  return "text";
}

template <class Number>
std::optional<Number> parse_number(const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

std::optional<cel::Value> parse_fact(policy::FactType type, const std::string& text) {
  switch (type) {
    case policy::FactType::boolean:
      if (text == "true" || text == "false") return cel::Value(text == "true");
      return std::nullopt;
    case policy::FactType::integer:
      if (const auto number = parse_number<std::int64_t>(text)) return cel::Value(*number);
      return std::nullopt;
    case policy::FactType::real:
      if (const auto number = parse_number<double>(text); number && std::isfinite(*number))
        return cel::Value(*number);
      return std::nullopt;
    case policy::FactType::string:
      break;
  }
  return cel::Value(text);
}

bool is_policy_path(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (part.empty() || part.front() == '.') return false;  // "", ".", ".." and hidden files
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

}  // namespace

Result<IncidentId> check_incident_id(const std::string& id, bool is_optional) {
  Checker check;
  incident_id(check, id, is_optional);
  if (check.failed()) return check.error();
  return IncidentId(id);
}

Result<ServiceName> check_service_name(const std::string& name, bool is_optional) {
  Checker check;
  service_name(check, name, is_optional);
  if (check.failed()) return check.error();
  return ServiceName(name);
}

Result<std::size_t> check_limit(const v1::ListIncidentsRequest& request) {
  Checker check;
  limit(check, request.limit());
  if (check.failed()) return check.error();
  return request.limit() == 0 ? kIncidentsListed : std::size_t{request.limit()};
}

Result<Page<ServiceName>> check_page(const v1::ListServicesRequest& request) {
  return page_of<ServiceName>(request);
}

Result<Page<AgentName>> check_page(const v1::ListAgentsRequest& request) {
  return page_of<AgentName>(request);
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::AcknowledgeIncidentRequest& request) {
  Checker check;
  incident_id(check, request.id(), false);
  check.text(request.note(), limits::kTextBytesMax, "note");
  return finish(check, by, core::AcknowledgeIncident{IncidentId(request.id()), request.note()});
}

Result<core::OperatorAsked> to_event(const std::string& by, const v1::AddNoteRequest& request) {
  constexpr std::array<std::string_view, 4> kPhases{"", "investigating", "identified",
                                                    "monitoring"};
  Checker check;
  incident_id(check, request.id(), false);
  check.require(std::find(kPhases.begin(), kPhases.end(), request.phase()) != kPhases.end(),
                "phase",
                "must be investigating, identified or monitoring; resolving is another call");
  if (request.phase().empty())
    required_text(check, request.text(), "text", "is missing; say something");
  else
    check.text(request.text(), limits::kTextBytesMax, "text");
  return finish(check, by,
                core::AddNote{IncidentId(request.id()), request.text(), request.phase()});
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::ResolveIncidentRequest& request) {
  Checker check;
  incident_id(check, request.id(), false);
  required_text(check, request.reason(), "reason",
                "is missing; a person's word replaces a validation, so say how you know");
  return finish(check, by, core::ResolveIncident{IncidentId(request.id()), request.reason()});
}

Result<core::OperatorAsked> to_event(const std::string& by, const v1::ForgetAgentRequest& request) {
  Checker check;
  if (check.require(!request.name().empty(), "name", "is missing; name the agent"))
    check.name(request.name(), "name");
  return finish(check, by, core::ForgetAgent{AgentName(request.name())});
}

Result<core::OperatorAsked> to_event(const std::string& by, const v1::ClearFactRequest& request) {
  Checker check;
  check.name(request.name(), "name");
  service_name(check, request.service(), true);
  return finish(check, by,
                core::ClearFact{FactName(request.name()), ServiceName(request.service())});
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::DeclareIncidentRequest& request,
                                     const policy::Policy& policy) {
  Checker check;
  service_name(check, request.service(), false);
  if (check.require(!is_blank(request.title()), "title", "is missing; say in a line what is wrong"))
    check.line(request.title(), kTitleBytesMax, "title");
  if (check.require(!request.request_id().empty(), "request_id",
                    "is missing; send a new random one, and the same when trying again"))
    check.line(request.request_id(), kRequestIdBytesMax, "request_id");
  check.line(request.severity(), limits::kLabelBytesMax, "severity");
  if (check.failed()) return check.error();
  const ServiceName service(request.service());
  if (policy.find_service(service) == nullptr)
    return unknown_name("service", request.service(), keys_of(policy.services));
  const auto severity = severity_of(request.severity(), policy);
  if (!severity) return severity.error();
  return finish(check, by,
                core::DeclareIncident{service, *severity, request.title(), request.request_id()});
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::CompleteStepRequest& request) {
  Checker check;
  incident_id(check, request.id(), false);
  check.require(request.step() > 0, "step", "is missing; name the step by its number");
  check.text(request.note(), limits::kTextBytesMax, "note");
  return finish(check, by,
                core::StepDone{IncidentId(request.id()), request.step(), request.note()});
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::OverrideSeverityRequest& request,
                                     const policy::Policy& policy) {
  Checker check;
  incident_id(check, request.id(), false);
  check.line(request.severity(), limits::kLabelBytesMax, "severity");
  required_text(check, request.reason(), "reason",
                "is missing; it stands in the timeline beside what the rules say");
  const Duration longest = limits::kSeverityOverrideMax;
  check.require(request.lasts_us() >= 0 && request.lasts_us() <= longest.count(), "lasts_us",
                "is at most " + format_duration(longest));
  if (check.failed()) return check.error();
  core::OverrideSeverity wish;
  wish.incident = IncidentId(request.id());
  wish.reason = request.reason();
  wish.lasts =
      request.lasts_us() == 0 ? Duration{limits::kSeverityOverride} : Duration{request.lasts_us()};
  if (!request.severity().empty()) {
    const auto severity = severity_of(request.severity(), policy);
    if (!severity) return severity.error();
    wish.severity = *severity;
  }
  return finish(check, by, std::move(wish));
}

Result<core::OperatorAsked> to_event(const std::string& by, const v1::SetFactRequest& request,
                                     const policy::Policy& policy) {
  Checker check;
  check.name(request.name(), "name");
  service_name(check, request.service(), true);
  check.text(request.text(), limits::kTextBytesMax, "text");
  if (check.failed()) return check.error();
  const auto fact = policy.facts.find(FactName(request.name()));
  if (fact == policy.facts.end())
    return unknown_name("fact", request.name(), keys_of(policy.facts));
  const ServiceName service(request.service());
  if (!service.empty() && policy.find_service(service) == nullptr)
    return unknown_name("service", request.service(), keys_of(policy.services));
  auto value = parse_fact(fact->second.type, request.text());
  if (!value)
    return make_error(Errc::invalid_argument, "text: fact '" + request.name() + "' is " +
                                                  type_name(fact->second.type) + ", not '" +
                                                  escape_line(request.text(), 80) + "'");
  return finish(check, by, core::SetFact{fact->first, service, *std::move(value)});
}

Result<std::vector<policy::SourceFile>> policy_files(const v1::ApplyPolicyRequest& request) {
  Checker check;
  check.require(request.files_size() > 0, "files", "are missing; send the whole policy");
  check.require(request.files_size() <= kPolicyFilesMax, "files", "are more than 1000");
  std::vector<policy::SourceFile> files;
  std::set<std::string> seen;
  std::size_t bytes = 0;
  for (int i = 0; i < request.files_size() && !check.failed(); ++i) {
    const v1::PolicyFile& file = request.files(i);
    const auto index = static_cast<std::size_t>(i);
    const std::string field = "files[" + std::to_string(i) + "]";
    check.line(file.path(), kPathBytesMax, field + ".path");
    check.require(is_policy_path(file.path()), "files", index,
                  "'" + escape_line(file.path(), 80) +
                      "' must be a relative path to a .yaml file, without '..'");
    check.require(seen.insert(file.path()).second, "files", index,
                  "'" + escape_line(file.path(), 80) + "' is sent twice");
    check.text(file.text(), limits::kPolicyBytesMax, field + ".text");
    bytes += file.text().size();
    check.require(bytes <= limits::kPolicyBytesMax, "files",
                  "hold more than " + std::to_string(limits::kPolicyBytesMax >> 10) + " KiB");
    files.push_back({file.path(), file.text()});
  }
  if (check.failed()) return check.error();
  return files;
}

}  // namespace firebreak::api
