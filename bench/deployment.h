// An authority, certificates and agents for benchmarks, in a folder that is gone with the object.
#pragma once

#include <string>

#include "common/pki.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"

namespace firebreak::bench {

class Deployment {
 public:
  Deployment();

  // Certificate, key and authority; a coordinator's is for 127.0.0.1. Once per name.
  pki::TlsFiles issue(pki::Role role, const std::string& name);
  // Starts firebreak-agent in a new folder, labelled role=edge.
  void start_agent(testing::ServerProcess& process, const std::string& name,
                   const std::string& coordinator);
  // A file of the folder.
  [[nodiscard]] std::string operator/(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const;
  void make_folder(const std::string& name) const;

 private:
  testing::TempDir folder_;
};

}  // namespace firebreak::bench
