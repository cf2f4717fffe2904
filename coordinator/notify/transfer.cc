// Sets up one libcurl transfer and reads how it ended.
#include "coordinator/notify/transfer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak::notify {
namespace {

// What is kept of an answer, with room for the line that says how much is not.
constexpr std::size_t kAnswerBytesMax = limits::kActionOutputBytesMax - 64;

long milliseconds(Duration duration) {
  return static_cast<long>(
      std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Duration{1})).count());
}

bool is_header_safe(const std::string& text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
}

bool has_header(const Request& request, std::string_view lower_case_name) {
  const auto is_same = [](char lower, char c) {
    return lower == std::tolower(static_cast<unsigned char>(c));
  };
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    return std::equal(lower_case_name.begin(), lower_case_name.end(), header.first.begin(),
                      header.first.end(), is_same);
  });
}

// Codes after which it is certain that the request did not leave.
bool is_before_sending(CURLcode code) {
  constexpr std::array kCodes{CURLE_UNSUPPORTED_PROTOCOL,     CURLE_URL_MALFORMAT,
                              CURLE_COULDNT_RESOLVE_PROXY,    CURLE_COULDNT_RESOLVE_HOST,
                              CURLE_COULDNT_CONNECT,          CURLE_SSL_CONNECT_ERROR,
                              CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                              CURLE_SSL_CERTPROBLEM,          CURLE_SSL_CIPHER,
                              CURLE_SSL_ENGINE_INITFAILED};
  for (const CURLcode known : kCodes)
    if (known == code) return true;
  return false;
}

}  // namespace

Transfer::Transfer(Request request)
    : request_(std::move(request)), easy_(curl_easy_init()), answer_(kAnswerBytesMax) {}

Transfer::~Transfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

Result<std::unique_ptr<Transfer>> Transfer::make(Request request,
                                                 const TransferSettings& settings) {
  std::unique_ptr<Transfer> transfer(new Transfer(std::move(request)));
  if (const auto set = transfer->set_up(settings); !set) return set.error();
  return transfer;
}

Result<> Transfer::set_up(const TransferSettings& settings) {
  if (easy_ == nullptr) return make_error(Errc::internal, "libcurl gave no handle: out of memory");
  if (!is_header_safe(request_.url) || !is_header_safe(request_.method))
    return make_error(Errc::invalid_argument, "the URL or method holds a line break");
  for (const auto& [name, value] : request_.headers) {
    if (!is_header_safe(name) || !is_header_safe(value))
      return make_error(Errc::invalid_argument, "header '" + escape_line(name, 80) +
                                                    "' holds a line break; it was not sent");
    // "Name;" is how libcurl is told to send an empty header, "Name:" removes one.
    std::string line = name;
    line += value.empty() ? ";" : ": ";
    line += value;
    headers_ = curl_slist_append(headers_, line.c_str());
  }
  headers_ = curl_slist_append(headers_, "Expect:");  // no round trip before the body
  // libcurl would call every body a form.
  if (!has_header(request_, "content-type"))
    headers_ = curl_slist_append(headers_, "Content-Type:");
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(easy_, option, value) == CURLE_OK && good;
  };
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  const bool has_body = !request_.body.empty() || request_.method == "POST" ||
                        request_.method == "PUT" || request_.method == "PATCH";
  if (has_body) set(CURLOPT_POSTFIELDS, request_.body.c_str());
  if (request_.method == "HEAD") set(CURLOPT_NOBODY, 1L);
  set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  set(CURLOPT_HTTPHEADER, headers_);
  set(CURLOPT_USERAGENT, settings.user_agent.c_str());
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!settings.ca_file.empty()) set(CURLOPT_CAINFO, settings.ca_file.c_str());
  set(CURLOPT_TIMEOUT_MS, milliseconds(request_.timeout));
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request_.timeout));
  set(CURLOPT_NOSIGNAL, 1L);
  // Without it, giving up on a name that does not resolve waits for the resolver's thread, and
  // every other transfer with it.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_FRESH_CONNECT, 1L);  // a kept connection may be dead: one try means one try
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  if (!good) return make_error(Errc::invalid_argument, "libcurl refused the request's settings");
  return {};
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.answer_.append({data, size * count});
  transfer.is_cut_ = transfer.answer_.total() > limits::kHttpReplyBytesMax;
  return transfer.is_cut_ ? 0 : size * count;  // 0: libcurl ends the transfer
}

Outcome Transfer::outcome(CURLcode code) const {
  long status = 0;
  curl_off_t retry_after = 0;
  curl_off_t sent_at = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &sent_at);
  Outcome outcome;
  if (code == CURLE_OK || is_cut_) {
    outcome.reply.status = static_cast<int>(status);
    if (retry_after > 0) outcome.reply.retry_after = std::chrono::seconds(retry_after);
    return outcome;
  }
  const bool was_sent = sent_at > 0;
  if (code == CURLE_OPERATION_TIMEDOUT)
    outcome.failure = Failure::timed_out;
  else
    outcome.failure =
        was_sent && !is_before_sending(code) ? Failure::may_have_acted : Failure::not_sent;
  const std::string_view what = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
  outcome.reply.error = std::string(what);
  if (code == CURLE_OPERATION_TIMEDOUT)
    outcome.reply.error = "no answer within " + format_duration(request_.timeout) +
                          (was_sent ? "" : "; the request was not sent");
  return outcome;
}

}  // namespace firebreak::notify
