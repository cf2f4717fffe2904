// What this host's own routing table says of an address. Sends nothing.
#pragma once

#include <boost/asio/ip/address.hpp>

namespace firebreak::probes {

// False when this host's own kernel refuses the way: no route, a route that forbids it, a link that
// is down.
bool has_way_to(const boost::asio::ip::address& address);

// Loopback, or one of this host's own addresses.
bool is_this_host(const boost::asio::ip::address& address);

}  // namespace firebreak::probes
