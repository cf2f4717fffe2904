// Delivery in order, and what can go wrong with it.
#include "tests/sim/network.h"

namespace firebreak::sim {

Duration Network::delay() {
  return delay_ + Duration{static_cast<Duration::rep>(
                      rng_.below(static_cast<std::uint64_t>(spread_.count()) + 1))};
}

LinkId Network::open(HostId client, HostId server, Peer peer) {
  const LinkId id = ++last_;
  Link& link = links_[id];
  link.ends[index(Side::client)].host = client;
  link.ends[index(Side::client)].peer = std::move(peer);
  link.ends[index(Side::server)].host = server;
  return id;
}

void Network::send(LinkId id, Side from, std::string bytes) {
  const auto found = links_.find(id);
  if (found == links_.end() || found->second.is_cut) return;
  if (!found->second.ends[index(from)].peer) return;
  post(id, other(from), {{}, std::move(bytes), false});
}

void Network::post(LinkId id, Side to, Parcel parcel) {
  End& end = links_.at(id).ends[index(to)];
  end.last_due = parcel.due = std::max(end.last_due, timeline_.now() + delay());
  end.to_me.push_back(std::move(parcel));
  timeline_.at(end.last_due, [this, id, to] { deliver(id, to); });
}

// All that is due and may pass.
void Network::deliver(LinkId id, Side to) {
  for (;;) {
    const auto found = links_.find(id);
    if (found == links_.end()) return;
    Link& link = found->second;
    End& end = link.ends[index(to)];
    if (end.to_me.empty()) return forget_if_over(id);
    if (end.to_me.front().due > timeline_.now()) return;
    if (is_blocked(link.ends[index(other(to))].host, end.host)) return;
    Parcel parcel = std::move(end.to_me.front());
    end.to_me.pop_front();
    if (to == Side::server && !link.is_accepted && !parcel.is_end && !accept(id, link)) return;
    if (!end.peer) continue;
    if (parcel.is_end) {
      this->end(id, to, "the peer closed the connection");
      return;
    }
    const auto received = end.peer->received;
    received(std::move(parcel.bytes));
  }
}

bool Network::accept(LinkId id, Link& link) {
  link.is_accepted = true;
  const auto listener = listeners_.find(link.ends[index(Side::server)].host);
  std::optional<Peer> peer;
  if (listener != listeners_.end())
    peer = listener->second(id, link.ends[index(Side::client)].host);
  if (peer) {
    link.ends[index(Side::server)].peer = std::move(peer);
    return true;
  }
  link.ends[index(Side::server)].to_me.clear();
  post(id, Side::client, {{}, {}, true});
  return false;
}

void Network::close(LinkId id, Side side) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  End& end = found->second.ends[index(side)];
  if (!end.peer) return;
  end.peer.reset();
  end.to_me.clear();
  if (side == Side::server || found->second.is_accepted || !end.to_me.empty() ||
      !found->second.ends[index(Side::server)].to_me.empty())
    post(id, other(side), {{}, {}, true});
  forget_if_over(id);
}

void Network::end(LinkId id, Side side, const std::string& reason) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  End& end = found->second.ends[index(side)];
  if (!end.peer) return;
  const auto ended = std::move(end.peer->ended);
  end.peer.reset();
  end.to_me.clear();
  forget_if_over(id);
  ended(reason);
}

void Network::forget_if_over(LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const End& client = found->second.ends[index(Side::client)];
  const End& server = found->second.ends[index(Side::server)];
  if (client.peer || server.peer) return;
  // A client that gave up before anybody accepted may still be under way.
  if (!found->second.is_accepted && !server.to_me.empty()) return;
  links_.erase(found);
}

void Network::drop_host(HostId host, bool silent) {
  listeners_.erase(host);
  std::vector<std::pair<LinkId, Side>> mine;
  for (const auto& [id, link] : links_)
    for (const Side side : {Side::client, Side::server})
      if (link.ends[index(side)].host == host && link.ends[index(side)].peer)
        mine.emplace_back(id, side);
  for (const auto& [id, side] : mine) {
    if (!silent) {
      close(id, side);
      continue;
    }
    const auto found = links_.find(id);
    if (found == links_.end()) continue;
    found->second.ends[index(side)].peer.reset();
    found->second.ends[index(side)].to_me.clear();
    found->second.ends[index(other(side))].to_me.clear();
    forget_if_over(id);
  }
}

void Network::unblock(HostId from, HostId to) {
  if (blocked_.erase({from, to}) == 0) return;
  for (const auto& [id, link] : links_)
    for (const Side side : {Side::client, Side::server})
      if (!link.ends[index(side)].to_me.empty())
        timeline_.after(Duration{0}, [this, id = id, side] { deliver(id, side); });
}

void Network::unblock_all() {
  const auto blocked = blocked_;
  for (const auto& [from, to] : blocked) unblock(from, to);
}

std::size_t Network::reset(HostId host, bool half) {
  std::vector<LinkId> broken;
  for (const auto& [id, link] : links_)
    for (const End& end : link.ends)
      if (end.host == host) {
        broken.push_back(id);
        break;
      }
  for (const LinkId id : broken) {
    const auto found = links_.find(id);
    if (found == links_.end()) continue;
    found->second.is_cut = true;
    for (End& end : found->second.ends) end.to_me.clear();
    timeline_.after(delay(), [this, id] { end(id, Side::client, "connection reset"); });
    if (!half) timeline_.after(delay(), [this, id] { end(id, Side::server, "connection reset"); });
  }
  return broken.size();
}

}  // namespace firebreak::sim
