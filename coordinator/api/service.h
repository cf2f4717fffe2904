// The operator API (firebreak/v1/operator.proto) over the engine.
//
// Every call needs a certificate with the role operator; what it does is done in that name. A
// mutation is answered when it is committed. gRPC's threads check and wait for nothing: what needs
// the state happens on the engine's owner thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "coordinator/api/watchers.h"
#include "coordinator/engine/engine.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace firebreak::api {

// How often and for how long altogether an agent's stream was held back.
struct Throttled {
  std::uint64_t times = 0;
  Duration held{};
};

class OperatorApi {
 public:
  // Called on the owner thread; may be empty.
  using ThrottledOf = std::function<Throttled(const AgentName&)>;

  // All outlive the server that service() is registered with; `watchers` is the engine's WatchSink.
  OperatorApi(engine::Engine& engine, Watchers& watchers, std::string version,
              ThrottledOf throttled = {});
  ~OperatorApi();
  OperatorApi(const OperatorApi&) = delete;
  OperatorApi& operator=(const OperatorApi&) = delete;

  // For grpc::ServerBuilder::RegisterService.
  [[nodiscard]] grpc::Service& service();

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace firebreak::api
