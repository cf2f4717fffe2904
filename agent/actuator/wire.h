// The actuator's words as bytes: requests and replies on its socket, records in its journal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/actuator/action.h"
#include "agent/actuator/history.h"
#include "common/result.h"

namespace firebreak::actuator {

inline constexpr std::size_t kRequestBytesMax = 64u << 10;  // an order is below 2 KiB

struct ListActions {};
struct Owed {
  std::uint64_t epoch = 0;  // obeyed by the agent
};
using Request = std::variant<Order, ListActions, Acknowledged, Owed>;

Result<Request> decode_request(std::string_view bytes);
// With their frame headers (frame.h).
std::string encode_outcome_reply(const Outcome& outcome);
std::string encode_list_reply(const std::vector<std::string>& names, std::uint64_t epoch_seen);

std::string encode_outcome(const Outcome& outcome);
Result<Outcome> decode_outcome(std::string_view bytes);

std::string encode_record(const Record& record);
Result<Record> decode_record(std::string_view bytes);

}  // namespace firebreak::actuator
