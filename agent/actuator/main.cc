// firebreak-actuator: the only part of firebreak that runs as root.
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <optional>

#include <CLI/CLI.hpp>

#include "agent/actuator/actions_file.h"
#include "agent/actuator/decide.h"
#include "agent/actuator/server.h"
#include "common/text.h"
#include "common/unix_listener.h"

namespace firebreak::actuator {
namespace {

constexpr uid_t kRoot = 0;

struct Flags {
  std::string actions_directory = "/etc/firebreak/actions.d";
  std::string state_directory = "/var/lib/firebreak/actuator";
  std::string socket;
  std::string allow_user = "firebreak";
  bool check = false;
};

int fail(const std::string& message) {
  const std::string line = "firebreak-actuator: " + escape_line(message) + '\n';
  std::fputs(line.c_str(), stderr);
  return 1;
}

struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
};

Result<Peer> find_user(const std::string& name) {
  uid_t uid = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, uid);
  const bool is_number = error == std::errc{} && stop == end;
  const passwd* user = is_number ? ::getpwuid(uid) : ::getpwnam(name.c_str());
  if (user == nullptr) {
    return make_error(Errc::not_found, "this host has no user '" + name +
                                           "'; --allow-user names the one the agent runs as");
  }
  return Peer{user->pw_uid, user->pw_gid};
}

// --check: what an owner runs after every change.
int check(const Flags& flags) {
  yaml::Problems problems;
  const ActionsFolder folder = read_actions(flags.actions_directory, kRoot, problems);
  std::fputs(problems.render().c_str(), stderr);
  for (const auto& [name, action] : folder.allowed) {
    std::string line = name + ':';
    if (const auto* unit = std::get_if<UnitCommand>(&action.what)) {
      line += " systemctl " + unit->verb + ' ' + unit->unit;
    } else {
      const auto& program = std::get<Program>(action.what);
      for (const std::string& argument : program.argv) line.append(" ").append(argument);
      if (!program.user.empty()) line += " (as " + program.user + ')';
    }
    std::puts(escape_line(line).c_str());
  }
  std::printf("%zu actions from %zu files\n", folder.allowed.size(),
              folder.files - folder.files_refused);
  return problems.ok() ? 0 : 1;
}

int serve(const Flags& flags) {
  const auto peer = find_user(flags.allow_user);
  if (!peer) return fail(peer.error().message);
  auto listener = flags.socket.empty() ? activated_listener()
                                       : make_unix_listener(flags.socket, 0660, peer->gid);
  if (!listener) return fail(listener.error().message);
  ServerOptions options;
  options.actions_directory = flags.actions_directory;
  options.actions_owner = kRoot;
  options.state_directory = flags.state_directory;
  options.peers = {kRoot, peer->uid};
  auto server = Server::open(std::move(options), *std::move(listener));
  if (!server) return fail(server.error().message);
  server->run();
  return 0;
}

// Otherwise a pipe or the journal could become what a program takes for its standard streams.
void open_standard_streams() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

int run(int argc, char** argv) {
  open_standard_streams();
  Flags flags;
  CLI::App app("Runs the actions that this host's owner allows, when the agent asks for one.",
               "firebreak-actuator");
  app.add_option("--actions-dir", flags.actions_directory, "what may run")->capture_default_str();
  app.add_option("--state-dir", flags.state_directory, "where the journal is")
      ->capture_default_str();
  app.add_option("--socket", flags.socket, "listen here instead of on systemd's socket");
  app.add_option("--allow-user", flags.allow_user, "who may give orders, besides root")
      ->capture_default_str();
  app.add_flag("--check", flags.check, "read the actions, say what is wrong, and exit");
  app.set_version_flag("--version", "firebreak-actuator " FIREBREAK_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return flags.check ? check(flags) : serve(flags);
}

}  // namespace
}  // namespace firebreak::actuator

int main(int argc, char** argv) {
  try {
    return firebreak::actuator::run(argc, argv);
  } catch (const std::exception& error) {
    return firebreak::actuator::fail(error.what());
  }
}
