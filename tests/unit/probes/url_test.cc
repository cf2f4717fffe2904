// Which URLs a probe may ask for, and where redirects lead.
#include "probes/url.h"

#include <gtest/gtest.h>

namespace firebreak::probes {
namespace {

Url parse(const std::string& text) {
  const auto url = parse_url(text);
  EXPECT_TRUE(url) << (url ? "" : url.error().message);
  return url ? *url : Url{};
}

std::string lead(const std::string& from, const std::string& location) {
  const auto url = resolve_redirect(parse(from), location);
  return url ? to_string(*url) : url.error().message;
}

TEST(Url, HasPartsAndDefaults) {
  EXPECT_EQ(parse("http://host"), (Url{false, "host", 80, "/"}));
  EXPECT_EQ(parse("https://host:8443/a%20b?c=d"), (Url{true, "host", 8443, "/a%20b?c=d"}));
  EXPECT_EQ(parse("https://[::1]/"), (Url{true, "::1", 443, "/"}));
}

TEST(Url, IsWrittenForTheHostHeader) {
  EXPECT_EQ(host_header(parse("https://host:443/")), "host");
  EXPECT_EQ(host_header(parse("http://host:443/")), "host:443");
  EXPECT_EQ(host_header(parse("http://[::1]:8080/")), "[::1]:8080");
}

TEST(Url, WhatCannotBeAskedIsRefused) {
  for (const char* text : {"",
                           "host",
                           "/path",
                           "ftp://host/",
                           "http://",
                           "http:///path",
                           "http://user:pw@host/",
                           "http://host/#part",
                           "http://host:0/",
                           "http://host:65536/",
                           "http://host:.com/",
                           "http://host:x",
                           "http://ho st/",
                           "http://host/a b",
                           "http://host%0d%0aEvil/",
                           "http://host%3A1/",
                           "http://%3A%3A1/",
                           "http://[v1.a]/",
                           "http://host/\r\nEvil: 1",
                           "http://host%00/"})
    EXPECT_FALSE(parse_url(text)) << text;
  EXPECT_FALSE(parse_url("http://host/" + std::string(10000, 'x')));
}

TEST(Url, RedirectsResolveAgainstTheirBase) {
  EXPECT_EQ(lead("https://a/b/c?d", "e"), "https://a/b/e");
  EXPECT_EQ(lead("https://a/b/c?d", "/e?f"), "https://a/e?f");
  EXPECT_EQ(lead("https://a/b", "//other:444/x"), "https://other:444/x");
  EXPECT_EQ(lead("https://a/b", "http://other/x#part"), "http://other/x");
  EXPECT_NE(lead("https://a/b", "javascript:alert(1)").find("only http"), std::string::npos);
}

TEST(Url, OriginIsSchemeHostAndPort) {
  const Url base = parse("https://host/a");

  EXPECT_TRUE(same_origin(base, parse("https://host:443/b")));
  EXPECT_FALSE(same_origin(base, parse("http://host:443/b")));
  EXPECT_FALSE(same_origin(base, parse("https://host:444/b")));
  EXPECT_FALSE(same_origin(base, parse("https://other/b")));
}

TEST(Url, MetadataAddressesAreKnownHoweverSpelled) {
  const auto is_metadata = [](const char* text) {
    return is_metadata_address(boost::asio::ip::make_address(text));
  };

  for (const char* text :
       {"169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254"})
    EXPECT_TRUE(is_metadata(text)) << text;
  for (const char* text : {"127.0.0.1", "10.0.0.1", "::1", "fd00:ec2::253", "169.253.1.1"})
    EXPECT_FALSE(is_metadata(text)) << text;
}

}  // namespace
}  // namespace firebreak::probes
