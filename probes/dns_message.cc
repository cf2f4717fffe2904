// One cursor over a message; a name may jump, and only backwards.
#include "probes/dns_message.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "common/limits.h"
#include "common/probe_spec.h"

namespace firebreak::probes {
namespace {

constexpr std::size_t kDnsHeaderBytes = 12;
constexpr std::size_t kNameBytesMax = 255;  // on the wire (RFC 1035, 2.3.4)
constexpr std::uint16_t kInternet = 1;
constexpr int kAliasesMax = 16;
constexpr std::size_t kNameserversMax = 3;  // as the C library

namespace type {
constexpr std::uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16,
                        kAaaa = 28, kSrv = 33;
}

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

char lower_letter(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_plain(char c) {
  return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

void append_number(std::string& bytes, std::size_t number) {
  bytes.push_back(static_cast<char>(number >> 8 & 0xff));
  bytes.push_back(static_cast<char>(number & 0xff));
}

void append_label(std::string& name, std::string_view label) {
  if (!name.empty()) name.push_back('.');
  for (const char c : label) {
    if (is_plain(c)) {
      name.push_back(lower_letter(c));
      continue;
    }
    const unsigned value = static_cast<std::uint8_t>(c);
    name.push_back('\\');
    for (const unsigned unit : {100U, 10U, 1U})
      name.push_back(static_cast<char>('0' + value / unit % 10));
  }
}

// Reads forward; after the first read that does not fit, everything is zero and ok() is false.
class Cursor {
 public:
  Cursor(std::string_view message, std::size_t at) : message_(message), at_(at) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t word() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t number(std::size_t size = 4) {
    std::uint32_t value = 0;
    for (const char c : bytes(size)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view bytes(std::size_t size) {
    if (!ok_ || size > message_.size() - at_) {
      ok_ = false;
      return {};
    }
    return message_.substr(std::exchange(at_, at_ + size), size);
  }
  std::string name();

 private:
  std::string_view message_;
  std::size_t at_;
  bool ok_ = true;
};

// Each pointer leads to before everything that was read of this name, so there is an end to it.
std::string Cursor::name() {
  std::string name;
  std::size_t size = 1;
  std::size_t from = at_;  // where the part that is being read began
  std::optional<std::size_t> behind;
  while (ok_) {
    const std::uint8_t length = byte();
    if (length == 0) break;
    if (length > limits::kDnsLabelBytesMax) {
      const std::size_t target = static_cast<std::size_t>(length & 0x3f) << 8 | byte();
      ok_ = ok_ && (length & 0xc0) == 0xc0 && target < from && target >= kDnsHeaderBytes;
      if (!behind) behind = at_;
      from = at_ = ok_ ? target : at_;
      continue;
    }
    append_label(name, bytes(length));
    size += length + 1U;
    ok_ = ok_ && size <= kNameBytesMax;
  }
  if (behind) at_ = *behind;
  return name.empty() ? "." : name;
}

std::string text_of(std::string_view data) {
  std::string text;
  for (std::size_t at = 0; at < data.size();) {
    const std::size_t length = byte_at(data, at);
    if (length > data.size() - at - 1) return "";  // the caller has checked that it is not so
    text.append(data.substr(at + 1, length));
    at += length + 1;
  }
  return text;
}

bool is_text(std::string_view data) {
  std::size_t at = 0;
  while (at < data.size()) at += byte_at(data, at) + 1U;
  return at == data.size() && !data.empty();
}

std::string address_of(std::string_view data) {
  if (data.size() == 4) {
    boost::asio::ip::address_v4::bytes_type bytes{};
    std::copy(data.begin(), data.end(), bytes.begin());
    return boost::asio::ip::address_v4(bytes).to_string();
  }
  boost::asio::ip::address_v6::bytes_type bytes{};
  std::copy(data.begin(), data.end(), bytes.begin());
  return boost::asio::ip::address_v6(bytes).to_string();
}

// Numbers of the record's fixed part, and the names before or behind them.
std::string numbers_and_name(Cursor& cursor, int numbers) {
  std::string text;
  for (int i = 0; i < numbers; ++i) text.append(std::to_string(cursor.word())).append(1, ' ');
  return text.append(cursor.name());
}

std::string start_of_authority(Cursor& cursor) {
  std::string text = cursor.name();
  text.append(1, ' ').append(cursor.name());
  for (int i = 0; i < 5; ++i) text.append(1, ' ').append(std::to_string(cursor.number()));
  return text;
}

// False when the data does not fill its `size` bytes as its type wants.
bool read_data(Cursor& cursor, std::size_t size, DnsRecord& record) {
  const std::size_t begin = cursor.at();
  switch (record.type) {
    case type::kA:
    case type::kAaaa: {
      const std::string_view data = cursor.bytes(size);
      if (!cursor.ok() || size != (record.type == type::kA ? 4U : 16U)) return false;
      record.data = address_of(data);
      break;
    }
    case type::kCname:
    case type::kNs:
    case type::kPtr:
      record.data = cursor.name();
      break;
    case type::kMx:
      record.data = numbers_and_name(cursor, 1);
      break;
    case type::kSrv:
      record.data = numbers_and_name(cursor, 3);
      break;
    case type::kSoa:
      record.data = start_of_authority(cursor);
      break;
    case type::kTxt: {
      const std::string_view data = cursor.bytes(size);
      if (!cursor.ok() || !is_text(data)) return false;
      record.data = text_of(data);
      break;
    }
    default:
      cursor.bytes(size);
  }
  return cursor.ok() && cursor.at() == begin + size;
}

Error broken(const char* what) {
  return make_error(Errc::corrupt, std::string("a broken answer: ") + what);
}

Error stranger(const char* what) {
  return make_error(Errc::not_found, what);
}

std::string reversed(const boost::asio::ip::address& address) {
  std::string name;
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
      name.append(std::to_string(*byte)).append(1, '.');
    return name.append("in-addr.arpa");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto bytes = address.to_v6().to_bytes();
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    name.append(1, kDigits[*byte & 0xf]).append(1, '.');
    name.append(1, kDigits[*byte >> 4]).append(1, '.');
  }
  return name.append("ip6.arpa");
}

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

}  // namespace

std::string dns_name(std::string_view text, std::uint16_t wanted) {
  if (wanted == type::kPtr) {
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(std::string(text), failed);
    if (!failed) return reversed(address);
  }
  if (text.size() > 1 && text.ends_with('.')) text.remove_suffix(1);
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), lower_letter);
  return name;
}

std::uint16_t dns_type_number(std::string_view wanted) {
  static const std::array<std::pair<std::string_view, std::uint16_t>, 9> kNumbers{
      {{"A", type::kA},
       {"AAAA", type::kAaaa},
       {"CNAME", type::kCname},
       {"MX", type::kMx},
       {"NS", type::kNs},
       {"PTR", type::kPtr},
       {"SOA", type::kSoa},
       {"SRV", type::kSrv},
       {"TXT", type::kTxt}}};
  for (const auto& [name, number] : kNumbers)
    if (name == wanted) return number;
  return 0;
}

std::string dns_rcode_name(int rcode) {
  const auto names = dns_rcodes();
  const auto index = static_cast<std::size_t>(rcode);
  return index < names.size() ? names[index] : "RCODE" + std::to_string(rcode);
}

std::string dns_query(std::uint16_t id, const DnsQuestion& question) {
  std::string message;
  append_number(message, id);
  append_number(message, 0x0100);  // recursion desired
  append_number(message, 1);       // one question
  message.append(6, '\0');         // and nothing else
  std::string_view rest = question.name;
  if (rest == ".") rest = {};
  while (!rest.empty()) {
    const std::size_t length = std::min(rest.find('.'), rest.size());
    message.push_back(static_cast<char>(length));
    message.append(rest.substr(0, length));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  message.push_back('\0');
  append_number(message, question.type);
  append_number(message, kInternet);
  return message;
}

Result<DnsAnswer> parse_dns_answer(std::string_view message, std::uint16_t id,
                                   const DnsQuestion& question) {
  Cursor cursor(message, 0);
  const std::uint16_t its_id = cursor.word();
  const std::uint16_t flags = cursor.word();
  const std::uint16_t questions = cursor.word();
  const std::uint16_t answers = cursor.word();
  cursor.bytes(4);  // how many records of the two sections that we do not read
  if (!cursor.ok()) return stranger("too short for an answer");
  if (its_id != id) return stranger("the answer to another query");
  if ((flags & 0xf800) != 0x8000) return stranger("not an answer");
  DnsAnswer answer;
  answer.rcode = flags & 0xf;
  answer.truncated = (flags & 0x0200) != 0;
  answer.authoritative = (flags & 0x0400) != 0;
  // A server that could not read the question may leave it out.
  if (questions == 0 && answers == 0 && answer.rcode != 0) return answer;
  if (questions != 1) return stranger("the answer to another question");
  DnsQuestion its_question;
  its_question.name = cursor.name();
  its_question.type = cursor.word();
  const std::uint16_t its_class = cursor.word();
  if (!cursor.ok()) return broken("its question");
  if (its_question != question || its_class != kInternet)
    return stranger("the answer to another question");
  if (answer.truncated) return answer;
  if (answers > limits::kDnsAnswersMax) return broken("too many records");
  answer.records.reserve(std::min<std::size_t>(answers, message.size() / 11));
  for (int i = 0; i < answers; ++i) {
    DnsRecord record;
    record.name = cursor.name();
    record.type = cursor.word();
    const std::uint16_t record_class = cursor.word();
    record.ttl_seconds = cursor.number();
    const std::uint16_t size = cursor.word();
    if (!cursor.ok() || !read_data(cursor, size, record)) return broken("one of its records");
    if (record_class == kInternet) answer.records.push_back(std::move(record));
  }
  return answer;
}

std::vector<DnsRecord> records_for(const DnsAnswer& answer, const DnsQuestion& question) {
  std::vector<std::string> names = {question.name};
  while (question.type != type::kCname && names.size() <= kAliasesMax) {
    const auto alias = std::find_if(
        answer.records.begin(), answer.records.end(), [&names](const DnsRecord& record) {
          return record.type == type::kCname && record.name == names.back();
        });
    if (alias == answer.records.end()) break;
    names.push_back(alias->data);
  }
  std::vector<DnsRecord> found;
  std::copy_if(answer.records.begin(), answer.records.end(), std::back_inserter(found),
               [&](const DnsRecord& record) {
                 return record.type == question.type &&
                        std::find(names.begin(), names.end(), record.name) != names.end();
               });
  return found;
}

std::string dns_data(std::string_view text, std::uint16_t wanted) {
  if (wanted == type::kTxt) return std::string(text);
  if (wanted == type::kA || wanted == type::kAaaa) {
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(std::string(text), failed);
    return failed ? std::string(text) : address.to_string();
  }
  std::string data;
  for (std::string_view word : words_of(text)) {
    if (word.size() > 1 && word.ends_with('.')) word.remove_suffix(1);
    if (!data.empty()) data.push_back(' ');
    std::transform(word.begin(), word.end(), std::back_inserter(data), lower_letter);
  }
  return data;
}

std::vector<std::string> nameservers_of(std::string_view resolv_conf) {
  std::vector<std::string> servers;
  while (!resolv_conf.empty() && servers.size() < kNameserversMax) {
    const std::size_t end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    const auto words = words_of(resolv_conf.substr(0, end));
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    if (words.size() < 2 || words[0] != "nameserver") continue;
    // A NUL would end what is read of an address, and a scope may be any text.
    if (!std::all_of(words[1].begin(), words[1].end(), [](char c) { return c > ' ' && c < 0x7f; }))
      continue;
    boost::system::error_code failed;
    const std::string address(words[1]);
    boost::asio::ip::make_address(address, failed);
    if (!failed) servers.push_back(address);
  }
  if (servers.empty()) servers.emplace_back("127.0.0.1");
  return servers;
}

}  // namespace firebreak::probes
