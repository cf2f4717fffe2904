// The commands of `firebreak`: each function adds its subcommands, whose callbacks set
// context.exit_code.
#pragma once

#include <cstddef>

#include "cli/client.h"

namespace CLI {
class App;
}

namespace firebreak::cli {

inline constexpr std::size_t kDigestShown = 12;  // characters of a policy's digest

void add_view_commands(CLI::App& app,
                       Context& context);  // status, services, agents, agent forget, watch
void add_incident_commands(
    CLI::App& app, Context& context);  // incidents, incident, ack, note, declare, resolve, report
void add_fact_commands(CLI::App& app, Context& context);      // fact set, fact clear, facts
void add_quieting_commands(CLI::App& app, Context& context);  // silence, maintenance
void add_validate_command(CLI::App& app, Context& context);
// policy check, diff, apply, show, history, rollback, schema, test
void add_policy_commands(CLI::App& app, Context& context);
void add_backtest_command(CLI::App& group, Context& context);
void add_policy_test_command(CLI::App& group, Context& context);
void add_explain_command(CLI::App& app, Context& context);
void add_probe_command(CLI::App& app, Context& context);      // no coordinator needed
void add_heartbeat_command(CLI::App& app, Context& context);  // no coordinator needed
void add_expr_command(CLI::App& app, Context& context);       // no coordinator needed
void add_doctor_command(CLI::App& app, Context& context);     // no coordinator needed
void add_pki_commands(CLI::App& app, Context& context);       // no coordinator needed

}  // namespace firebreak::cli
