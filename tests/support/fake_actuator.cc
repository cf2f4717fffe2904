// One connection at a time, blocking, on a thread of its own.
#include "tests/support/fake_actuator.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

namespace firebreak::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

std::string frame(const v1::ActuatorReply& reply) {
  const std::string body = reply.SerializeAsString();
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>((body.size() >> shift) & 0xffU));
  return bytes + body;
}

bool read_exactly(int fd, std::string& to, std::size_t size) {
  to.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, to.data() + done, size - done);
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

FakeActuator::FakeActuator(const std::string& path)
    : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0)
    throw std::runtime_error("cannot listen at " + path);
  thread_ = std::thread([this] { serve(); });
}

FakeActuator::~FakeActuator() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  ::shutdown(listener_, SHUT_RDWR);
  drop_connection();
  thread_.join();
  ::close(listener_);
}

void FakeActuator::allow(std::vector<std::string> names) {
  const std::lock_guard lock(mutex_);
  names_ = std::move(names);
}

std::optional<v1::ActuatorRequest> FakeActuator::next(v1::ActuatorRequest::RequestCase kind) {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool came = changed_.wait_for(lock, kPatience, [this] { return !inbox_.empty(); });
    EXPECT_TRUE(came) << "the agent did not ask what was expected";
    if (!came) return std::nullopt;
    v1::ActuatorRequest request = std::move(inbox_.front());
    inbox_.pop_front();
    if (request.request_case() == kind) return request;
  }
}

void FakeActuator::reply(const std::string& action_id, v1::ActionState state) {
  v1::ActuatorReply reply;
  reply.mutable_outcome()->set_action_id(action_id);
  reply.mutable_outcome()->set_state(state);
  reply_raw(frame(reply));
}

void FakeActuator::reply_raw(const std::string& bytes) {
  EXPECT_TRUE(send(bytes)) << "the agent has closed the connection";
}

bool FakeActuator::send(const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  return connection_ < 0 || ::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                                static_cast<ssize_t>(bytes.size());
}

void FakeActuator::drop_connection() {
  const std::lock_guard lock(mutex_);
  if (connection_ >= 0) ::shutdown(connection_, SHUT_RDWR);
}

void FakeActuator::serve() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    {
      const std::lock_guard lock(mutex_);
      if (fd >= 0 && !is_stopping_) connection_ = fd;
      if (is_stopping_ || fd < 0) {
        if (fd >= 0) ::close(fd);
        return;
      }
    }
    serve_connection(fd);
    const std::lock_guard lock(mutex_);
    connection_ = -1;
    ::close(fd);
  }
}

void FakeActuator::serve_connection(int fd) {
  std::string bytes;
  while (read_exactly(fd, bytes, 4)) {
    std::uint32_t length = 0;
    for (const char byte : bytes) length = length << 8 | static_cast<unsigned char>(byte);
    v1::ActuatorRequest request;
    if (!read_exactly(fd, bytes, length) || !request.ParseFromString(bytes)) return;
    if (request.has_list()) {
      v1::ActuatorReply reply;
      {
        const std::lock_guard lock(mutex_);
        reply.mutable_actions()->mutable_names()->Assign(names_.begin(), names_.end());
      }
      if (!send(frame(reply))) return;  // at a test's end the agent may be gone by now
    }
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(request));
    changed_.notify_all();
  }
}

}  // namespace firebreak::testing
