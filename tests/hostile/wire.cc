// Bytes by hand: what is wrong with them is up to the caller.
#include "tests/hostile/wire.h"

#include <random>

#include "tests/unit/probes/postgres_bytes.h"

namespace firebreak::hostile {
namespace {

using testing::postgres_message;

constexpr std::size_t kManyBytes = 64u << 10;

std::string with_size(const std::string& text, int bytes) {
  return big_endian(text.size(), bytes) + text;
}

std::string little_endian(std::uint32_t value) {
  std::string text;
  for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

void pad(std::string& text, std::size_t to) {
  text.resize((text.size() + to - 1) / to * to);
}

std::string z_text(const std::string& text) {
  return text + '\0';
}

// The answers to one statement of the extended protocol.
std::string postgres_statement(const std::string& description, const std::string& row,
                               const std::string& tag) {
  return postgres_message('1', "") + postgres_message('2', "") + description + row +
         postgres_message('C', z_text(tag));
}

// A field of a message's header: its code, its type, its value.
void add_field(std::string& fields, char code, char type, const std::string& value) {
  pad(fields, 8);
  fields += code;
  fields.append("\x01").append(1, type).append(1, '\0');
  if (type != 'g') pad(fields, 4);
  fields += value;
}

std::string bus_string(const std::string& text) {
  return little_endian(static_cast<std::uint32_t>(text.size())) + z_text(text);
}

std::string bus_message(char type, const std::string& fields, const std::string& body) {
  std::string message = "l";
  message.append(1, type).append(1, '\1').append(1, '\1');
  message += little_endian(static_cast<std::uint32_t>(body.size())) + little_endian(77) +
             little_endian(static_cast<std::uint32_t>(fields.size())) + fields;
  pad(message, 8);
  return message + body;
}

std::string signature_of(const std::string& text) {
  return static_cast<char>(text.size()) + z_text(text);
}

}  // namespace

std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    text += static_cast<char>(value >> shift & 0xff);
  return text;
}

std::string many(std::string_view pattern) {
  std::string text;
  text.reserve(kManyBytes + pattern.size());
  while (text.size() < kManyBytes) text.append(pattern);
  return text;
}

const std::string& nasty_text() {
  static const std::string text =
      "\x1b]0;owned\x07\x1b[2J\x1b[31m \x01\x08\x7f \xc2\x9b"
      "31m \xe2\x80\xae"
      "evil \xe2\x81\xa6 "
      "\xff\xfe \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82";
  return text;
}

const std::string& garbage() {
  static const std::string text = [] {
    std::mt19937 random(
        20);  // NOLINT(cert-msc51-cpp,bugprone-random-generator-seed): the same each time
    std::string bytes(kManyBytes, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    bytes.front() = '\x99';  // the first byte of nothing that we speak
    return bytes;
  }();
  return text;
}

std::string postgres_welcome() {
  return postgres_message('R', big_endian(0, 4)) +
         postgres_message('S', z_text("server_version") + z_text("15.3")) +
         postgres_message('S', z_text("client_encoding") + z_text("UTF8")) +
         postgres_message('K', big_endian(42, 4) + big_endian(43, 4)) + postgres_message('Z', "I");
}

std::string postgres_answers() {
  const std::string nothing = postgres_message('n', "");
  const std::string column = postgres_message(
      'T', big_endian(1, 2) + z_text("n") + big_endian(0, 4) + big_endian(0, 2) +
               big_endian(20, 4) + big_endian(8, 2) + big_endian(0xffffffff, 4) + big_endian(0, 2));
  const std::string row = postgres_message('D', big_endian(1, 2) + with_size("1", 4));
  return postgres_statement(nothing, "", "BEGIN") + postgres_statement(nothing, "", "SET") +
         postgres_statement(column, row, "SELECT 1") + postgres_statement(nothing, "", "COMMIT") +
         postgres_message('Z', "I");
}

std::string postgres_row(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string columns = big_endian(fields.size(), 2);
  std::string row = columns;
  for (const auto& [name, value] : fields) {
    columns += z_text(name);
    columns.append(big_endian(0, 6)).append(big_endian(25, 4)).append(big_endian(0xffff, 2));
    columns.append(big_endian(0xffffffff, 4)).append(big_endian(0, 2));
    row += with_size(value, 4);
  }
  return postgres_message('T', columns) + postgres_message('D', row) +
         postgres_message('C', z_text("SHOW")) + postgres_message('Z', "I");
}

std::string amqp_method(std::uint32_t channel, std::uint32_t of_class, std::uint32_t method,
                        const std::string& fields) {
  return "\x01" + big_endian(channel, 2) +
         with_size(big_endian(of_class, 2) + big_endian(method, 2) + fields, 4) + "\xce";
}

std::string amqp_close(bool of_connection, std::uint32_t code, const std::string& text) {
  return amqp_method(of_connection ? 0 : 1, of_connection ? 10 : 20, of_connection ? 50 : 40,
                     big_endian(code, 2) + with_size(text, 1) + big_endian(0, 4));
}

std::vector<Reply> amqp_talk() {
  const std::string start = amqp_method(
      0, 10, 10,
      big_endian(9, 2) + with_size("", 4) + with_size("PLAIN", 4) + with_size("en_US", 4));
  const std::string tune =
      amqp_method(0, 10, 30, big_endian(2047, 2) + big_endian(131072, 4) + big_endian(60, 2));
  const std::string declared =
      amqp_method(1, 50, 11, with_size("jobs", 1) + big_endian(3, 4) + big_endian(1, 4));
  return {{start},
          {tune},
          {amqp_method(0, 10, 41, with_size("", 1))},
          {amqp_method(1, 20, 11, with_size("", 4))},
          {declared},
          {amqp_method(0, 10, 51, "")}};
}

std::string bus_answer(std::uint32_t to, const std::string& signature, const std::string& body) {
  std::string fields;
  add_field(fields, 5, 'u', little_endian(to));
  add_field(fields, 8, 'g', signature_of(signature));
  return bus_message(2, fields, body);
}

std::string bus_text(const std::string& text) {
  return std::string("\x01s\0\0", 4) + bus_string(text);
}

std::string bus_number(std::uint32_t number) {
  return std::string("\x01u\0\0", 4) + little_endian(number);
}

std::string bus_error(std::uint32_t to, const std::string& text) {
  std::string fields;
  add_field(fields, 4, 's', bus_string("org.freedesktop.DBus.Error.Failed"));
  add_field(fields, 5, 'u', little_endian(to));
  add_field(fields, 8, 'g', signature_of("s"));
  return bus_message(3, fields, bus_string(text));
}

std::string bus_signal(const std::string& text) {
  std::string fields;
  add_field(fields, 1, 'o', bus_string("/a"));
  add_field(fields, 2, 's', bus_string("a.b"));
  add_field(fields, 3, 's', bus_string("C"));
  add_field(fields, 7, 's', bus_string("org.freedesktop.systemd1"));
  add_field(fields, 8, 'g', signature_of("s"));
  std::string signal = bus_message(4, fields, bus_string(text));
  return signal;
}

std::string bus_hello() {
  return bus_answer(1, "s", bus_string(":1.7"));
}

std::string tls_record(char type, std::string_view bytes) {
  std::string record(1, type);
  return record.append("\x03\x03").append(big_endian(bytes.size(), 2)).append(bytes);
}

}  // namespace firebreak::hostile
