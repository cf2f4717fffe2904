// Which hosts are others, and whether this one has a way to them at all.
#pragma once

#include <boost/asio/ip/address.hpp>

#include "common/observation.h"
#include "common/probe_spec.h"

namespace firebreak::probes {

// False when this host's own kernel refuses the way: no route, a route that forbids it, a link that
// is down. Sends nothing.
bool has_way_to(const boost::asio::ip::address& address);

// Loopback, or one of this host's own addresses.
bool is_this_host(const boost::asio::ip::address& address);
// The same of what a person writes: "localhost", the host's own name, a path, an address. A name
// that is none of these counts as another host's, and nobody is asked what it means.
bool is_this_host(const std::string& host);

// A failure that comes just so when the prober's own network is gone: another host was to be
// reached, and nothing at all was heard of it. What proves that somebody answered is none.
bool could_be_own_network(const KindSpec& kind, const Observation& observation);

}  // namespace firebreak::probes
