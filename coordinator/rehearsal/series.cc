// Commas split a series into pieces, blanks a piece into its value and how long it lasts.
#include "coordinator/rehearsal/series.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak::rehearsal {

namespace {

constexpr std::array<std::pair<std::string_view, Look>, 6> kLooks{{{"ok", Look::ok},
                                                                   {"warning", Look::warning},
                                                                   {"fail", Look::critical},
                                                                   {"critical", Look::critical},
                                                                   {"unknown", Look::unknown},
                                                                   {"silent", Look::silent}}};

Look between(Look from, Look /*to*/, double /*share*/) {
  return from;
}
double between(double from, double to, double share) {
  return from + (to - from) * share;
}
Duration between(Duration from, Duration to, double share) {
  return from + Duration(std::llround(static_cast<double>((to - from).count()) * share));
}

std::optional<Look> parse(std::string_view word, Look /*kind*/) {
  const auto* found = std::find_if(kLooks.begin(), kLooks.end(),
                                   [&](const auto& one) { return one.first == word; });
  if (found == kLooks.end()) return std::nullopt;
  return found->second;
}
std::optional<double> parse(std::string_view word, double /*kind*/) {
  double value = 0;
  const auto end = word.data() + word.size();
  const auto read = std::from_chars(word.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value)) return std::nullopt;
  return value;
}
std::optional<Duration> parse(std::string_view word, Duration /*kind*/) {
  const auto value = parse_duration(word);
  if (!value || *value > limits::kLatencyMax) return std::nullopt;
  return *value;
}

std::string wanted(Look /*kind*/) {
  return "ok, warning, critical (or fail), unknown or silent";
}
std::string wanted(double /*kind*/) {
  return "a number";
}
std::string wanted(Duration /*kind*/) {
  return "a latency such as 120ms, at most a day";
}

struct Word {
  std::string_view text;
  std::size_t offset = 0;
};

// The words between blanks of text[begin, end).
std::vector<Word> words_of(std::string_view text, std::size_t begin, std::size_t end) {
  constexpr std::string_view kBlanks = " \t\n";
  std::vector<Word> words;
  while (begin < end) {
    begin = std::min(text.find_first_not_of(kBlanks, begin), end);
    const std::size_t stop = std::min(text.find_first_of(kBlanks, begin), end);
    if (stop > begin) words.push_back({text.substr(begin, stop - begin), begin});
    begin = stop;
  }
  return words;
}

template <class Value>
class Reader {
 public:
  Reader(const yaml::Node& node, yaml::Problems& problems) : node_(node), problems_(problems) {}

