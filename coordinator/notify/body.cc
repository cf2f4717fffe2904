// Renders notifications as JSON and signs them.
#include "coordinator/notify/body.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <utility>

#include "common/text.h"

namespace firebreak::notify {
namespace {

namespace json = boost::json;
using core::NotificationKind;

// Slack cuts a message at 40,000 characters and recommends 4,000.
constexpr std::size_t kSlackLineBytesMax = 300;
constexpr std::size_t kSlackTextBytesMax = 3000;
constexpr std::size_t kWebhookTextBytesMax = 16u << 10;

// How a person reads it: "P1 opened", "action", ...
const char* headline(NotificationKind kind) {
  switch (kind) {
    case NotificationKind::opened:
      return "incident opened";
    case NotificationKind::severity_changed:
      return "severity changed";
    case NotificationKind::acknowledged:
      return "acknowledged";
    case NotificationKind::action:
      return "action";
    case NotificationKind::update_due:
      return "an update is due";
    case NotificationKind::acknowledge_overdue:
      return "nobody has acknowledged yet";
    case NotificationKind::resolve_overdue:
      return "not resolved in time";
    case NotificationKind::validation_failed:
      return "recovery not confirmed";
    case NotificationKind::resolved:
      return "resolved";
    case NotificationKind::escalated:
      return "escalated";
    case NotificationKind::flapping:
      return "it flaps";
  }
  return "incident";
}

// Slack's own colour names.
const char* color(NotificationKind kind) {
  switch (kind) {
    case NotificationKind::resolved:
      return "good";
    case NotificationKind::acknowledged:
    case NotificationKind::action:
    case NotificationKind::update_due:
      return "warning";
    case NotificationKind::opened:
    case NotificationKind::severity_changed:
    case NotificationKind::acknowledge_overdue:
    case NotificationKind::resolve_overdue:
    case NotificationKind::validation_failed:
    case NotificationKind::escalated:
    case NotificationKind::flapping:
      return "danger";
  }
  return "danger";
}

json::object slack_field(const char* title, const std::string& value) {
  json::object field;
  field["title"] = title;
  field["value"] = escape_slack(value, kSlackLineBytesMax);
  field["short"] = true;
  return field;
}

}  // namespace

std::string escape_slack(std::string_view text, std::size_t max_bytes) {
  constexpr std::array<std::string_view, 4> kMentions{"channel", "here", "all", "everyone"};
  const std::string visible = escape_block(text, max_bytes);
  std::string out;
  for (std::size_t i = 0; i < visible.size(); ++i) {
    const char c = visible[i];
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
    if (c != '@') continue;
    const std::string_view rest = std::string_view(visible).substr(i + 1);
    for (const std::string_view mention : kMentions)
      if (rest.substr(0, mention.size()) == mention) out += "\u200b";
  }
  return out;
}

std::string slack_body(const core::SendNotification& notification) {
  const std::string severity =
      notification.severity.empty() ? std::string() : notification.severity + " ";
  json::array fields;
  fields.push_back(slack_field("Incident", notification.incident.str()));
  fields.push_back(slack_field("Service", notification.service.str()));
  if (!severity.empty()) fields.push_back(slack_field("Severity", notification.severity));
  json::object attachment;
  attachment["color"] = color(notification.kind);
  attachment["fallback"] = escape_slack(notification.title, kSlackLineBytesMax);
  attachment["title"] = escape_slack(notification.title, kSlackLineBytesMax);
  attachment["text"] = escape_slack(notification.text, kSlackTextBytesMax);
  attachment["fields"] = std::move(fields);
  attachment["footer"] = "firebreak";
  attachment["ts"] = unix_us(notification.at) / 1'000'000;
  // No field is read as markup: what a target said stays as it said it.
  attachment["mrkdwn_in"] = json::array();
  json::array attachments;
  attachments.push_back(std::move(attachment));
  json::object body;
  body["text"] =
      escape_slack(severity + headline(notification.kind) + ": " + notification.service.str(),
                   kSlackLineBytesMax);
  body["mrkdwn"] = false;
  body["attachments"] = std::move(attachments);
  return json::serialize(body);
}

std::string webhook_body(const core::SendNotification& notification) {
  const auto text = [](const std::string& raw) { return to_valid_utf8(raw, kWebhookTextBytesMax); };
  json::object body;
  body["version"] = kWebhookVersion;
  body["kind"] = core::to_string(notification.kind);
  body["status"] = notification.kind == NotificationKind::resolved ? "resolved" : "open";
  body["dedup_key"] = notification.incident.str();
  body["notification"] = notification.notification.str();
  body["incident"] = notification.incident.str();
  body["severity"] = text(notification.severity);
  body["service"] = notification.service.str();
  body["title"] = text(notification.title);
  body["text"] = text(notification.text);
  body["at"] = format_rfc3339(notification.at);
  body["at_unix_us"] = unix_us(notification.at);
  return json::serialize(body);
}

std::string signature(const Secret& secret, std::int64_t unix_seconds, std::string_view body) {
  const std::string signed_text = std::to_string(unix_seconds) + "." + std::string(body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const std::basic_string<unsigned char> bytes(signed_text.begin(), signed_text.end());
  HMAC(EVP_sha256(), secret.reveal().data(), static_cast<int>(secret.reveal().size()), bytes.data(),
       bytes.size(), digest.data(), &size);
  std::string out = "t=" + std::to_string(unix_seconds) + ",v1=";
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

}  // namespace firebreak::notify
