// One connection of sd-bus, driven by the event loop; the questions are sent together.
#include "probes/systemd.h"

#include <fcntl.h>
#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "common/limits.h"
#include "probes/stream.h"

namespace firebreak::probes {
namespace {

using BusDescriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, CloseBus>;

struct FreeSlot {
  void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
};
using Slot = std::unique_ptr<sd_bus_slot, FreeSlot>;

constexpr const char* kUnitInterface = "org.freedesktop.systemd1.Unit";
constexpr const char* kServiceInterface = "org.freedesktop.systemd1.Service";

// One property of a unit, and where its value goes.
struct Question {
  const char* interface = nullptr;
  const char* property = nullptr;
  std::string* text = nullptr;
  std::optional<std::uint32_t>* number = nullptr;
  bool answered = false;
  std::string error{};  // "org.freedesktop.DBus.Error.ServiceUnknown: why"
  Slot slot{};
};

void take_value(sd_bus_message* reply, Question& question) {
  int read = 0;
  if (question.text != nullptr) {
    const char* text = nullptr;
    read = sd_bus_message_enter_container(reply, 'v', "s");
    if (read > 0) read = sd_bus_message_read_basic(reply, 's', &text);
    if (read > 0) question.text->assign(text, ::strnlen(text, limits::kTextBytesMax));
  } else {
    std::uint32_t number = 0;
    read = sd_bus_message_enter_container(reply, 'v', "u");
    if (read > 0) read = sd_bus_message_read_basic(reply, 'u', &number);
    if (read > 0) *question.number = number;
  }
  if (read <= 0) question.error = "firebreak.Protocol: an answer of another type";
}

extern "C" int on_answer(sd_bus_message* reply, void* userdata, sd_bus_error* /*error*/) {
  auto& question = *static_cast<Question*>(userdata);
  question.answered = true;
  if (const sd_bus_error* error = sd_bus_message_get_error(reply); error != nullptr) {
    question.error = error->name;
    if (error->message != nullptr) question.error.append(": ").append(error->message);
  } else {
    take_value(reply, question);
  }
  return 0;
}

// "Input/output error", from a negative errno as sd-bus returns it.
std::string text_of(int negative) {
  return std::generic_category().message(-negative);
}

Result<Bus> open_bus(const std::string& address) {
  sd_bus* made = nullptr;
  int failed = 0;
  if (address.empty()) {
    failed = sd_bus_open_system(&made);
    if (failed < 0) return make_error(Errc::unavailable, text_of(failed));
    return Bus(made);
  }
  failed = sd_bus_new(&made);
  if (failed < 0) return make_error(Errc::unavailable, text_of(failed));
  Bus bus(made);
  failed = sd_bus_set_address(made, address.c_str());
  if (failed >= 0) failed = sd_bus_set_bus_client(made, 1);
  if (failed >= 0) failed = sd_bus_start(made);
  if (failed < 0) return make_error(Errc::unavailable, text_of(failed));
  return bus;
}

// Waits for the bus as it wants to be waited for. False after fail().
Awaitable<bool> wait_for_bus(Attempt& attempt, BusDescriptor& descriptor, int events) {
  const Attempt::AbortScope scope(attempt, [&descriptor] {
    boost::system::error_code ignored;
    descriptor.cancel(ignored);
  });
  const auto what = (events & POLLOUT) != 0 ? BusDescriptor::wait_write : BusDescriptor::wait_read;
  const auto [error] = co_await descriptor.async_wait(what, as_data());
  if (attempt.is_over()) co_return attempt.fail_timeout("no answer of systemd");
  if (error) co_return attempt.unknown(Reason::prober, "D-Bus: " + error.message());
  co_return true;
}

// Lets sd-bus work until every question has its answer. False after fail().
Awaitable<bool> drive(Attempt& attempt, sd_bus* bus, std::vector<Question>& questions) {
  const int copy = ::fcntl(sd_bus_get_fd(bus), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) co_return attempt.unknown(Reason::prober, "no file descriptor for D-Bus");
  BusDescriptor descriptor(attempt.tools().io.get_executor(), copy);
  const auto waits = [](const Question& question) { return !question.answered; };
  while (std::any_of(questions.begin(), questions.end(), waits)) {
    const int worked = sd_bus_process(bus, nullptr);
    if (worked < 0) co_return attempt.unknown(Reason::unreachable, "D-Bus: " + text_of(worked));
    if (attempt.is_over()) co_return attempt.fail_timeout("no answer of systemd");
    // Before what is still to be processed: it may be the last answer.
    if (attempt.phase() == Phase::connect && sd_bus_is_ready(bus) > 0) attempt.enter(Phase::query);
    if (worked > 0) {
      // One message at a time: a bus that never stops talking must not keep timers from running.
      co_await boost::asio::post(attempt.tools().io.get_executor(), as_data());
      continue;
    }
    const int events = sd_bus_get_events(bus);
    if (events < 0) co_return attempt.unknown(Reason::unreachable, "D-Bus: " + text_of(events));
    if (!co_await wait_for_bus(attempt, descriptor, events)) co_return false;
  }
  co_return true;
}

bool ask(sd_bus* bus, const std::string& path, Question& question) {
  sd_bus_slot* slot = nullptr;
  const int failed = sd_bus_call_method_async(
      bus, &slot, "org.freedesktop.systemd1", path.c_str(), "org.freedesktop.DBus.Properties",
      "Get", on_answer, &question, "ss", question.interface, question.property);
  question.slot.reset(slot);
  return failed >= 0;
}

std::vector<Question> questions_about(const SystemdSpec& spec, UnitState& state) {
  std::vector<Question> questions;
  questions.reserve(5);
  questions.push_back({kUnitInterface, "LoadState", &state.load});
  questions.push_back({kUnitInterface, "ActiveState", &state.active});
  questions.push_back({kUnitInterface, "SubState", &state.sub});
  if (!spec.unit.ends_with(".service")) return questions;
  questions.push_back({kServiceInterface, "Result", &state.result});
  questions.push_back({kServiceInterface, "NRestarts", nullptr, &state.restarts});
  return questions;
}

std::string path_of(const std::string& unit) {
  char* path = nullptr;
  std::string text;
  if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path) >= 0) text = path;
  std::free(path);
  return text;
}

