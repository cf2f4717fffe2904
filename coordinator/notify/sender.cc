// The thread that drives all transfers, and the order in which each receiver gets its own.
#include "coordinator/notify/sender.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "common/assert.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/text.h"
#include "coordinator/notify/body.h"
#include "coordinator/notify/transfer.h"

namespace firebreak::notify {
namespace {

using Steady = std::chrono::steady_clock::time_point;
using namespace std::chrono_literals;

constexpr auto kLongestSleep = 60s;  // only so that a wrong clock cannot stop the thread for good
constexpr std::size_t kDetailBytesMax = 1024;

// Spaces around a URL or token in a file are never meant.
std::string trimmed(const std::string& text) {
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Headers that a receiver's own cannot replace.
bool is_ours(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name == "content-type" || name.rfind("x-firebreak-", 0) == 0;
}

Result<Request> slack_request(const policy::SlackReceiver& receiver,
                              const core::SendNotification& notification) {
  Request request;
  request.url = receiver.url;
  if (!receiver.url_file.empty()) {
    const auto url = read_password_file(receiver.url_file);
    if (!url) return Error{url.error().code, "the receiver's URL: " + url.error().message};
    request.url = trimmed(url->reveal());
    if (request.url.empty())
      return make_error(Errc::invalid_argument,
                        receiver.url_file + " is empty; it must hold the webhook's URL");
  }
  request.headers = {{"Content-Type", "application/json"}};
  request.body = slack_body(notification);
  return request;
}

Result<Request> webhook_request(const policy::WebhookReceiver& receiver,
                                const core::SendNotification& notification, WallTime now) {
  Request request;
  request.url = receiver.url;
  for (const auto& header : receiver.headers)
    if (!is_ours(header.first)) request.headers.push_back(header);
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("X-Firebreak-Notification", notification.notification.str());
  request.body = webhook_body(notification);
  if (receiver.secret_file.empty()) return request;
  const auto secret = read_password_file(receiver.secret_file);
  if (!secret)
    return Error{secret.error().code, "the receiver's secret: " + secret.error().message};
  if (secret->empty())
    return make_error(Errc::invalid_argument,
                      receiver.secret_file + " is empty; it must hold the receiver's secret");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  request.headers.emplace_back("X-Firebreak-Signature", signature(*secret, seconds, request.body));
  return request;
}

Result<Request> notification_request(const core::SendNotification& notification, WallTime now) {
  if (const auto* slack = std::get_if<policy::SlackReceiver>(&notification.how.how))
    return slack_request(*slack, notification);
  return webhook_request(std::get<policy::WebhookReceiver>(notification.how.how), notification,
                         now);
}

Result<Request> action_request(const core::RunHttpAction& action) {
  Request request;
  request.url = action.http.url;
  request.method = action.http.method;
  request.headers = action.http.headers;
  request.body = action.http.body;
  request.timeout = action.timeout;
  // So that the called side can tell a repetition by somebody else from ours.
  request.headers.emplace_back("Idempotency-Key", action.action.str());
  if (action.http.bearer_token_file.empty()) return request;
  const auto token = read_password_file(action.http.bearer_token_file);
  if (!token)
    return Error{token.error().code, "the bearer token: " + token.error().message + "; not sent"};
  request.headers.emplace_back("Authorization", "Bearer " + trimmed(token->reveal()));
  return request;
}

struct Waiting {
  core::SendNotification notification;
  Steady since;
  int attempts = 0;
};

// One receiver's notifications, in order; the first is the one that is tried.
struct Lane {
  std::deque<Waiting> queue;
  bool is_sending = false;
  Steady next_try{};
};

struct Flight {
  std::unique_ptr<Transfer> transfer;
  std::variant<ReceiverName, core::RunHttpAction> what;
  Steady started{};
};

core::ActionReported report_of(const core::RunHttpAction& action, core::ActionState state,
                               const std::string& detail) {
  core::ActionReported report;
  report.action = action.action;
  report.reporter = "engine";
  report.state = state;
  report.detail = to_valid_utf8(detail, kDetailBytesMax);
  return report;
}

}  // namespace

class HttpSender::Loop {
 public:
  using Task = std::variant<core::SendNotification, core::RunHttpAction>;

  Loop(const Clock& clock, SenderSettings settings, Report report, CURLM* multi)
      : clock_(clock),
        settings_(std::move(settings)),
        transfer_settings_{"firebreak/" + settings_.version, settings_.ca_file},
        report_(std::move(report)),
        multi_(multi),
        rng_(settings_.seed),
        thread_([this] { work(); }) {}

