// Conversions, timestamps and durations, macros.
#include "common/cel/time_zone.h"

#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace functions_test {

TEST(Conversions, GiveWhatTheDefinitionSays) {
  const Shown rows[] = {
      {"int(42u)", "42"},
      {"int(1.9)", "1"},
      {"int(-7.9)", "-7"},
      {"int('-12')", "-12"},
      {"int(timestamp('2009-02-13T23:31:30.9Z'))", "1234567890"},
      {"int(timestamp('1969-12-31T23:59:59.5Z'))", "-1"},
      {"uint(3)", "3u"},
      {"uint(1e19)", "10000000000000000000u"},
      {"uint('300')", "300u"},
      {"uint(-0.0)", "0u"},
      {"double(9223372036854775807) == 9223372036854775808.0", "true"},
      {"double(18446744073709551615u) == 18446744073709551616.0", "true"},
      {"double('-5.43e-21')", "-5.43e-21"},
      {"double('-0.0')", "-0.0"},
      {"double('Infinity')", "Infinity"},
      {"string(123)", "'123'"},
      {"string(9876u)", "'9876'"},
      {"string(-4.5e-3)", "'-0.0045'"},
      {"string(yes)", "'true'"},
      {"string(double('NaN')) + string(1.0 / 0.0)", "'NaNInfinity'"},
      {R"(string(b'\303\277'))", "'ÿ'"},
      {"string(duration('1000000s'))", "'1000000s'"},
      {"string(duration('-1.5ms'))", "'-0.0015s'"},
      {"string(timestamp('2009-02-13T23:31:30Z'))", "'2009-02-13T23:31:30Z'"},
      {"string(timestamp('9999-12-31T23:59:59.999999999Z'))", "'9999-12-31T23:59:59.999999999Z'"},
      {"string(timestamp('0001-01-01T00:00:00Z'))", "'0001-01-01T00:00:00Z'"},
      {"bytes('ÿ')", R"(b'\xc3\xbf')"},
      {"bytes(b'a') + bytes('')", "b'a'"},
      {"bool('true') && bool('1') && bool('t') && bool('True') && bool('TRUE')", "true"},
      {"bool('false') || bool('0') || bool('f') || bool('False') || bool('FALSE')", "false"},
      {"timestamp(1234567890)", "2009-02-13T23:31:30Z"},
      {"timestamp('2009-02-14T00:31:30+01:00')", "2009-02-13T23:31:30Z"},
      {"duration(5m) == 5m && timestamp(now) == now && int(1) == 1 && bool(yes)", "true"},
  };
  expect_shown(rows);
}

TEST(Conversions, OfWhatDoesNotFitAreErrors) {
  for (const char* text : {
           "int(dyn(18446744073709551615u))",
           "int(dyn(9223372036854775808.0))",
           "int(dyn(-9223372036854775808.0))",
           "int(dyn(1e99))",
           "int(dyn(double('NaN')))",
           "int(dyn('1.5'))",
           "int(dyn(''))",
           "int(dyn('9223372036854775808'))",
           "uint(dyn(-1))",
           "uint(dyn(-0.5))",
           "uint(dyn(18446744073709551616.0))",
           "uint(dyn('-1'))",
           "double(dyn('1e999'))",
           "double(dyn('one'))",
           "bool(dyn('yes'))",
           "bool(dyn('tRuE'))",
           R"(string(dyn(b'\000\xff')))",
           R"(string(dyn(b'\xed\xa0\x80')))",  // a surrogate
           "timestamp(dyn(253402300800))",
           "timestamp(dyn(-62135596801))",
           "string(dyn([1]))",
           "int(dyn(null))",
           "bytes(dyn(1))",
       }) {
    // Written out it is refused when it is loaded, otherwise an error when it runs.
    const Compiled out = compile(text, declarations());
    if (const auto* program = std::get_if<Program>(&out)) {
      EXPECT_TRUE(program->evaluate(World{}).is_error()) << text;
    } else {
      EXPECT_EQ(std::get<std::vector<Problem>>(out).size(), 1U) << text;
    }
  }
}

