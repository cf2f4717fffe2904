// A configuration, a folder for its state, and the process.
#include "bench/coordinator_process.h"

#include <filesystem>
#include <vector>

namespace firebreak::bench {

namespace fs = std::filesystem;

CoordinatorProcess::CoordinatorProcess(Deployment& deployment, const pki::TlsFiles& tls,
                                       ServerKind kind)
    : address_("127.0.0.1:" + std::to_string(testing::free_port())) {
  static int number = 0;
  const std::string name = "run" + std::to_string(number++);
  state_ = deployment / name;
  deployment.make_folder(name);
  const std::string config = name + ".yaml";
  deployment.write(config, "listen: " + address_ + "\ntls: {certificate: " + tls.certificate +
                               ", key: " + tls.key + ", ca: " + tls.ca + "}\nstate: " + state_ +
                               "\npolicy: " + (deployment / "policy") + "\n");
  std::vector<std::string> command{FIREBREAK_COORDINATOR, "--config", deployment / config};
  if (kind == ServerKind::without_sync)
    command.insert(command.begin(), {"/usr/bin/env", "LD_PRELOAD=" FIREBREAK_NO_SYNC});
  if (kind == ServerKind::limit)
    command = {fs::read_symlink("/proc/self/exe").string(),
               "echo",
               address_,
               tls.certificate,
               tls.key,
               tls.ca};
  process_.start(command, deployment / (name + ".log"));
}

double CoordinatorProcess::disk_bytes() const {
  double bytes = 0;
  for (const auto& file : fs::directory_iterator(state_))
    if (file.is_regular_file()) bytes += static_cast<double>(file.file_size());
  return bytes;
}

}  // namespace firebreak::bench
