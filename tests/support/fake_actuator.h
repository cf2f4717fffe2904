// The actuator's side of its socket, doing what a test tells it; it answers ListActions by itself.
//
// Thread-safe. Every wait ends when the thing has happened; only a broken test meets the patience.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <firebreak/v1/actuator.pb.h>

namespace firebreak::testing {

class FakeActuator {
 public:
  explicit FakeActuator(const std::string& path);
  ~FakeActuator();
  FakeActuator(const FakeActuator&) = delete;
  FakeActuator& operator=(const FakeActuator&) = delete;

  void allow(std::vector<std::string> names);
  // The next request of this kind, whatever connection it came on; others are passed over.
  std::optional<v1::ActuatorRequest> next(v1::ActuatorRequest::RequestCase kind);
  void reply(const std::string& action_id, v1::ActionState state);
  // Sent as it is, without a frame.
  void reply_raw(const std::string& bytes);
  // Ends the connection; the next one is taken.
  void drop_connection();

 private:
  bool send(const std::string& bytes);  // false: the other end is gone
  void serve();
  void serve_connection(int fd);

  int listener_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> names_;
  std::deque<v1::ActuatorRequest> inbox_;
  int connection_ = -1;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace firebreak::testing
