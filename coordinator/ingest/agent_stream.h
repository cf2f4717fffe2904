// One agent's stream on gRPC: reads as fast as the engine commits, writes what waits, ends once.
//
// gRPC calls On...() on its own threads, everybody else may call the rest from any thread. It keeps
// itself alive until gRPC is done with it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include "common/clock.h"
#include "common/ids.h"
#include "coordinator/ingest/outgoing.h"
#include "coordinator/ingest/session.h"
#include "coordinator/ingest/token_bucket.h"

namespace firebreak::ingest {

class AgentStream;

// Called with no lock held: `received` and `throttled` on gRPC's threads, `ended` there or on that
// of whoever calls end().
struct StreamHandlers {
  // In the order of the stream, one at a time. How long the next one must wait.
  std::function<TokenBucket::Wait(const std::shared_ptr<AgentStream>&, const v1::AgentMessage&)>
      received;
  std::function<void(const std::shared_ptr<AgentStream>&, const grpc::Status&)> ended;  // once
  // It is not read for so long: somebody must call resume() then.
  std::function<void(const std::shared_ptr<AgentStream>&, TokenBucket::Wait)> throttled;
};

class AgentStream final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>,
                          public std::enable_shared_from_this<AgentStream> {
 public:
  // `clock` and `handlers` outlive the stream.
  AgentStream(AgentName agent, const Clock& clock, const StreamHandlers& handlers);

  // Once, before anything else.
  void start();
  void write(const std::function<void(Outgoing&)>& change);
  // For what may not be lost: ends the stream when too much waits already.
  void push(v1::CoordinatorMessage message);
  // The first call decides; what waits is not written any more.
  void end(const grpc::Status& status);

  // Around every event that is submitted: reading goes on as long as not too many wait.
  void about_to_submit();
  void submitted(bool has_room);
  void committed();

  // The wait that StreamHandlers::throttled spoke of is over.
  void resume();

  // Requests that this stream may answer, each once. False: too many wait.
  bool expect_answer(const RequestId& request);
  bool take_answer(const RequestId& request);

  [[nodiscard]] const AgentName& agent() const { return session_.agent(); }
  // Changed in `received` only; what it knows of the Hello may be read afterwards.
  [[nodiscard]] Session& session() { return session_; }
  // Nothing has come for too long although we wait for it.
  [[nodiscard]] bool is_silent() const;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // With the lock held.
  void read_if_allowed();
  void write_if_allowed();

  const Clock& clock_;
  const StreamHandlers& handlers_;
  Session session_;
  std::shared_ptr<AgentStream> self_;
  v1::AgentMessage incoming_;
  v1::CoordinatorMessage writing_;

  mutable std::mutex mutex_;
  Outgoing outgoing_;
  std::set<RequestId> asked_;
  std::chrono::steady_clock::time_point reading_since_;
  std::size_t uncommitted_ = 0;
  bool is_held_back_ = false;  // until everything of this stream is committed
  bool is_throttled_ = false;  // until resume()
  bool is_reading_ = false;
  bool is_handling_ = false;
  bool is_writing_ = false;
  bool has_ended_ = false;
};

}  // namespace firebreak::ingest