  ~Loop() {
    stopping_ = true;
    curl_multi_wakeup(multi_);
    thread_.join();
    for (const auto& [easy, flight] : flights_) curl_multi_remove_handle(multi_, easy);
    flights_.clear();
    curl_multi_cleanup(multi_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void add(Task task) {
    {
      const std::lock_guard lock(mutex_);
      inbox_.push_back(std::move(task));
    }
    curl_multi_wakeup(multi_);
  }

 private:
  void work() {
    while (!stopping_) {
      take_inbox();
      start_due_lanes();
      int running = 0;
      FB_ASSERT(curl_multi_perform(multi_, &running) == CURLM_OK);
      if (finish_transfers()) continue;  // a lane may go on at once
      curl_multi_poll(multi_, nullptr, 0, sleep_ms(), nullptr);
    }
  }

  void take_inbox() {
    std::deque<Task> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(inbox_);
    }
    for (Task& task : tasks) {
      if (auto* action = std::get_if<core::RunHttpAction>(&task))
        start_action(std::move(*action));
      else
        enqueue(std::get<core::SendNotification>(std::move(task)));
    }
  }

  void enqueue(core::SendNotification notification) {
    Lane& lane = lanes_[notification.receiver];
    if (lane.queue.size() >= limits::kNotificationsPerReceiverMax) {
      core::NotificationFinished refused;
      refused.notification = notification.notification;
      refused.detail = "not tried: " + std::to_string(lane.queue.size()) +
                       " notifications wait for receiver '" + notification.receiver.str() +
                       "'; see why it does not take them";
      report_(std::move(refused));
      return;
    }
    lane.queue.push_back({std::move(notification), clock_.steady(), 0});
  }

  void start_due_lanes() {
    const Steady now = clock_.steady();
    for (auto it = lanes_.begin(); it != lanes_.end();) {
      Lane& lane = it->second;
      if (!lane.is_sending && !lane.queue.empty() && lane.next_try <= now)
        try_first(it->first, lane);
      it = lane.queue.empty() && !lane.is_sending ? lanes_.erase(it) : std::next(it);
    }
  }

  void try_first(const ReceiverName& receiver, Lane& lane) {
    Waiting& first = lane.queue.front();
    ++first.attempts;
    auto request = notification_request(first.notification, clock_.wall());
    if (!request) return end_attempt(lane, {0, {}, request.error().message}, "");
    request->timeout = settings_.attempt_timeout;
    if (const auto started = start_transfer(*std::move(request), receiver); !started)
      return end_attempt(lane, {0, {}, started.error().message}, "");
    lane.is_sending = true;
  }

  Result<> start_transfer(Request request, std::variant<ReceiverName, core::RunHttpAction> what) {
    auto transfer = Transfer::make(std::move(request), transfer_settings_);
    if (!transfer) return transfer.error();
    CURL* easy = (*transfer)->easy();
    if (curl_multi_add_handle(multi_, easy) != CURLM_OK)
      return make_error(Errc::internal, "libcurl took no further transfer");
    flights_[easy] = {*std::move(transfer), std::move(what), clock_.steady()};
    return {};
  }

  void end_attempt(Lane& lane, const Reply& reply, std::string_view body) {
    const Waiting& first = lane.queue.front();
    const Steady now = clock_.steady();
    const auto age = std::chrono::duration_cast<Duration>(now - first.since);
    const Decision decision = decide(reply, first.attempts, age, settings_.retry, rng_);
    lane.is_sending = false;
    lane.next_try = now + decision.wait;
    log_attempt(first, decision, explain(reply, body));
    if (decision.what == Decision::What::retry) return;
    core::NotificationFinished finished;
    finished.notification = first.notification.notification;
    finished.delivered = decision.what == Decision::What::delivered;
    finished.attempts = first.attempts;
    finished.detail = to_valid_utf8(
        finished.delivered ? "HTTP " + std::to_string(reply.status) : explain(reply, body),
        kDetailBytesMax);
    lane.queue.pop_front();
    report_(std::move(finished));
  }

  // The first failure and the end; what lies between would only repeat the first.
  static void log_attempt(const Waiting& waiting, const Decision& decision,
                          const std::string& why) {
    const core::SendNotification& notification = waiting.notification;
    if (decision.what == Decision::What::give_up)
      log::error("notification given up", {{"receiver", notification.receiver.str()},
                                           {"incident", notification.incident.str()},
                                           {"attempts", waiting.attempts},
                                           {"error", why}});
    else if (decision.what == Decision::What::retry && waiting.attempts == 1)
      log::warning("notification failed, trying again", {{"receiver", notification.receiver.str()},
                                                         {"incident", notification.incident.str()},
                                                         {"error", why}});
  }

  void start_action(core::RunHttpAction action) {
    const auto failed = [&](const std::string& why) {
      report_(report_of(action, core::ActionState::failed, why));
    };
    if (actions_running_ >= limits::kHttpActionsRunningMax)
      return failed("not sent: " + std::to_string(actions_running_) + " http actions run already");
    auto request = action_request(action);
    if (!request) return failed(request.error().message);
    if (const auto started = start_transfer(*std::move(request), action); !started)
      return failed("not sent: " + started.error().message);
    ++actions_running_;
  }

  // Whether any ended.
  bool finish_transfers() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      const CURLcode code = message->data.result;
      const auto found = flights_.find(message->easy_handle);
      FB_ASSERT(found != flights_.end());
      const Flight flight = std::move(found->second);
      flights_.erase(found);
      curl_multi_remove_handle(multi_, flight.transfer->easy());
      finish(flight, flight.transfer->outcome(code));
    }
    return any;
  }

