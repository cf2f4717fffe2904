// What servers of PostgreSQL, RabbitMQ and D-Bus say, as bytes: right, unless the caller wants it
// wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/hostile/kit.h"

namespace firebreak::hostile {

std::string big_endian(std::uint64_t value, int bytes);

// So often that it is some 64 KiB: what a server says again and again at full speed.
std::string many(std::string_view pattern);
// Terminal escapes, controls, overrides of direction, invalid UTF-8, without NUL and line ends.
const std::string& nasty_text();
// Bytes that look like nothing, always the same.
const std::string& garbage();

// PostgreSQL, "Message Formats" of its manual: a session up to its first ReadyForQuery ...
std::string postgres_welcome();
// ... and the answers to BEGIN, SET, a query with one bigint, and COMMIT.
std::string postgres_answers();

// The answer to a statement sent alone: one row of texts, by the names of their columns.
std::string postgres_row(const std::vector<std::pair<std::string, std::string>>& fields);

// AMQP 0-9-1.
std::string amqp_method(std::uint32_t channel, std::uint32_t of_class, std::uint32_t method,
                        const std::string& fields);
std::string amqp_close(bool of_connection, std::uint32_t code, const std::string& text);
// A whole conversation about a queue, good-bye included.
std::vector<Reply> amqp_talk();

// D-Bus, "Message Protocol" of its specification.
inline constexpr std::string_view kBusWelcome =
    "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";
std::string bus_answer(std::uint32_t to, const std::string& signature, const std::string& body);
std::string bus_text(const std::string& text);  // a variant's body
std::string bus_number(std::uint32_t number);   // likewise
std::string bus_error(std::uint32_t to, const std::string& text);
std::string bus_signal(const std::string& text);
// The answer to Hello.
std::string bus_hello();

// RFC 8446, 5.1: a record in the clear.
std::string tls_record(char type, std::string_view bytes);

}  // namespace firebreak::hostile
