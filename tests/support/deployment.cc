// Lays a deployment out in a folder and runs its programs.
#include "tests/support/deployment.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

#include <boost/json/parse.hpp>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/support/files.h"

namespace firebreak::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr auto kLookEvery = std::chrono::milliseconds(50);

// Another version's program, when the environment names one (scripts/skew); else our own.
std::string program(const char* variable, const char* own) {
  const char* other = std::getenv(variable);
  return other == nullptr ? own : other;
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& command) {
  const TempDir folder;
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string out = folder / "out";
  const std::string err = folder / "err";
  posix_spawn_file_actions_t files{};
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0600);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error("cannot run " + command[0]);
  int status = 0;
  if (::waitpid(pid, &status, 0) < 0) throw std::runtime_error("cannot wait for " + command[0]);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_file(out),
          read_file(err)};
}

std::string text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->as_string());
}

Deployment::Deployment(Options options) : options_(std::move(options)), port_(free_port()) {
  make_certificates();
  std::filesystem::create_directory(folder_ / "policy");
  write("policy/policy.yaml", options_.policy);
  std::filesystem::create_directory(folder_ / "coordinator");
  write("coordinator.yaml", "listen: " + address() + "\ntls: {certificate: " + folder() +
                                "/pki/coordinators/ops.crt, key: " + folder() +
                                "/pki/coordinators/ops.key, ca: " + folder() +
                                "/pki/ca.crt}\npolicy: " + folder() +
                                "/policy\nstate: " + folder() + "/coordinator\n");
  start_coordinator();
  for (const std::string& agent : options_.agents) {
    std::filesystem::create_directory(folder_ / agent);
    write(agent + ".yaml", "coordinators: [" + address() + "]\ntls: {certificate: " + folder() +
                               "/pki/agents/" + agent + ".crt, key: " + folder() + "/pki/agents/" +
                               agent + ".key, ca: " + folder() +
                               "/pki/ca.crt}\nlabels: {role: edge}\nstate: " + folder() + "/" +
                               agent + "\nactuator: " + folder() + "/" + agent + ".sock\n");
    if (!options_.actions.empty()) start_actuator(agent);
    start_agent(agent);
  }
}

void Deployment::make_certificates() {
  const WallTime now = SystemClock().wall();
  const std::string pki_folder = folder_ / "pki";
  must(pki::init_ca(pki_folder, "test", now));
  must(pki::issue(pki_folder, {pki::Role::coordinator, "ops", {"127.0.0.1"}, 30}, now));
  must(pki::issue(pki_folder, {pki::Role::operator_, "alice", {}, 30}, now));
  for (const std::string& agent : options_.agents)
    must(pki::issue(pki_folder, {pki::Role::agent, agent, {}, 30}, now));
}

void Deployment::write(const std::string& name, const std::string& text) const {
  write_file(folder_ / name, text);
}

void Deployment::start_coordinator() {
  coordinator_.start({program("FIREBREAK_TEST_COORDINATOR", FIREBREAK_COORDINATOR), "--config",
                      folder_ / "coordinator.yaml"},
                     folder_ / "coordinator.log");
  if (!await([this] {
        if (coordinator_.has_ended()) throw std::runtime_error("the coordinator ended:\n" + logs());
        return firebreak({"status"}).exit_code == 0;
      }))
    throw std::runtime_error("the coordinator does not answer:\n" + logs());
}

void Deployment::start_actuator(const std::string& agent) {
  const std::string actions = folder_ / (agent + ".actions");
  const std::string state = folder_ / (agent + ".actuator");
  std::filesystem::create_directory(actions);
  std::filesystem::create_directory(state);
  ::chmod(state.c_str(), 0700);
  write(agent + ".actions/test.yaml", options_.actions);
  actuators_[agent] = std::make_unique<ServerProcess>();
  actuators_[agent]->start(
      {program("FIREBREAK_TEST_ACTUATOR", FIREBREAK_ACTUATOR), "--actions-dir", actions,
       "--state-dir", state, "--socket", folder_ / (agent + ".sock"), "--allow-user", "root"},
      folder_ / (agent + ".actuator.log"));
}

void Deployment::start_agent(const std::string& name) {
  auto& agent = agents_[name];
  if (!agent) agent = std::make_unique<ServerProcess>();
  agent->start(
      {program("FIREBREAK_TEST_AGENT", FIREBREAK_AGENT), "--config", folder_ / (name + ".yaml")},
      folder_ / (name + ".log"));
}

CommandResult Deployment::firebreak(std::vector<std::string> arguments) const {
  return firebreak_as(folder_ / "pki/operators/alice.crt", folder_ / "pki/operators/alice.key",
                      std::move(arguments));
}

CommandResult Deployment::firebreak_as(const std::string& certificate, const std::string& key,
                                       std::vector<std::string> arguments) const {
  std::vector<std::string> command{
      FIREBREAK_CLI, "--coordinator", address(), "--ca", folder_ / "pki/ca.crt",
      "--cert",      certificate,     "--key",   key};
  command.insert(command.end(), std::make_move_iterator(arguments.begin()),
                 std::make_move_iterator(arguments.end()));
  return run_command(command);
}

boost::json::value Deployment::ask(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"--output", "json"});
  const CommandResult result = firebreak(std::move(arguments));
  boost::system::error_code failed;
  boost::json::value value = boost::json::parse(result.output, failed);
  return failed ? boost::json::value() : value;
}

bool Deployment::await(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(kLookEvery);
  }
  return true;
}

boost::json::value Deployment::await_incident(
    const std::function<bool(const boost::json::object&)>& fits, bool resolved) const {
  boost::json::value found;
  std::vector<std::string> question{"incidents"};
  if (resolved) question.emplace_back("--all");
  static_cast<void>(await([&] {
    const boost::json::value answer = ask(question);
    if (!answer.is_object()) return false;
    const auto* list = answer.as_object().if_contains("incidents");
    if (list == nullptr) return false;
    for (const boost::json::value& incident : list->as_array())
      if (fits(incident.as_object())) found = incident;
    return !found.is_null();
  }));
  return found;
}

bool Deployment::await_calm() const {
  return await([this] {
    const boost::json::value answer = ask({"services"});
    if (!answer.is_object()) return false;
    const boost::json::array& services = answer.at("services").as_array();
    for (const boost::json::value& service : services)
      for (const boost::json::value& probe : service.at("probes").as_array()) {
        if (text_of(probe.as_object(), "status") != "STATUS_OK") return false;
        std::size_t seeing = 0;
        for (const boost::json::value& vantage : probe.at("vantages").as_array())
          if (text_of(vantage.as_object(), "status") == "STATUS_OK") ++seeing;
        if (seeing != options_.agents.size()) return false;
      }
    return !services.empty();
  });
}

std::string Deployment::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

std::string Deployment::logs() const {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder()))
    if (entry.path().extension() == ".log")
      all += "--- " + entry.path().filename().string() + "\n" + read_file(entry.path());
  return all;
}

}  // namespace firebreak::testing
