// One HTTP request with libcurl: what is sent, what came back. Internal to this folder.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/time.h"
#include "coordinator/notify/capped_text.h"
#include "coordinator/notify/retry.h"

namespace firebreak::notify {

struct Request {
  std::string url;
  std::string method = "POST";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration timeout{};
};

// What every request of a sender shares.
struct TransferSettings {
  std::string user_agent;
  std::string ca_file;
};

struct Outcome {
  Failure failure = Failure::none;
  Reply reply;
};

// Owned by the thread that drives the multi handle which easy() is added to.
class Transfer {
 public:
  // invalid_argument when a header or the URL cannot be sent.
  static Result<std::unique_ptr<Transfer>> make(Request request, const TransferSettings& settings);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  [[nodiscard]] CURL* easy() const { return easy_; }
  // `code`: how libcurl says that it ended.
  [[nodiscard]] Outcome outcome(CURLcode code) const;
  [[nodiscard]] const CappedText& answer() const { return answer_; }

 private:
  explicit Transfer(Request request);
  Result<> set_up(const TransferSettings& settings);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);

  Request request_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = {};
  CappedText answer_;
  bool is_cut_ = false;  // the answer was longer than we read
};

}  // namespace firebreak::notify
