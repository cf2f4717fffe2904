// From a file's entry to what is run.
#include "probes/checks.h"

#include "common/limits.h"
#include "common/text.h"

namespace firebreak::probes {
namespace {

const programs::FolderWords& folder_words() {
  static const programs::FolderWords kWords{"check", "checks", "so this host allows no check",
                                            "the agent", limits::kChecksPerHostMax};
  return kWords;
}

Check read_check(const yaml::Entry& entry, uid_t owner, yaml::Problems& problems) {
  Check check;
  yaml::MapReader reader(entry.value, "check '" + entry.key.text() + "'", problems);
  if (entry.value.kind() != yaml::Kind::map) return check;
  programs::ProgramReader program(reader, folder_words(), owner, problems);
  program.read_parameters();
  if (const yaml::Node exec = reader.required("exec")) check.program = program.read_program(exec);
  check.timeout =
      reader.required("timeout")
          .as_duration(problems, std::chrono::milliseconds(100), limits::kProbeTimeoutMax)
          .value_or(Duration{});
  program.report_unused();
  check.parameters = program.parameters();
  return check;
}

}  // namespace

ChecksFolder read_checks(const std::string& path, uid_t owner, yaml::Problems& problems) {
  return programs::read_folder<Check>(
      path, owner, folder_words(), problems,
      [&](const yaml::Entry& entry) { return read_check(entry, owner, problems); });
}

Result<Checks::Order> Checks::order_of(const ExecSpec& spec) const {
  const auto found = folder_.allowed.find(spec.check);
  if (found == folder_.allowed.end()) {
    std::string why = "this host has no check '" + escape_line(spec.check, 64) + "'";
    if (folder_.files_refused != 0) {
      why += "; " + std::to_string(folder_.files_refused) +
             " of its files of checks have mistakes and count for nothing: run firebreak-agent "
             "--check there";
    }
    return make_error(Errc::not_found, why);
  }
  const Check& check = found->second;
  if (auto problem =
          programs::values_problem("check '" + spec.check + "'", check.parameters, spec.parameters))
    return make_error(Errc::invalid_argument, *std::move(problem));
  std::vector<std::string> argv = check.program.argv;
  programs::fill_in(argv, spec.parameters);
  return Order{
      programs::make_invocation(check.program, std::move(argv), {{"FIREBREAK_CHECK", spec.check}}),
      check.timeout};
}

Result<std::shared_ptr<Checks>> open_checks(const std::string& path, uid_t owner,
                                            yaml::Problems& problems) {
  ChecksFolder folder = read_checks(path, owner, problems);
  auto keeper = CheckKeeper::start();
  if (!keeper) return keeper.error();
  return std::make_shared<Checks>(std::move(folder), *std::move(keeper));
}

}  // namespace firebreak::probes
