// JSON in and out: types, bounds, and values that JSON does not have.
#include "common/cel/json.h"

#include "common/limits.h"
#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace {

TEST(Json, GivesTheTypesOfItsNumbers) {
  const auto value =
      parse_json(R"([1, -1, 9223372036854775808, 1.0, 1e2, true, null, "é", {"a": [2]}])");
  ASSERT_TRUE(value);
  EXPECT_EQ(to_string(*value),
            "[1, -1, 9223372036854775808u, 1.0, 100.0, true, null, 'é', {'a': [2]}]");
}

TEST(Json, IsBounded) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(limits::kJsonDepthMax)));
  EXPECT_FALSE(parse_json(nested(limits::kJsonDepthMax + 1)));
  for (const char* text : {"", "{", "1 2", "{'a': 1}", "\"\xff\"", "nan"})
    EXPECT_FALSE(parse_json(text)) << text;
}

TEST(Json, IsWrittenUpToItsBound) {
  const Value value = List{"ab", 1};
  EXPECT_EQ(to_json(value, 8), R"(["ab",1])");
  EXPECT_EQ(to_json(value, 7), std::nullopt);
  Value doubled = List{1};
  for (int i = 0; i < 50; ++i) doubled = List{doubled, doubled};
  EXPECT_EQ(to_json(doubled, 1000), std::nullopt);
}

TEST(Json, HasTextForWhatItDoesNotHave) {
  EXPECT_EQ(to_json(Bytes{""}, 100), R"("")");
  EXPECT_EQ(to_json(Bytes{"f"}, 100), R"("Zg==")");
  EXPECT_EQ(to_json(Bytes{"fo"}, 100), R"("Zm8=")");
  EXPECT_EQ(to_json(Bytes{"foo"}, 100), R"("Zm9v")");
  EXPECT_EQ(to_json(std::chrono::milliseconds(-1500), 100), R"("-1.5s")");
  EXPECT_EQ(to_json(-std::numeric_limits<double>::infinity(), 100), R"("-Infinity")");
  EXPECT_EQ(to_json(Map{{"a\"b", 1}, {7, 2}}, 100), R"({"7":2,"a\"b":1})");
  EXPECT_EQ(to_json(Error{"x"}, 100), std::nullopt);
  EXPECT_EQ(to_json(List{Unknown{{"x"}}}, 100), std::nullopt);
}

}  // namespace
}  // namespace firebreak::cel
