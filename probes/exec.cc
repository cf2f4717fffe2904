// One order to the keeper, one report back.
#include "probes/exec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "common/ids.h"
#include "common/limits.h"
#include "probes/checks.h"
#include "probes/plugin_output.h"
#include "probes/stream.h"

namespace firebreak::probes {
namespace {

using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

// Values under names that are valid, each once.
class Values {
 public:
  explicit Values(Attempt& attempt) : attempt_(attempt) {}
  // The name that it got.
  std::string add(const std::string& wanted, double value) {
    std::string name = wanted;
    for (int again = 2; std::find(names_.begin(), names_.end(), name) != names_.end(); ++again)
      name = wanted + "_" + std::to_string(again);
    attempt_.add_value(name, value);
    names_.push_back(name);
    return name;
  }

 private:
  Attempt& attempt_;
  std::vector<std::string> names_;
};

// The end of a range that says where it begins to alert.
void add_limit(Values& values, const std::string& name, const std::optional<Range>& range) {
  if (!range) return;
  if (std::isfinite(range->high)) {
    values.add(name, range->high);
  } else if (std::isfinite(range->low)) {
    values.add(name, range->low);
  }
}

// What was measured first, because values are capped.
void add_values(Attempt& attempt, const PluginOutput& output, int exit_code) {
  Values values(attempt);
  std::vector<std::string> names;
  names.reserve(output.perfdata.size());
  for (const Perfdata& item : output.perfdata)
    names.push_back(values.add(value_name(item.label), item.value));
  values.add("exit_code", exit_code);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Perfdata& item = output.perfdata[i];
    add_limit(values, names[i] + ".warning", item.warning);
    add_limit(values, names[i] + ".critical", item.critical);
    if (item.min) values.add(names[i] + ".min", *item.min);
    if (item.max) values.add(names[i] + ".max", *item.max);
  }
}

std::string evidence_of(const PluginOutput& output, const CheckReport& report) {
  std::string text(output.text);
  if (!output.more.empty()) {
    if (!text.empty()) text += '\n';
    text += output.more;
  }
  if (text.empty()) text = report.errors;
  // NUL has no place in any text that travels.
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (report.left_behind != 0) {
    std::string left = "[" + std::to_string(report.left_behind) +
                       (report.left_behind == 1 ? " process" : " processes") +
                       " left behind, ended] ";
    text.insert(0, left);
  }
  return text;
}

void judge_exit(Attempt& attempt, const CheckReport& report) {
  const PluginOutput output = parse_plugin_output(report.output);
  if (attempt.tracing() && output.perfdata_refused != 0)
    attempt.trace(std::to_string(output.perfdata_refused) + " items of performance data are none");
  add_values(attempt, output, report.code);
  const std::string evidence = evidence_of(output, report);
  switch (report.code) {
    case 0:
      return attempt.succeed(evidence);
    case 1:
      attempt.fail(Status::warning, Reason::status, evidence);
      return;
    case 2:
      attempt.critical(Reason::status, evidence);
      return;
    case 3:
      attempt.unknown(Reason::status, evidence);
      return;
    default:
      attempt.unknown(Reason::protocol, "exit code " + std::to_string(report.code) +
                                            ", which is none of a plugin: " + evidence);
  }
}

// Waits for the one message; false after fail().
Awaitable<bool> await_report(Attempt& attempt, Fd socket, CheckReport& report) {
  Descriptor descriptor(attempt.tools().io.get_executor(), socket.release());
  Attempt::AbortScope scope(attempt, [&descriptor] {
    boost::system::error_code ignored;
    descriptor.cancel(ignored);
  });
  co_await descriptor.async_wait(Descriptor::wait_read, as_data());
  if (attempt.is_over()) co_return attempt.fail_timeout("the check did not end");
  auto taken = take_report(descriptor.native_handle());
  if (!taken) co_return attempt.unknown(Reason::prober, "the check was lost: its keeper died");
  report = *std::move(taken);
  co_return true;
}

}  // namespace

void judge_report(Attempt& attempt, const CheckReport& report) {
  using End = CheckReport::End;
  switch (report.end) {
    case End::exited:
      return judge_exit(attempt, report);
    case End::signalled:
      attempt.unknown(Reason::protocol, std::string("ended by signal ") +
                                            std::to_string(report.code) + ", " +
                                            ::strsignal(report.code));
      return;
    case End::timed_out:
      attempt.critical(Reason::timeout,
                       "the check did not end within " + humanize_duration(attempt.elapsed()));
      return;
    case End::flooded:
      attempt.unknown(Reason::protocol, "printed more than " +
                                            std::to_string(limits::kCheckReadBytesMax >> 10) +
                                            " KiB and was ended: " + report.output.substr(0, 200));
      return;
    case End::not_started:
      attempt.unknown(Reason::config, report.why);
      return;
  }
}

Awaitable<void> probe_exec(Attempt& attempt, const ExecSpec& spec) {
  attempt.enter(Phase::query);
  Checks* checks = attempt.tools().checks.get();
  if (checks == nullptr) {
    attempt.unknown(Reason::config,
                    "this host allows no checks: checks_dir is not set in agent.yaml");
    co_return;
  }
  auto order = checks->order_of(spec);
  if (!order) {
    attempt.unknown(Reason::config, order.error().message);
    co_return;
  }
  const auto left = std::chrono::duration_cast<Duration>(attempt.deadline() - attempt.now());
  const Duration timeout = std::clamp(left, Duration{1}, order->timeout);
  auto socket = checks->keeper().run(order->invocation, timeout);
  if (!socket) {
    attempt.unknown(Reason::prober, socket.error().message);
    co_return;
  }
  CheckReport report;
  Fd taken = *std::move(socket);
  if (co_await await_report(attempt, std::move(taken), report)) judge_report(attempt, report);
}

}  // namespace firebreak::probes
