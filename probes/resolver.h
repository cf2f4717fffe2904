// Names to addresses on a bounded pool of threads, because getaddrinfo blocks for as long as a dead
// DNS server likes. It is getaddrinfo all the same and not c-ares, which knows DNS and the hosts
// file only: what the host's other programs make of a name (nsswitch.conf) is what they connect to.
//
// A hung look-up holds one thread until the system gives up; look-ups of the same name share it, so
// one dead name never takes a second. Addresses are kept for a few seconds by whoever asked
// (keep()), failures are not: what a name means is part of what is probed, so a probe that fails
// drops the name and the next one looks it up anew. All members belong to the io_context's thread;
// answers arrive there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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

  using TimePoint = std::chrono::steady_clock::time_point;
  // For limits::kNameKeptFor. getaddrinfo tells no TTL, so this is less than any usual one.
  void keep(const std::string& host, Addresses addresses, TimePoint now);
  // Valid until the next call; nullptr: look it up.
  [[nodiscard]] const Addresses* kept(const std::string& host, TimePoint now) const;
  void drop(const std::string& host) { kept_.erase(host); }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  struct Kept {
    Addresses addresses;
    TimePoint until;
  };
  std::map<std::string, Kept> kept_;
};

}  // namespace firebreak::probes
