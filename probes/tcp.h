// A connection, TLS if it is wanted, and a dialogue on it.
//
// A text that does not come is timeout, reset when nothing came before the peer closed, and body
// when something else came before it did, or more than limits::kTcpReplyBytesMax.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

Awaitable<void> probe_tcp(Attempt& attempt, const TcpSpec& spec);

}  // namespace firebreak::probes
