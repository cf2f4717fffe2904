// Sends notifications and http actions: every transfer on one thread of its own, none waits for
// another.
//
// Notifications of one receiver are sent in order, one at a time, each until it is delivered or
// given up; a receiver that hangs holds up only its own. An http action is tried once. Files with
// URLs, secrets and tokens are read when they are needed, so a changed one counts at once. TLS
// certificates are verified, redirects are not followed; a proxy is used when the environment names
// one (https_proxy). docs/reference/notifications.md is what receivers are promised.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/limits.h"
#include "common/result.h"
#include "coordinator/core/event.h"
#include "coordinator/engine/sinks.h"
#include "coordinator/notify/retry.h"

namespace firebreak::notify {

struct SenderSettings {
  std::string version;  // sent as User-Agent "firebreak/VERSION"
  std::string ca_file;  // empty: the authorities that the system trusts
  RetryLimits retry;
  Duration attempt_timeout = limits::kNotificationTimeout;
  std::uint64_t seed = 0;  // of the jitter
};

class HttpSender final : public engine::Sender {
 public:
  // Called on the sender's thread with NotificationFinished and ActionReported; returns at once.
  using Report = std::function<void(core::Event)>;

  // `clock` outlives the sender.
  static Result<std::unique_ptr<HttpSender>> start(const Clock& clock, SenderSettings settings,
                                                   Report report);
  // Ends at once what is on its way, without a report: a notification comes again after the
  // restart, an action is unknown then.
  ~HttpSender() override;
  HttpSender(const HttpSender&) = delete;
  HttpSender& operator=(const HttpSender&) = delete;

  // From any thread.
  void send(core::SendNotification notification) override;
  void run(core::RunHttpAction action) override;

 private:
  class Loop;
  explicit HttpSender(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace firebreak::notify