TEST(Durations, AreReadAsTheDefinitionHasThem) {
  const Shown rows[] = {
      {"duration('1.5h')", "1h30m"},
      {"duration('2h45m') == duration('165m')", "true"},
      {"duration('1m1h')", "1h1m"},
      {"string(duration('-1.5h'))", "'-5400s'"},
      {"duration('+250ms')", "250ms"},
      {"duration('.5s')", "500ms"},
      {"duration('1ns')", "duration('0.000000001s')"},
      {"duration('1us') == duration('1000ns')", "true"},
      {"duration('1d') == 24h", "true"},
      {"duration('9223372036s').getSeconds()", "9223372036"},
      {"duration('-9223372036.854775808s').getSeconds()", "-9223372036"},
      {"string(duration('1.000000001s'))", "'1.000000001s'"},
  };
  expect_shown(rows);
  for (const char* text :
       {"", "5", "s", "1.5.5s", "1 s", "5 minutes", "1x", "--1s", "1h-5m", "1e3s", "."})
    EXPECT_NE(problem("duration('" + std::string(text) + "')").find("is not a duration"),
              std::string::npos)
        << text;
  for (const char* text : {"320000000000s", "-320000000000s", "9223372036.854775808s",
                           "99999999999999999999h", "106752d"})
    EXPECT_NE(problem("duration('" + std::string(text) + "')").find("292 years"), std::string::npos)
        << text;
}

