// Tells systemd how a service is doing: sd_notify(3), spoken directly so that nothing links
// libsystemd.
#pragma once

#include <optional>
#include <string>

#include "common/time.h"

namespace firebreak::sd {

// Sends "READY=1\nSTATUS=..." and the like to $NOTIFY_SOCKET. Without one it does nothing. Never
// blocks; an error is of no use to the caller and is dropped. Any thread.
void notify(const std::string& state);

// How often the service must send WATCHDOG=1, already halved as sd_watchdog_enabled(3) advises.
// Empty: nobody watches this process.
std::optional<Duration> watchdog_interval();

}  // namespace firebreak::sd
