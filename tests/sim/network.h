// Simulated TCP: bytes of one connection arrive once and in order, or not at all; everything else
// can happen. Hosts are numbers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/rng.h"
#include "tests/sim/timeline.h"

namespace firebreak::sim {

using HostId = int;
using LinkId = std::uint64_t;
enum class Side : std::uint8_t { client = 0, server = 1 };

// Who holds one end. Called for as long as that end is open.
struct Peer {
  std::function<void(std::string bytes)> received;
  std::function<void(std::string reason)> ended;  // once, and the last
};

class Network {
 public:
  Network(Timeline& timeline, Rng rng) : timeline_(timeline), rng_(rng) {}

  // nullopt: nobody listens, or it does not want this client.
  using Accept = std::function<std::optional<Peer>(LinkId link, HostId client)>;
  void listen(HostId host, Accept accept) { listeners_[host] = std::move(accept); }
  void deafen(HostId host) { listeners_.erase(host); }

  LinkId open(HostId client, HostId server, Peer peer);
  void send(LinkId link, Side from, std::string bytes);
  // This end is closed, in order behind what was sent; the other one hears of it.
  void close(LinkId link, Side side);
  // Every end on this host is gone at once. Silent: the other ends hear nothing (power cut).
  void drop_host(HostId host, bool silent);

  // --- Faults ---
  void set_delay(Duration least, Duration spread) {
    delay_ = least;
    spread_ = spread;
  }
  // Nothing passes in this direction; what was sent waits, as TCP would send it again.
  void block(HostId from, HostId to) { blocked_.insert({from, to}); }
  void unblock(HostId from, HostId to);
  void unblock_all();
  [[nodiscard]] bool is_blocked(HostId from, HostId to) const {
    return blocked_.contains({from, to});
  }
  // Breaks every connection of the host; what is under way is lost. Half: only the client hears.
  std::size_t reset(HostId host, bool half);

 private:
  struct Parcel {
    Instant due;
    std::string bytes;
    bool is_end = false;
  };
  struct End {
    HostId host = 0;
    std::optional<Peer> peer;  // nullopt: closed
    std::deque<Parcel> to_me;
    Instant last_due{};
  };
  struct Link {
    End ends[2];
    bool is_accepted = false;
    bool is_cut = false;  // nothing passes any more, whoever knows
  };
  static std::size_t index(Side side) { return static_cast<std::size_t>(side); }
  static Side other(Side side) { return side == Side::client ? Side::server : Side::client; }
  Duration delay();
  void post(LinkId id, Side to, Parcel parcel);
  void deliver(LinkId id, Side to);
  bool accept(LinkId id, Link& link);
  void end(LinkId id, Side side, const std::string& reason);
  void forget_if_over(LinkId id);

  Timeline& timeline_;
  Rng rng_;
  std::map<HostId, Accept> listeners_;
  std::map<LinkId, Link> links_;
  std::set<std::pair<HostId, HostId>> blocked_;
  LinkId last_ = 0;
  Duration delay_ = std::chrono::microseconds(200);
  Duration spread_ = std::chrono::milliseconds(2);
};

}  // namespace firebreak::sim
