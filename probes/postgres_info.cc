// The statement counts, and says beside its numbers what it could not see; here they become values.
#include "probes/postgres_info.h"

#include <algorithm>
#include <cmath>

namespace firebreak::probes {
namespace {

// A session that we may not look into has neither type nor state (pg_read_all_stats), and one of a
// server that does not track them is 'disabled' (track_activities). `replays` leaves out what takes
// WAL without replaying it: a running pg_basebackup, pg_receivewal.
constexpr const char* kQuery = R"sql(WITH session AS (
  SELECT backend_type IS NULL AND state IS NULL AND usesysid IS NOT NULL AS is_hidden,
    backend_type IS NOT DISTINCT FROM 'client backend' AS is_client,
    pid = pg_backend_pid() AS is_own,
    coalesce(state IN ('active', 'fastpath function call'), false) AS is_active,
    state, wait_event_type, query_start, xact_start
  FROM pg_stat_activity),
sessions AS (
  SELECT count(*) FILTER (WHERE is_hidden) AS sessions_hidden,
    count(*) FILTER (WHERE is_client AND state = 'disabled') AS sessions_untracked,
    count(*) FILTER (WHERE is_client) AS connections,
    count(*) FILTER (WHERE is_client AND is_active AND NOT is_own) AS connections_active,
    count(*) FILTER (WHERE is_client AND state LIKE 'idle in transaction%')
      AS connections_idle_in_transaction,
    coalesce(extract(epoch FROM max(clock_timestamp() - query_start)
      FILTER (WHERE is_client AND is_active AND NOT is_own)), 0) AS longest_query,
    coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)
      FILTER (WHERE is_client AND NOT is_own)), 0) AS longest_transaction,
    count(*) FILTER (WHERE is_client AND wait_event_type = 'Lock') AS locks_waiting
  FROM session),
place AS (
  SELECT pg_is_in_recovery() AS in_recovery,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn),
replica AS (
  SELECT state IS NULL AS is_hidden,
    coalesce(state IN ('catchup', 'streaming') AND replay_lsn IS NOT NULL, false) AS replays,
    pg_wal_lsn_diff(place.lsn, replay_lsn) AS behind, replay_lag
  FROM pg_stat_replication, place),
replicas AS (
  SELECT count(*) FILTER (WHERE is_hidden) AS replicas_hidden,
    count(*) FILTER (WHERE replays) AS connected_replicas,
    count(*) FILTER (WHERE replays AND behind > 0 AND replay_lag IS NULL) AS replicas_unmeasured,
    extract(epoch FROM max(coalesce(replay_lag, '0')) FILTER (WHERE replays)) AS replicas_lag,
    max(behind) FILTER (WHERE replays) AS replicas_lag_bytes
  FROM replica)
SELECT in_recovery, sessions.*, replicas.*,
  current_setting('max_connections') AS connections_max,
  current_setting('superuser_reserved_connections') AS reserved,
  coalesce(current_setting('reserved_connections', true), '0') AS reserved_by_role,
  EXISTS (SELECT FROM pg_stat_wal_receiver) AS has_receiver,
  (SELECT setting = '' FROM pg_settings WHERE name = 'primary_conninfo') AS has_no_primary,
  CASE WHEN in_recovery THEN
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END AS replayed_ago,
  CASE WHEN in_recovery THEN
    pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) END AS unreplayed
FROM place, sessions, replicas)sql";

using Number = std::optional<double>;

// A count that is zero or not told: only the first means that all was seen.
bool is_none(SqlRow row, std::string_view name) {
  return count_in(row, name) == Number(0);
}

// A time or a distance. Clocks differ, and replay goes on while we ask: less than zero is zero.
Number span_in(SqlRow row, std::string_view name) {
  const auto text = text_in(row, name);
  const Number number = text ? parse_number(*text) : std::nullopt;
  return number ? Number(std::max(0.0, *number)) : std::nullopt;
}

Number share(Number connections, SqlRow row) {
  const Number most = count_in(row, "connections_max");
  const Number reserved = count_in(row, "reserved");
  const Number by_role = count_in(row, "reserved_by_role");
  if (!connections || !most || !reserved || !by_role) return std::nullopt;
  const double free_to_all = *most - *reserved - *by_role;
  return free_to_all > 0 ? Number(*connections * 100 / free_to_all) : std::nullopt;
}

