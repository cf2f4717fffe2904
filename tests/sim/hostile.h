// A compromised agent: it has a certificate of its own and says whatever it likes.
#pragma once

#include <optional>
#include <string>

#include "tests/sim/world.h"

namespace firebreak::sim {

class Mallory {
 public:
  Mallory(World& world, HostId host) : world_(world), host_(host) {}
  void start();
  void stop();

 private:
  void dial();
  void misbehave();
  void send(const std::string& bytes);
  [[nodiscard]] std::string something();

  World& world_;
  HostId host_;
  std::optional<LinkId> link_;
  std::string last_;  // what it sent before, to be sent again
  std::uint64_t incarnation_ = 1;
  std::uint64_t seq_ = 0;
  bool is_active_ = false;
};

}  // namespace firebreak::sim
