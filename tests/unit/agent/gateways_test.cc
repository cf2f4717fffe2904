// The kernel's routing tables, as they are and as they should not be.
#include "agent/gateways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kHead =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

TEST(Gateways, OnlyDefaultRoutesWithAGateway) {
  const std::string table =
      std::string(kHead) +
      "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0   \n"  // default via 10.0.0.1
      "eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"     // the network itself
      "eth1\t00000000\t00000000\t0001\t0\t0\t200\t00000000\t0\t0\t0\n"     // no gateway
      "eth1\t000010AC\t0100000A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n"       // not the default
      "eth2\t00000000\tFE01A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"       // not up
      "eth2\t00000000\tFE01A8C0\t0003\t0\t0\t300\t00000000\t0\t0\t0\n"
      "eth3\t00000000\t0100000A\t0003\t0\t0\t400\t00000000\t0\t0\t0\n";  // again

  EXPECT_THAT(ipv4_gateways(table), ElementsAre("10.0.0.1", "192.168.1.254"));
}

TEST(Gateways, LinkLocalOnesKeepTheirInterface) {
  const std::string zero(32, '0');
  const std::string table =
      zero + " 00 " + zero +
      " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n" + zero +
      " 00 " + zero +
      " 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n" + zero +
      " 00 " + zero + " 00 " + zero + " ffffffff 00000001 00000000 00200200       lo\n";

  EXPECT_THAT(ipv6_gateways(table), ElementsAre("fe80::1%eth0", "2001:db8::1"));
}

TEST(Gateways, NonsenseIsNone) {
  for (const char* text : {"", "\n\n", kHead, "a b c d e f g h i j k", "eth0\t00000000\txyz\t0003",
                           "eth0 00000000 zz 0003 0 0 0 00000000", "\t \t"}) {
    EXPECT_THAT(ipv4_gateways(text), IsEmpty()) << text;
    EXPECT_THAT(ipv6_gateways(text), IsEmpty()) << text;
  }
}

TEST(Gateways, AreBounded) {
  std::string table;
  for (char digit = '1'; digit <= '9'; ++digit)
    table += std::string("eth0\t00000000\t0") + digit + "00000A\t0003\t0\t0\t0\t00000000\n";

  EXPECT_EQ(ipv4_gateways(table).size(), 4U);
}

}  // namespace
}  // namespace firebreak::agent
