// A small HTTP server for tests that answers as a function says, and remembers what it was sent.
//
// Every connection has a thread of its own, so one answer may block while others are given.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace firebreak::testing {

struct ReceivedRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class HttpReceiver {
 public:
  // The whole reply, "HTTP/1.1 200 OK\r\n...". `number` counts this path's requests from 1. Empty:
  // nothing is answered until the receiver is destroyed.
  using Answer = std::function<std::string(const ReceivedRequest&, int number)>;

  explicit HttpReceiver(Answer answer);
  ~HttpReceiver();
  HttpReceiver(const HttpReceiver&) = delete;
  HttpReceiver& operator=(const HttpReceiver&) = delete;

  [[nodiscard]] std::string url(const std::string& path) const;
  // Those of one path so far, in the order they came.
  [[nodiscard]] std::vector<ReceivedRequest> requests(const std::string& path) const;

 private:
  void accept_loop();
  void serve(int connection);
  void reply(int connection, const ReceivedRequest& request);

  Answer answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable ending_changed_;
  bool ending_ = false;
  std::vector<ReceivedRequest> requests_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;  // under mutex_
  std::thread acceptor_;
};

// "HTTP/1.1 STATUS ...", extra header lines each with "\r\n", and a body.
std::string http_reply(int status, const std::string& body = "", const std::string& headers = "");

}  // namespace firebreak::testing