// What an error of the bus means, by its name.
bool fail_answer(Attempt& attempt, const SystemdSpec& spec, const std::string& error) {
  constexpr std::string_view kErrors = "org.freedesktop.DBus.Error.";
  const auto is = [&](std::string_view name) {
    return error.starts_with(std::string(kErrors).append(name));
  };
  if (is("UnknownObject") || error.find(".NoSuchUnit") != std::string::npos)
    return attempt.critical(Reason::missing, "no unit " + spec.unit + ": " + error);
  if (is("ServiceUnknown") || is("NameHasNoOwner"))
    return attempt.unknown(Reason::unreachable, "systemd is not on this bus: " + error);
  if (is("NoReply") || is("Disconnected"))
    return attempt.unknown(Reason::unreachable, "the bus has hung up: " + error);
  if (is("AccessDenied")) return attempt.unknown(Reason::auth, error);
  return attempt.unknown(Reason::protocol, error);
}

}  // namespace

void judge_unit(Attempt& attempt, const SystemdSpec& spec, const UnitState& state) {
  const auto among = [](const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  std::string text = state.active + " (" + state.sub + ")";
  if (!state.result.empty() && state.result != "success") text += ", result " + state.result;
  const bool good = among(spec.states, state.active) &&
                    (spec.sub_states.empty() || among(spec.sub_states, state.sub));
  const double restarts = state.restarts.value_or(0);
  if (state.restarts) attempt.add_value("restarts", restarts);
  attempt.add_value("active", good ? 1 : 0);
  const std::string restarted = text + ", restarted " + format_number(restarts) + " times";
  const bool changes =
      state.active == "activating" || state.active == "deactivating" || state.active == "reloading";
  if (state.load == "not-found") {
    attempt.critical(Reason::missing, "there is no unit " + spec.unit);
  } else if (state.load != "loaded") {
    attempt.critical(Reason::status, "load state " + state.load + ", " + text);
  } else if (!good) {
    attempt.fail(changes ? Status::warning : Status::critical, Reason::status, text);
  } else if (spec.critical && spec.critical->alerts(restarts)) {
    attempt.critical(Reason::threshold, restarted + ", limit " + to_string(*spec.critical));
  } else if (spec.warning && spec.warning->alerts(restarts)) {
    attempt.fail(Status::warning, Reason::threshold,
                 restarted + ", limit " + to_string(*spec.warning));
  } else {
    attempt.succeed(text);
  }
}

Awaitable<void> probe_systemd(Attempt& attempt, const SystemdSpec& spec) {
  attempt.enter(Phase::connect);
  const std::string path = path_of(spec.unit);
  UnitState state;
  std::vector<Question> questions = questions_about(spec, state);
  auto bus = open_bus(attempt.tools().system_bus);
  if (!bus) {
    attempt.unknown(Reason::unreachable, "the system's D-Bus: " + bus.error().message);
    co_return;
  }
  for (Question& question : questions) {
    if (ask(bus->get(), path, question)) continue;
    attempt.unknown(Reason::unreachable, "D-Bus takes no question");
    co_return;
  }
  if (!co_await drive(attempt, bus->get(), questions)) co_return;
  for (const Question& question : questions) {
    if (question.error.empty()) continue;
    fail_answer(attempt, spec, question.error);
    co_return;
  }
  judge_unit(attempt, spec, state);
}

}  // namespace firebreak::probes
