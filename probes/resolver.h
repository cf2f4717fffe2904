// Names to addresses on a bounded pool of threads, because getaddrinfo blocks for as long as a dead
// DNS server likes.
//
// A hung look-up holds one thread until the system gives up; look-ups of the same name share it, so
// one dead name never takes a second. Answers are not kept: what a name means is part of what is
// probed. All members belong to the io_context's thread; answers arrive there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

#include "probes/run.h"

namespace firebreak::probes {

using Addresses = std::vector<boost::asio::ip::address>;

// A numeric address, with or without a scope ("fe80::1%eth0"), is no look-up.
std::optional<boost::asio::ip::address> numeric_address(const std::string& host);

class Resolver {
 public:
  using Done = std::function<void(Result<Addresses>)>;
  using Ticket = std::uint64_t;

  Resolver(boost::asio::io_context& io, const ProberOptions& options);
  // Does not wait for hung look-ups: their threads end by themselves, their answers are dropped.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` is called later, never from in here, unless forgotten. An error when the queue is full.
  Result<Ticket> look_up(const std::string& host, Done done);
  // `done` of that look-up is not called any more. True when the look-up had not even begun: then
  // its slowness was ours, not the name server's.
  bool forget(Ticket ticket);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace firebreak::probes
