// What plugins print, and what somebody hostile prints instead.
#include "probes/plugin_output.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ids.h"
#include "common/limits.h"

namespace firebreak::probes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<Perfdata> items_of(std::string_view text) {
  return parse_plugin_output(std::string("OK|").append(text)).perfdata;
}

TEST(PluginOutput, TakesTextLongTextAndBothPartsOfPerfdata) {
  const PluginOutput output = parse_plugin_output(
      "DISK OK - free space: / 3326 MB (56%); | /=2643B;5948;5958;0;5968\n"
      "/ 15272 MB (77%);\n"
      "/boot 68 MB (69%); | /boot=68B;88;93;0;98\n"
      "/home=69357B;253404;253409;0;253414\n");

  EXPECT_EQ(output.text, "DISK OK - free space: / 3326 MB (56%);");
  EXPECT_EQ(output.more, "/ 15272 MB (77%);\n/boot 68 MB (69%);");
  ASSERT_THAT(output.perfdata, SizeIs(3));
  EXPECT_EQ(output.perfdata[0], (Perfdata{"/", 2643, Range{0, 5948}, Range{0, 5958}, 0.0, 5968.0}));
  EXPECT_EQ(output.perfdata[1].label, "/boot");
  EXPECT_EQ(output.perfdata[2].label, "/home");
}

TEST(PluginOutput, ReadsLabelsUnitsAndRanges) {
  EXPECT_THAT(items_of("time=12ms;@100:200;~:300;0"),
              ElementsAre(Perfdata{"time",
                                   0.012,
                                   Range{0.1, 0.2, true},
                                   Range{-std::numeric_limits<double>::infinity(), 0.3},
                                   0.0,
                                   {}}));
  EXPECT_THAT(items_of("'it''s a = label'=1c used=2KB pct=5%;80;90"),
              ElementsAre(Perfdata{"it's a = label", 1, {}, {}, {}, {}},
                          Perfdata{"used", 2048, {}, {}, {}, {}},
                          Perfdata{"pct", 5, Range{0, 80}, Range{0, 90}, {}, {}}));
}

TEST(PluginOutput, LeavesOutWhatIsNoFiniteNumber) {
  const PluginOutput output =
      parse_plugin_output("OK | a=1e999 b=NaN c=inf d=U e= =5 f 'g=1 'h'x=2 good=7;1e999;nan;x;9");
  EXPECT_THAT(output.perfdata, ElementsAre(Perfdata{"good", 7, {}, {}, {}, 9.0}));
  EXPECT_GT(output.perfdata_refused, 5u);
  EXPECT_THAT(items_of("a=1e308TB"), IsEmpty()) << "conversion leaves the finite numbers";
}

TEST(PluginOutput, WorksWithoutNewlineBarOrAnything) {
  EXPECT_EQ(parse_plugin_output("").text, "");
  EXPECT_EQ(parse_plugin_output("no newline").text, "no newline");
  EXPECT_EQ(parse_plugin_output("\n\nlater").more, "later");
  EXPECT_THAT(parse_plugin_output("x||||\n|").perfdata, IsEmpty());
  EXPECT_EQ(parse_plugin_output(std::string_view("a\0b\x1b[2J|x=1", 10)).text,
            std::string_view("a\0b\x1b[2J", 7));
}

TEST(PluginOutput, IsBounded) {
  std::string many;
  for (int i = 0; i < 500; ++i) many.append(" a=1");
  EXPECT_THAT(items_of(many), SizeIs(limits::kPerfdataItemsMax));
}

TEST(PluginOutput, MakesValidNamesOfLabels) {
  EXPECT_EQ(value_name("/"), "root");
  EXPECT_EQ(value_name("/var/lib"), "var_lib");
  EXPECT_EQ(value_name("Load 1"), "load_1");
  EXPECT_EQ(value_name("///"), "value");
  EXPECT_EQ(value_name(""), "value");
  const std::vector<std::string> labels{"x", "\xff\xfe", "a\nb", "=", std::string(500, 'Z')};
  for (const std::string& label : labels)
    EXPECT_TRUE(is_valid_name(value_name(label) + ".critical_99")) << label;
}

}  // namespace
}  // namespace firebreak::probes
