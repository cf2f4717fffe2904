// What people say of an incident and do about it: `incident severity`, `incident steps`, `done`.
#pragma once

#include "cli/client.h"

namespace CLI {
class App;
}

namespace firebreak::cli {

void add_response_commands(CLI::App& app, CLI::App& incident, Context& context);

// Lines of `firebreak incident`; nothing when there is nothing of it.
void show_response(const v1::Incident& incident);

}  // namespace firebreak::cli
