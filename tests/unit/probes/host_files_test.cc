// The kernel's texts become values; texts that are not the kernel's become none.
#include "probes/host_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/ids.h"

namespace firebreak::probes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HostFiles, CpuIsTheShareOfTimeBetweenTwoLooks) {
  const auto before = parse_cpu("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n");
  const auto after = parse_cpu("cpu  150 0 120 720 105 0 0 5 0 0\ncpu0 1 2\ncpu1 1 2\n");
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->processors, 2);
  HostValues values;
  add_cpu(*before, *after, values);
  EXPECT_THAT(values, ElementsAre(NamedValue{"cpu", 75}, NamedValue{"cpu_iowait", 5},
                                  NamedValue{"cpu_steal", 5}));
}

TEST(HostFiles, CpuWithoutTimeOrBackwardsIsNoValue) {
  const CpuTimes times{100, 50, 0, 0, 1};
  HostValues values;
  add_cpu(times, times, values);
  add_cpu(CpuTimes{200, 50, 0, 0, 1}, times, values);
  EXPECT_THAT(values, IsEmpty());
  add_cpu(CpuTimes{100, 50, 10, 0, 1}, CpuTimes{200, 40, 5, 0, 1}, values);
  EXPECT_EQ(values.front(), (NamedValue{"cpu", 100})) << "idle that goes back is no idle time";
}

TEST(HostFiles, CpuRefusesWhatTheKernelDoesNotWrite) {
  for (const char* text : {"", "cpu", "cpu 1 2 3", "cpu 1 2 3 4 5 6 7 x", "intr 1\n",
                           "cpu 1 2 3 4 5 6 7 18446744073709551615", "cpu -1 2 3 4 5 6 7 8"})
    EXPECT_EQ(parse_cpu(text), std::nullopt) << text;
}

TEST(HostFiles, MemoryCountsWhatIsAvailable) {
  HostValues values;
  EXPECT_TRUE(
      add_memory("MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n"
                 "SwapTotal: 200 kB\nSwapFree: 150 kB\n",
                 values));
  EXPECT_THAT(values,
              ElementsAre(NamedValue{"memory_used", 75}, NamedValue{"memory_available", 256000},
                          NamedValue{"swap_used", 25}));
  for (const char* text : {"", "MemTotal: 0 kB\nMemAvailable: 1 kB", "MemTotal 5\nMemAvailable: 3",
                           "MemTotal: 99999999999999999999 kB\nMemAvailable: 1 kB"})
    EXPECT_FALSE(add_memory(text, values)) << text;
}

TEST(HostFiles, LoadFilesAndPressure) {
  HostValues values;
  EXPECT_TRUE(add_load("3.00 2.50 1.25 1/100 4242\n", 2, values));
  EXPECT_TRUE(add_files("250\t0\t1000\n", values));
  EXPECT_TRUE(add_pressure("io",
                           "some avg10=12.50 avg60=0.00 avg300=0.00 total=5\n"
                           "full avg10=2.00 avg60=0.00 avg300=0.00 total=5\n",
                           values));
  EXPECT_THAT(values,
              ElementsAre(NamedValue{"load1", 3}, NamedValue{"load5", 2.5},
                          NamedValue{"load15", 1.25}, NamedValue{"load1_per_cpu", 1.5},
                          NamedValue{"files", 250}, NamedValue{"files_used", 25},
                          NamedValue{"pressure_io", 12.5}, NamedValue{"pressure_io_full", 2}));
  EXPECT_FALSE(add_load("1 2", 1, values));
  EXPECT_FALSE(add_load("nan 1 1", 1, values));
  EXPECT_FALSE(add_files("1 0", values));
  EXPECT_FALSE(add_pressure("io", "some avg10=1e999", values));
}

TEST(HostFiles, DisksAreMeasuredAsDfDoesAndTheFullestCounts) {
  const DiskSpace root{"/", 4096, 100, 50, 30, 1000, 900};
  const DiskSpace logs{"/var/log", 1024, 100, 10, 10, 0, 0};
  HostValues values;
  add_disks({root}, values);
  EXPECT_THAT(values, ElementsAre(NamedValue{"disk_used", 62.5}, NamedValue{"disk_free", 122880},
                                  NamedValue{"inodes_used", 10}));
  values.clear();
  add_disks({root, logs}, values);
  ASSERT_EQ(values.size(), 9u);
  EXPECT_EQ(values[0], (NamedValue{"disk_used", 90}));
  EXPECT_EQ(values[1], (NamedValue{"disk_free", 10240}));
  EXPECT_EQ(values[3].name, "disk_used.root");
  EXPECT_EQ(values[6], (NamedValue{"disk_used.var_log", 90}));
  for (const NamedValue& value : values) EXPECT_TRUE(is_valid_name(value.name)) << value.name;
}

}  // namespace
}  // namespace firebreak::probes
