// A whole firebreak of real programs on this host: coordinator, agents, actuators, and the command
// line to ask them.
//
// Everything lives in one temporary folder, on free ports of 127.0.0.1, and is gone with the
// object. Errors of set-up are std::runtime_error. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"

namespace firebreak::testing {

struct CommandResult {
  int exit_code = -1;
  std::string output;  // standard output
  std::string errors;  // standard error
};

// Runs a program to its end.
CommandResult run_command(const std::vector<std::string>& command);

class Deployment {
 public:
  struct Options {
    std::string policy;
    std::vector<std::string> agents = {"edge-1", "edge-2"};
    std::string actions;  // what each host allows; empty: no actuator runs
  };
  // Makes certificates and configuration, and starts everything.
  explicit Deployment(Options options);

  void start_coordinator();  // returns when it answers
  void kill_coordinator() { coordinator_.kill(); }
  void stop_coordinator() { coordinator_.stop(15); }
  void start_agent(const std::string& name);
  void kill_agent(const std::string& name) { agents_.at(name)->kill(); }

  // `firebreak ARGUMENTS` as the operator alice, or with somebody else's certificate.
  [[nodiscard]] CommandResult firebreak(std::vector<std::string> arguments) const;
  [[nodiscard]] CommandResult firebreak_as(const std::string& certificate, const std::string& key,
                                           std::vector<std::string> arguments) const;
  // What `firebreak ARGUMENTS --output json` printed; null when it failed.
  [[nodiscard]] boost::json::value ask(std::vector<std::string> arguments) const;

  // Looks again and again until `done` says so. False after a minute: only a broken test waits
  // that long.
  [[nodiscard]] static bool await(const std::function<bool()>& done);
  // The first open incident that `fits`, or, with `resolved`, any; null when none came.
  [[nodiscard]] boost::json::value await_incident(
      const std::function<bool(const boost::json::object&)>& fits, bool resolved = false) const;
  // Every probe of every service is ok, seen by all agents.
  [[nodiscard]] bool await_calm() const;

  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  [[nodiscard]] std::string address() const;
  // What the programs logged, for a failing test's message.
  [[nodiscard]] std::string logs() const;

 private:
  void make_certificates();
  void write(const std::string& name, const std::string& text) const;
  void start_actuator(const std::string& agent);

  TempDir folder_;
  Options options_;
  std::uint16_t port_ = 0;
  ServerProcess coordinator_;
  std::map<std::string, std::unique_ptr<ServerProcess>> agents_;
  std::map<std::string, std::unique_ptr<ServerProcess>> actuators_;
};

// A member of an object as text, "" when there is none.
std::string text_of(const boost::json::object& object, std::string_view name);

}  // namespace firebreak::testing