TEST(Timestamps, AreReadAsRfc3339) {
  for (const char* text :
       {"0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2009-02-30T00:00:00Z",
        "2009-02-13 23:31:30Z", "2009-02-13T24:00:00Z", "2009-02-13T23:31:30", "2009-02-13",
        "2009-02-13T23:31:30.Z", "2009-02-13T23:31:30+0100", "2009-02-13T23:31:30+24:00",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01", ""})
    EXPECT_NE(problem("timestamp('" + std::string(text) + "')").find("is not a timestamp"),
              std::string::npos)
        << text;
  EXPECT_EQ(shown("timestamp('2024-02-29T00:00:00.000000001Z')"), "2024-02-29T00:00:00.000000001Z");
}

TEST(Timestamps, AddAndSubtractToTheNanosecond) {
  const Shown rows[] = {
      {"timestamp('2009-02-13T23:00:00Z') + 4m", "2009-02-13T23:04:00Z"},
      {"2m + timestamp('2009-02-13T23:01:00Z')", "2009-02-13T23:03:00Z"},
      {"timestamp('2009-02-13T23:10:00Z') - 10m", "2009-02-13T23:00:00Z"},
      {"timestamp('2009-02-13T23:31:00Z') - timestamp('2009-02-13T23:29:00Z')", "2m"},
      {"timestamp('1970-01-01T00:00:00Z') - timestamp('1970-01-01T00:00:00.5Z') == "
       "duration('-0.5s')",
       "true"},
      {"timestamp('1970-01-01T00:00:01.25Z') - timestamp('1970-01-01T00:00:00.5Z')", "750ms"},
      {"10m + 50s", "10m50s"},
      {"1m - 30s", "30s"},
      {"timestamp('0001-01-01T00:00:01.000000001Z') + duration('-999999999ns')",
       "0001-01-01T00:00:00.000000002Z"},
      {"timestamp('0001-01-01T00:00:01.999999999Z') + duration('999999999ns')",
       "0001-01-01T00:00:02.999999998Z"},
      {"timestamp('2000-01-01T00:00:00Z') < timestamp('2000-01-01T00:00:00.000000001Z')", "true"},
      {"duration('1ns') < duration('2ns') && 3m <= 3m && 5m > 3m", "true"},
  };
  expect_shown(rows);
  for (const char* text : {
           "timestamp('0001-01-01T00:00:00Z') + duration('-1ns')",
           "timestamp('0001-01-01T00:00:00Z') - duration('1ns')",
           "timestamp('9999-12-31T23:59:59Z') + 1s",
           "timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')",
       })
    EXPECT_NE(shown(text).find("outside of the years 1 to 9999"), std::string::npos) << text;
  for (const char* text : {
           "timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')",
           "timestamp('0001-01-01T00:00:00Z') - timestamp('9999-12-31T23:59:59Z')",
           "duration('9000000000s') + duration('9000000000s')",
           "duration('-9000000000s') - duration('9000000000s')",
       })
    EXPECT_TRUE(shown(text).find("overflow in") != std::string::npos) << text;
}

TEST(Timestamps, HaveParts) {
  World world;
  world.values.set("now", Timestamp{1234567890, 123456789});  // Friday, 2009-02-13T23:31:30 UTC
  const Shown rows[] = {
      {"now.getFullYear()", "2009"},
      {"now.getMonth()", "1"},
      {"now.getDate()", "13"},
      {"now.getDayOfMonth()", "12"},
      {"now.getDayOfWeek()", "5"},
      {"now.getDayOfYear()", "43"},
      {"now.getHours()", "23"},
      {"now.getMinutes()", "31"},
      {"now.getSeconds()", "30"},
      {"now.getMilliseconds()", "123"},
      {"now.getDate('Australia/Sydney')", "14"},
      {"now.getDayOfMonth('US/Central')", "12"},
      {"now.getDayOfMonth('+11:00')", "13"},
      {"now.getDayOfWeek('UTC')", "5"},
      {"now.getDayOfWeek('+02:00')", "6"},
      {"now.getFullYear('-09:30')", "2009"},
      {"now.getHours('02:00')", "1"},
      {"now.getHours('Europe/Berlin')", "0"},
      {"now.getMinutes('Asia/Kathmandu')", "16"},
      {"now.getSeconds('-00:00')", "30"},
      {"now.getMilliseconds('Europe/Berlin')", "123"},
      {"timestamp('2009-02-13T02:00:00Z').getDayOfMonth('America/St_Johns')", "11"},
      {"timestamp('2009-02-13T02:00:00Z').getDayOfMonth('-02:30')", "11"},
      {"timestamp('2026-07-01T12:00:00Z').getHours('Europe/Berlin')", "14"},  // summer
      {"timestamp('2026-01-01T12:00:00Z').getHours('Europe/Berlin')", "13"},  // winter
      {"timestamp('0001-01-01T00:00:00Z').getFullYear('-01:00')", "0"},
      {"timestamp('1969-12-31T23:59:59.5Z').getMilliseconds()", "500"},
      {"now.getHours(yes ? '+01:00' : 'UTC')", "0"},
      {"now.getHours(labels.role)",
       "error: 'edge' is not an offset like +01:00; the name of a time zone must be written out"},
      {"dyn(now).getHours()", "23"},
      {"dyn(1).getHours()", "error: a method of timestamps does not take int"},
      {"dyn(5m).getDate()", "error: this method does not take duration"},
  };
  for (const Shown& row : rows) EXPECT_EQ(shown(row.text, world), row.shown) << row.text;
}

TEST(Durations, HaveParts) {
  const Shown rows[] = {
      {"duration('10000s').getHours()", "2"},
      {"duration('3730s').getMinutes()", "62"},
      {"duration('3730s').getSeconds()", "3730"},
      {"duration('123.321456789s').getMilliseconds()", "321"},
      {"duration('-1.5s').getSeconds()", "-1"},
      {"5m.getSeconds()", "300"},
  };
  expect_shown(rows);
}

TEST(TimeZones, AreOffsetsOrNamesOfTheDatabase) {
  EXPECT_EQ(fixed_zone("+05:45"), 20700);
  EXPECT_EQ(fixed_zone("-09:30"), -34200);
  EXPECT_EQ(fixed_zone("UTC"), 0);
  for (const char* text : {"", "+", "5:45", "+05:60", "+24:00", "+05:4", "+05-45", "Z", "+0545"})
    EXPECT_EQ(fixed_zone(text), std::nullopt) << text;
  ASSERT_NE(load_zone("Europe/Paris"), nullptr);
  EXPECT_EQ(load_zone("Europe/Paris")->seconds_east(1782864000), 7200);
  for (const char* name :
       {"", "Nowhere/Town", "localtime", "/etc/passwd", "/usr/share/zoneinfo/Europe/Paris",
        "../../../etc/localtime", "file:Europe/Paris", "libc:UTC", "Europe", "Europe//Paris",
        "Europe/", "Europe/Paris\n", "tzdata.zi", "Europe/Paris Europe/Paris"})
    EXPECT_EQ(load_zone(name), nullptr) << name;
  EXPECT_EQ(load_zone(std::string_view("Europe/Paris\0x", 14)), nullptr);
  EXPECT_EQ(load_zone(std::string(65, 'A')), nullptr);
}

TEST(Macros, AreLogicOverElements) {
  const Shown rows[] = {
      {"[1, 2, 3].exists(e, e == 2)", "true"},
      {"[1, 2, 3].exists(e, e > 3)", "false"},
      {"[].exists(e, e == 2)", "false"},
      {"[1, 2, 3].exists(e, e / 0 == 17)", "error: division by zero in 1 / 0"},
      {"[0, 1].exists(e, 1 / e == 1)", "true"},  // error || true
      {"{'a': 1, 'b': 2}.exists(k, k == 'b')", "true"},
      {"{'key': 1, 1: 21}.exists(k, k != 2)", "true"},
      {"[1, 2, 3].all(e, e > 0)", "true"},
      {"[].all(e, e > 0)", "true"},
      {"[1, 2, 3].all(e, 6 / (2 - e) == 6)", "false"},  // error && false
      {"[1, 2, 3].all(e, e / 0 != 17)", "error: division by zero in 1 / 0"},
      {"[1, 'foo', 3].all(e, e % 2 == 1)", "error: there is no string % int"},
      {"[1, 2].all(e, unset)", "unknown (unset)"},
      {"[1, 2].all(e, unset && e > 5)", "false"},
      {"[6, 7, 8].exists_one(e, e % 5 == 2)", "true"},
      {"[0, 1, 2, 3].exists_one(e, e % 2 == 1)", "false"},
      {"[].exists_one(e, e == 7)", "false"},
      {"[3, 2, 1, 0].exists_one(n, 12 / n > 1)", "error: division by zero in 12 / 0"},
      {"{6: 'six', 7: 'seven', 8: 'eight'}.exists_one(k, k % 5 == 2)", "true"},
      {"[2, 4, 6].map(n, n / 2)", "[1, 2, 3]"},
      {"[].map(n, n / 2)", "[]"},
      {"[2, 1, 0].map(n, 4 / n)", "error: division by zero in 4 / 0"},
      {"{1: 1, 2: 4, 3u: 9}.map(k, k)", "[1, 2, 3u]"},
      {"[1, 2, 3, 4].map(n, n > 2, n * n)", "[9, 16]"},
      {"[0, 1, 2, 3, 4].filter(x, x % 2 == 1)", "[1, 3]"},
      {"[3, 2, 1, 0].filter(n, 12 / n > 4)", "error: division by zero in 12 / 0"},
      {"{0: 10, 1: 11, 2: 12}.filter(x, x > 0)", "[1, 2]"},
      {"[[1, 2], [3]].map(x, x.map(y, y * 2))", "[[2, 4], [6]]"},
      {"[1, 2].map(x, [3].map(x, x + 1)[0] + x)", "[5, 6]"},  // the inner x hides the outer
      {"has({'a': null}.a) && !has({'a': 1}.b)", "true"},
      {"has(body.a)", "unknown (body)"},
  };
  expect_shown(rows);
}

}  // namespace functions_test
}  // namespace firebreak::cel
