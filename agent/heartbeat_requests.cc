// From the outside in: the path, who it is, the method, the report.
#include "agent/heartbeat_requests.h"

#include <string_view>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/text.h"

namespace firebreak::agent {
namespace {

constexpr std::string_view kPath = "/v1/heartbeat/";
constexpr std::string_view kState = "state=";
constexpr std::string_view kBearer = "Bearer ";
constexpr uid_t kRoot = 0;

HttpAnswer plain(int status, std::string line) {
  return {status, std::move(line) + "\n"};
}

// Takes as long whatever the difference is.
bool is_same_secret(std::string_view given, std::string_view wanted) {
  bool differs = given.size() != wanted.size() || wanted.empty();
  for (std::size_t i = 0; i < given.size() && !wanted.empty(); ++i)
    differs |= given[i] != wanted[i % wanted.size()];
  return !differs;
}

bool knows_token(const HttpRequest& request, const HeartbeatRights& rights) {
  const std::string_view given = request.authorization;
  return given.starts_with(kBearer) &&
         is_same_secret(given.substr(kBearer.size()), rights.token.reveal());
}

// Why not; nothing: it may.
std::optional<std::string> refusal_of(const std::string& name, std::optional<uid_t> user,
                                      const HeartbeatRights& rights) {
  const auto listed = rights.users.find(name);
  if (listed == rights.users.end() || user == kRoot) return std::nullopt;
  if (!user) return "'" + name + "' has users in agent.yaml, and TCP does not say who it is";
  if (listed->second.count(*user) != 0) return std::nullopt;
  return "user " + std::to_string(*user) + " is not among the users of '" + name +
         "' in agent.yaml";
}

std::string unknown_name(const std::string& name, const Heartbeats& beats) {
  const std::string meant = did_you_mean(name, beats.expected());
  return "no probe of this agent asks for '" + name + "'" +
         (meant.empty() ? "" : "; did you mean '" + meant + "'?");
}

HttpAnswer take_report(const HttpRequest& request, const std::string& name, std::string_view state,
                       Heartbeats& beats, const HostTime& now) {
  auto report = probes::parse_heartbeat_report(state, request.body);
  if (!report) return plain(400, report.error().message);
  const auto taken = beats.take(name, *std::move(report), now);
  if (!taken) return plain(404, taken.error().message + "; " + unknown_name(name, beats));
  HttpAnswer kept = *taken == Heartbeats::Taken::expected
                        ? plain(200, "kept")
                        : plain(202, "kept, but " + unknown_name(name, beats));
  kept.has_changed = true;
  return kept;
}

}  // namespace

HttpAnswer answer(const HttpRequest& request, std::optional<uid_t> user,
                  const HeartbeatRights& rights, Heartbeats& beats, const HostTime& now) {
  if (!user && !knows_token(request, rights))
    return plain(401, "say 'Authorization: Bearer TOKEN', as token_file in agent.yaml has it");
  std::string_view rest = request.target;
  if (!rest.starts_with(kPath)) return plain(404, "there is only /v1/heartbeat/NAME");
  rest.remove_prefix(kPath.size());
  const std::size_t mark = rest.find('?');
  const std::string name(rest.substr(0, mark));
  std::string_view query = mark == std::string_view::npos ? "" : rest.substr(mark + 1);
  if (!is_valid_name(name))
    return plain(
        404, "'" + escape_line(name, 64) + "' is no name: a-z, 0-9, '.', '_' and '-', at most 63");
  if (auto refused = refusal_of(name, user, rights)) return plain(403, *std::move(refused));
  if (request.method == "GET") {
    const auto beat = beats.find(name, now);
    if (!beat) return plain(404, unknown_name(name, beats));
    return {200, probes::to_json(*beat) + "\n", true};
  }
  if (request.method != "POST" && request.method != "PUT")
    return plain(405, "POST reports, GET says what is known");
  if (!query.empty() && !query.starts_with(kState))
    return plain(400, "a query is ?state=ok, warning, critical or started, nothing else");
  if (!query.empty()) query.remove_prefix(kState.size());
  return take_report(request, name, query, beats, now);
}

}  // namespace firebreak::agent
