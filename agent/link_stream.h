// One stream to one coordinator: gRPC's threads on one side, the agent's loop on the other.
//
// Belongs to the thread that runs the given io_context; everything that gRPC says is posted there.
// At most one received message is under way at a time: the next is read when the handler has
// returned and no more than limits::kLinkQueueMax messages wait to be sent.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/pki.h"

namespace boost::asio {
class io_context;
}
namespace firebreak::v1 {
class AgentMessage;
class CoordinatorMessage;
}  // namespace firebreak::v1

namespace firebreak::agent {

struct LinkHandlers {
  std::function<void(const v1::CoordinatorMessage&)> received;
  std::function<void(std::string reason)> ended;  // once, and the last
};

class LinkStream {
 public:
  // Dials `address` with the certificates as they are on disk now, and makes sure that a
  // coordinator answers. Fails by `ended`, never from inside the constructor.
  LinkStream(boost::asio::io_context& io, const std::string& address, const pki::TlsFiles& tls,
             LinkHandlers handlers);
  // Cancels the stream and waits until gRPC has let go of it, which takes it a moment. No handler
  // is called any more. May be called from a handler.
  ~LinkStream();
  LinkStream(const LinkStream&) = delete;
  LinkStream& operator=(const LinkStream&) = delete;

  void send(v1::AgentMessage message);
  // Messages that gRPC has not taken yet.
  [[nodiscard]] std::size_t unsent() const;

 private:
  class Reactor;
  std::shared_ptr<Reactor> reactor_;
};

}  // namespace firebreak::agent
