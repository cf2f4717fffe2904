// One action from fork to outcome.
#include "agent/actuator/keeper.h"

#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstring>
#include <utility>

#include "agent/actuator/capture.h"
#include "agent/actuator/wire.h"
#include "common/clock.h"
#include "common/limits.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
constexpr int kCannotStart = 127;
constexpr auto kKillWait = 10s;  // a process inside the kernel may not die; say so then

std::string how_it_was_ended(const Launch& launch, std::size_t survivors) {
  std::string text = "ended with everything it had started after its time-out of " +
                     format_duration(launch.timeout);
  if (survivors != 0)
    text += "; " + std::to_string(survivors) + " processes did not die of SIGKILL";
  return text;
}

Outcome outcome_of(const programs::Keep& keep, const Capture& capture) {
  Outcome outcome;
  outcome.output = capture.text();
  outcome.output_dropped_bytes = capture.dropped_bytes();
  const std::optional<int>& status = keep.status();
  if (status && WIFEXITED(*status)) outcome.exit_code = WEXITSTATUS(*status);
  if (status && WIFSIGNALED(*status)) {
    outcome.exit_code = 128 + WTERMSIG(*status);  // as a shell reports it
    outcome.detail = std::string("ended by signal ") + ::strsignal(WTERMSIG(*status));
  }
  outcome.state = outcome.exit_code == 0 ? State::succeeded : State::failed;
  if (std::string failure = keep.failure(); !failure.empty()) outcome.detail = std::move(failure);
  return outcome;
}

Outcome not_started(std::string why, int exit_code) {
  Outcome outcome;
  outcome.state = State::failed;
  outcome.exit_code = exit_code;
  outcome.detail = std::move(why);
  return outcome;
}

// One action from fork to outcome.
Outcome run(const Launch& launch) {
  const SystemClock clock;
  const auto started = clock.steady();
  Capture capture;
  programs::Keep keep([&capture](programs::Keep::Source, std::string_view bytes) {
    capture.add(bytes);
    return true;
  });
  if (auto begun = keep.start(launch.invocation); !begun)
    return not_started(begun.error().message, kCannotStart);
  const bool timed_out = keep.wait_ended(started + launch.timeout) != programs::Keep::Waited::ended;
  std::size_t survivors = 0;
  if (timed_out) {
    keep.terminate();
    if (!keep.wait_empty(clock.steady() + limits::kActionKillGrace) &&
        !keep.kill_all(clock.steady() + kKillWait))
      survivors = keep.survivors();
  }
  keep.drain();
  Outcome outcome = outcome_of(keep, capture);
  outcome.took = std::chrono::duration_cast<Duration>(clock.steady() - started);
  if (timed_out) {
    outcome.state = State::timed_out;
    outcome.detail = how_it_was_ended(launch, survivors);
  }
  return outcome;
}

}  // namespace

Launch make_launch(const ActionId& id, const Action& action, std::vector<std::string> argv) {
  const auto* program = std::get_if<Program>(&action.what);
  return {id,
          programs::make_invocation(
              program != nullptr ? *program : Program{}, std::move(argv),
              {{"FIREBREAK_ACTION", action.name}, {"FIREBREAK_ACTION_ID", id.str()}}),
          action.timeout};
}

Result<Keeper> start_keeper(const Launch& launch) {
  auto report = programs::make_pipe();
  if (!report) return report.error();
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(Errc::resource_exhausted, "cannot fork");
  if (pid == 0) {
    const int fd = report->write.get();
    // Above all not the journal's lock and the socket stay open.
    const auto ready = programs::become_keeper("firebreak-keep", fd);
    Outcome outcome = ready ? run(launch) : not_started(ready.error().message, 0);
    outcome.id = launch.id;
    programs::write_whole(fd, encode_outcome(outcome));
    ::_exit(0);
  }
  Keeper keeper;
  keeper.pid = pid;
  keeper.report = std::move(report->read);
  return keeper;
}

}  // namespace firebreak::actuator