  std::optional<Series<Value>> read() {
    if (!node_) return std::nullopt;
    if (node_.kind() != yaml::Kind::scalar) {
      node_.report_type(problems_, "a series such as '" + example() + "'");
      return std::nullopt;
    }
    const std::string_view text = node_.text();
    if (text.size() > limits::kTextBytesMax) {
      problems_.error(node_.place(), "a series is at most " +
                                         std::to_string(limits::kTextBytesMax) + " bytes long");
      return std::nullopt;
    }
    std::vector<Piece<Value>> pieces;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      auto piece = read_piece(words_of(text, begin, end), begin);
      if (!piece) return std::nullopt;
      pieces.push_back(*std::move(piece));
      begin = end + 1;
    }
    return Series<Value>(std::move(pieces));
  }

 private:
  static std::string example() {
    if constexpr (std::is_same_v<Value, Look>) return "ok x 12, fail 2m, ok";
    if constexpr (std::is_same_v<Value, double>) return "6, 10, 11 x 4";
    return "120ms, 120ms..900ms/30s";
  }

  std::nullopt_t wrong(const Word& word, const std::string& message) {
    problems_.error(node_.place_of(word.offset, static_cast<int>(word.text.size())), message);
    return std::nullopt;
  }

  std::optional<Value> value_of(const Word& word) {
    if (auto value = parse(word.text, Value{})) return value;
    return wrong(word, "'" + std::string(word.text) + "' is not " + wanted(Value{}));
  }

  std::optional<Duration> time_of(const Word& word) {
    const auto time = parse_duration(word.text);
    if (time && *time > Duration{0} && *time <= limits::kRehearsalTimeMax) return *time;
    return wrong(word, "'" + std::string(word.text) + "' is not a time such as 30s, or too long");
  }

  std::optional<Piece<Value>> read_piece(const std::vector<Word>& words, std::size_t offset) {
    if (words.empty())
      return wrong({"", offset},
                   "a piece of the series is missing here, as in '" + example() + "'");
    Piece<Value> piece;
    if (!read_value(words.front(), piece)) return std::nullopt;
    if (words.size() == 1) return piece;
    if (piece.ramp > Duration{0})
      return wrong(words[1], "a ramp ends by itself: put a comma and what follows");
    if (words[1].text == "x") {
      if (words.size() != 3) return wrong(words.back(), "'x' takes one count, as in 'x 12'");
      return read_count(words[2], piece);
    }
    if (words.size() != 2)
      return wrong(words[2], "a piece is a value and 'x COUNT' or a time; a comma ends it");
    piece.lasts = time_of(words[1]);
    if (!piece.lasts) return std::nullopt;
    return piece;
  }

  std::optional<Piece<Value>> read_count(const Word& word, Piece<Value> piece) {
    const auto count = parse(word.text, double{});
    if (!count || *count < 1 || *count > limits::kSeriesCountMax || *count != std::floor(*count))
      return wrong(word, "'" + std::string(word.text) + "' is not a count from 1 to " +
                             std::to_string(limits::kSeriesCountMax));
    piece.times = static_cast<std::int64_t>(*count);
    return piece;
  }

  bool read_value(const Word& word, Piece<Value>& piece) {
    const std::size_t dots = word.text.find("..");
    if (dots == std::string_view::npos) {
      const auto value = value_of(word);
      if (value) piece.from = piece.to = *value;
      return value.has_value();
    }
    const std::size_t slash = word.text.find('/', dots);
    if (std::is_same_v<Value, Look> || slash == std::string_view::npos) {
      wrong(word, std::is_same_v<Value, Look>
                      ? "a status has no ramp"
                      : "a ramp says how long it takes, as in '" + example() + "'");
      return false;
    }
    const auto from = value_of({word.text.substr(0, dots), word.offset});
    const auto to =
        value_of({word.text.substr(dots + 2, slash - dots - 2), word.offset + dots + 2});
    const auto time = time_of({word.text.substr(slash + 1), word.offset + slash + 1});
    if (!from || !to || !time) return false;
    piece.from = *from;
    piece.to = *to;
    piece.ramp = *time;
    return true;
  }

  const yaml::Node& node_;
  yaml::Problems& problems_;
};

}  // namespace

// Empty: the piece goes on for ever.
template <class Value>
std::optional<Duration> Series<Value>::length(const Piece<Value>& piece, Duration every) const {
  if (piece.lasts) return piece.lasts;
  if (piece.times) return every * *piece.times;
  if (&piece == &pieces_.back()) return std::nullopt;
  return piece.ramp + every;  // what follows a ramp comes one result after its last value
}

template <class Value>
Value Series<Value>::at(Duration elapsed, Duration every) const {
  for (const Piece<Value>& piece : pieces_) {
    const auto lasts = length(piece, every);
    if (lasts && *lasts <= elapsed && &piece != &pieces_.back()) {
      elapsed -= *lasts;
      continue;
    }
    if (piece.ramp == Duration{0}) return piece.from;
    const double share =
        static_cast<double>(elapsed.count()) / static_cast<double>(piece.ramp.count());
    return between(piece.from, piece.to, std::min(share, 1.0));
  }
  return Value{};
}

template <class Value>
std::optional<Duration> Series<Value>::length(Duration every) const {
  Duration whole{0};
  for (const Piece<Value>& piece : pieces_) {
    const auto lasts = length(piece, every);
    if (!lasts) return std::nullopt;
    whole += *lasts;
  }
  return whole;
}

template class Series<Look>;
template class Series<double>;
template class Series<Duration>;

std::optional<Series<Look>> read_looks(const yaml::Node& node, yaml::Problems& problems) {
  return Reader<Look>(node, problems).read();
}
std::optional<Series<double>> read_numbers(const yaml::Node& node, yaml::Problems& problems) {
  return Reader<double>(node, problems).read();
}
std::optional<Series<Duration>> read_latencies(const yaml::Node& node, yaml::Problems& problems) {
  return Reader<Duration>(node, problems).read();
}

}  // namespace firebreak::rehearsal
