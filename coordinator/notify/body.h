// What a receiver is sent about an incident: bodies, and the signature that proves who sent them.
//
// docs/reference/notifications.md is the contract that these functions keep. Pure; thread-safe.
// Titles and texts are hostile and are escaped here, each for its reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/secret.h"
#include "coordinator/core/effect.h"

namespace firebreak::notify {

// The `version` of the webhook's body; raised when a field changes its meaning or goes away.
inline constexpr int kWebhookVersion = 1;

// For Slack's incoming webhooks and whoever speaks like them.
[[nodiscard]] std::string slack_body(const core::SendNotification& notification);
// The same text for every attempt, so that a receiver may compare.
[[nodiscard]] std::string webhook_body(const core::SendNotification& notification);

// Slack's rule for text: & < > as entities, so that no link, mention or command can be forged; also
// control characters made visible, and the @-words that others (Mattermost) expand made inert.
[[nodiscard]] std::string escape_slack(std::string_view text, std::size_t max_bytes);

// "t=UNIX_SECONDS,v1=HEX": HMAC-SHA256 over "UNIX_SECONDS.BODY".
[[nodiscard]] std::string signature(const Secret& secret, std::int64_t unix_seconds,
                                    std::string_view body);

}  // namespace firebreak::notify