// Adds what is there.
void add(PostgresInfo& info, const char* name, Number value) {
  if (value && std::isfinite(*value)) info.values.push_back({name, *value});
}

void say(PostgresInfo& info, std::string_view what) {
  if (!info.unseen.empty()) info.unseen += "; ";
  info.unseen += what;
}

void add_sessions(PostgresInfo& info, SqlRow row) {
  const bool all_seen = is_none(row, "sessions_hidden");
  const bool all_tracked = all_seen && is_none(row, "sessions_untracked");
  const auto tracked = [&](Number value) { return all_tracked ? value : std::nullopt; };
  const Number connections = all_seen ? count_in(row, "connections") : std::nullopt;
  add(info, "connections", connections);
  add(info, "connections_max", count_in(row, "connections_max"));
  add(info, "connections_share", share(connections, row));
  for (const char* name : {"connections_active", "connections_idle_in_transaction"})
    add(info, name, tracked(count_in(row, name)));
  for (const char* name : {"longest_query", "longest_transaction"})
    add(info, name, tracked(span_in(row, name)));
  add(info, "locks_waiting", all_seen ? count_in(row, "locks_waiting") : std::nullopt);
  if (!all_seen)
    say(info, "the sessions of others are hidden from this user, who is not in pg_monitor");
  else if (!all_tracked)
    say(info, "what sessions do is not tracked (track_activities)");
}

// Of a standby. The last transaction of a primary that has nothing to do is old, and no lag.
Number standby_lag(SqlRow row) {
  const Number unreplayed = span_in(row, "unreplayed");
  if (truth_in(row, "has_receiver") != true || !unreplayed) return std::nullopt;
  return *unreplayed == 0 ? Number(0) : span_in(row, "replayed_ago");
}

// Of the replicas of a primary. The server measures no lag of a replica that is idle, nor of one
// that stopped replaying when it was.
Number replicas_lag(SqlRow row) {
  return is_none(row, "replicas_hidden") && is_none(row, "replicas_unmeasured")
             ? span_in(row, "replicas_lag")
             : std::nullopt;
}

void add_replication(PostgresInfo& info, SqlRow row, bool in_recovery) {
  const bool all_seen = is_none(row, "replicas_hidden");
  const bool has_receiver = truth_in(row, "has_receiver") == true;
  add(info, "replication_lag", in_recovery ? standby_lag(row) : replicas_lag(row));
  if (in_recovery)
    add(info, "replication_lag_bytes", has_receiver ? span_in(row, "unreplayed") : std::nullopt);
  else
    add(info, "replication_lag_bytes",
        all_seen ? span_in(row, "replicas_lag_bytes") : std::nullopt);
  add(info, "connected_replicas", all_seen ? count_in(row, "connected_replicas") : std::nullopt);
  if (!all_seen) say(info, "replicas are hidden from this user, who is not in pg_monitor");
  if (in_recovery && !has_receiver)
    say(info, "no WAL receiver is connected: nobody knows how far it lags");
  if (!in_recovery && all_seen && !is_none(row, "replicas_unmeasured"))
    say(info, "a replica lags, and for how long is not measured");
}

std::optional<PostgresTrouble> judge(SqlRow row, std::string_view wanted) {
  const auto in_recovery = truth_in(row, "in_recovery");
  if (!in_recovery)
    return PostgresTrouble{Status::unknown, Reason::missing, "it does not say its role"};
  const std::string_view role = *in_recovery ? "standby" : "primary";
  if (!wanted.empty() && role != wanted)
    return PostgresTrouble{Status::critical, Reason::status,
                           "it is a " + std::string(role) + ", not a " + std::string(wanted)};
  // Without `primary_conninfo` it is fed from an archive, and needs no receiver.
  if (*in_recovery && truth_in(row, "has_receiver") == false &&
      truth_in(row, "has_no_primary") != true)
    return PostgresTrouble{Status::critical, Reason::status,
                           "no WAL receiver is connected, so nothing comes from its primary"};
  return std::nullopt;
}

}  // namespace

const char* postgres_info_query() {
  return kQuery;
}

PostgresInfo read_postgres_info(SqlRow row, std::string_view wanted) {
  PostgresInfo info;
  info.values.reserve(11);
  add_sessions(info, row);
  if (const auto in_recovery = truth_in(row, "in_recovery"))
    add_replication(info, row, *in_recovery);
  info.trouble = judge(row, wanted);
  return info;
}

}  // namespace firebreak::probes
