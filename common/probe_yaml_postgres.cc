// A server that speaks PostgreSQL's protocol, and what it is asked, from YAML.
#include "common/probe_yaml_postgres.h"

#include "common/limits.h"
#include "common/probe_yaml.h"
#include "common/probe_yaml_fields.h"

namespace firebreak::probe_yaml {
namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

void read_tls_files(MapReader& reader, PostgresSpec& postgres, Problems& problems) {
  const Node ca_file = reader.optional("tls_ca_file");
  const Node certificate = reader.optional("tls_certificate_file");
  const Node key = reader.optional("tls_key_file");
  read_line(ca_file, postgres.tls_ca_file, problems);
  read_line(certificate, postgres.tls_certificate_file, problems);
  read_line(key, postgres.tls_key_file, problems);
  if (static_cast<bool>(certificate) != static_cast<bool>(key))
    problems.error((certificate ? certificate : key).name_place(),
                   "'tls_certificate_file' and 'tls_key_file' belong together");
  if (postgres.sslmode != "disable") return;
  for (const Node& about : {ca_file, certificate, key})
    if (about)
      problems.error(about.name_place(),
                     about.label() + " is about TLS, and 'sslmode' disables it");
}

// Where it is, and as whom it is asked.
void read_session(MapReader& reader, PostgresSpec& postgres, Problems& problems) {
  read_host(reader.optional("host"), postgres.host, problems);
  read_port(reader.optional("port"), postgres.port, problems);
  read_line(reader.optional("user"), postgres.user, problems);
  read_line(reader.optional("password_file"), postgres.password_file, problems);
  if (const auto index = reader.optional("sslmode").as_word(problems, postgres_sslmodes()))
    postgres.sslmode = postgres_sslmodes()[*index];
  read_tls_files(reader, postgres, problems);
}

}  // namespace

PostgresSpec read_postgres(const Node& node, Problems& problems) {
  PostgresSpec postgres;
  if (node.kind() == yaml::Kind::scalar) {
    read_endpoint(node, postgres.host, postgres.port, problems);
    return postgres;
  }
  MapReader reader(node, "a postgres target", problems);
  read_session(reader, postgres, problems);
  read_line(reader.optional("database"), postgres.database, problems);
  read_text(reader.optional("query"), postgres.query, problems);
  if (const Node expect = reader.optional("expect")) {
    if (const auto program = compile_node(expect, postgres_expect_declarations(),
                                          cel::Type::Kind::boolean, problems))
      postgres.expect = program->text();
    if (postgres.query.empty())
      problems.error(expect.name_place(),
                     "'expect' is about the query's answer, and there is no 'query'");
  }
  if (const auto index = reader.optional("role").as_word(problems, postgres_roles()))
    postgres.role = postgres_roles()[*index];
  if (const auto wanted = reader.optional("info").as_bool(problems)) postgres.info = *wanted;
  return postgres;
}

PgbouncerSpec read_pgbouncer(const Node& node, Problems& problems) {
  PgbouncerSpec pgbouncer;
  if (node.kind() == yaml::Kind::scalar) {
    read_endpoint(node, pgbouncer.server.host, pgbouncer.server.port, problems);
    return pgbouncer;
  }
  MapReader reader(node, "a pgbouncer target", problems);
  read_session(reader, pgbouncer.server, problems);
  const Node pool = reader.optional("pool");
  read_line(pool, pgbouncer.pool, problems);
  if (pool && pgbouncer.pool.empty())
    problems.error(pool.place(), "name the database whose pool is meant, or leave it out");
  return pgbouncer;
}

}  // namespace firebreak::probe_yaml