  void finish(const Flight& flight, const Outcome& outcome) {
    const CappedText& answer = flight.transfer->answer();
    if (const auto* receiver = std::get_if<ReceiverName>(&flight.what))
      return end_attempt(lanes_.at(*receiver), outcome.reply, answer.text());
    --actions_running_;
    const auto& action = std::get<core::RunHttpAction>(flight.what);
    auto report = report_of(
        action, action_state(outcome.failure, outcome.reply.status, action.http.expect_status),
        action_detail(action, outcome));
    report.exit_code = outcome.reply.status;
    report.output = to_valid_utf8(answer.text(), limits::kActionOutputBytesMax);
    report.output_dropped_bytes = answer.dropped();
    report.took = std::chrono::duration_cast<Duration>(clock_.steady() - flight.started);
    report_(std::move(report));
  }

  static std::string action_detail(const core::RunHttpAction& action, const Outcome& outcome) {
    if (outcome.failure == Failure::may_have_acted)
      return outcome.reply.error + "; the request was sent and may have taken effect";
    if (outcome.failure != Failure::none) return outcome.reply.error;
    std::string status = "HTTP " + std::to_string(outcome.reply.status);
    if (status_matches(outcome.reply.status, action.http.expect_status)) return status;
    return std::move(status) + ", expected " + join_words(action.http.expect_status, "or") +
           (outcome.reply.status / 100 == 3 ? "; redirects are not followed" : "");
  }

  [[nodiscard]] int sleep_ms() const {
    const Steady now = clock_.steady();
    Steady wake = now + kLongestSleep;
    for (const auto& [name, lane] : lanes_)
      if (!lane.is_sending && !lane.queue.empty()) wake = std::min(wake, lane.next_try);
    return static_cast<int>(
        std::chrono::ceil<std::chrono::milliseconds>(std::max(wake - now, Steady::duration{0}))
            .count());
  }

  const Clock& clock_;
  const SenderSettings settings_;
  const TransferSettings transfer_settings_;
  const Report report_;
  CURLM* const multi_;
  Rng rng_;
  std::map<ReceiverName, Lane> lanes_;
  std::map<CURL*, Flight> flights_;
  std::size_t actions_running_ = 0;
  std::mutex mutex_;
  std::deque<Task> inbox_;  // under mutex_
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // last: it uses the others
};

Result<std::unique_ptr<HttpSender>> HttpSender::start(const Clock& clock, SenderSettings settings,
                                                      Report report) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return make_error(Errc::internal, "libcurl cannot be set up");
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) return make_error(Errc::internal, "libcurl gave no handle: out of memory");
  return std::unique_ptr<HttpSender>(
      new HttpSender(std::make_unique<Loop>(clock, std::move(settings), std::move(report), multi)));
}

HttpSender::HttpSender(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
HttpSender::~HttpSender() = default;

void HttpSender::send(core::SendNotification notification) {
  loop_->add(std::move(notification));
}
void HttpSender::run(core::RunHttpAction action) {
  loop_->add(std::move(action));
}

}  // namespace firebreak::notify
