// Issuing, configuring, starting.
#include "bench/deployment.h"

#include <sys/stat.h>

#include <fstream>
#include <stdexcept>

#include "common/clock.h"

namespace firebreak::bench {

Deployment::Deployment() {
  if (const auto made = pki::init_ca(folder_.path(), "bench", SystemClock().wall()); !made)
    throw std::runtime_error(made.error().message);
}

pki::TlsFiles Deployment::issue(pki::Role role, const std::string& name) {
  pki::IssueRequest request{role, name, {}, 1};
  if (role == pki::Role::coordinator) request.hosts = {"127.0.0.1"};
  const auto issued = pki::issue(folder_.path(), request, SystemClock().wall());
  if (!issued) throw std::runtime_error(issued.error().message);
  return {issued->certificate, issued->key, folder_ / "ca.crt"};
}

void Deployment::start_agent(testing::ServerProcess& process, const std::string& name,
                             const std::string& coordinator) {
  const pki::TlsFiles tls = issue(pki::Role::agent, name);
  make_folder(name + ".state");
  write(name + ".yaml", "coordinators: [" + coordinator +
                            "]\ntls: {certificate: " + tls.certificate + ", key: " + tls.key +
                            ", ca: " + tls.ca + "}\nstate: " + (folder_ / (name + ".state")) +
                            "\nlabels: {role: edge}\n");
  process.start({FIREBREAK_AGENT, "--config", folder_ / (name + ".yaml")},
                folder_ / (name + ".log"));
}

void Deployment::write(const std::string& name, const std::string& text) const {
  std::ofstream file(folder_ / name, std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + (folder_ / name));
}

void Deployment::make_folder(const std::string& name) const {
  if (::mkdir((folder_ / name).c_str(), 0700) != 0)
    throw std::runtime_error("cannot make " + (folder_ / name));
}

}  // namespace firebreak::bench
