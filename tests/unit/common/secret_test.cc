// What may be read as a secret, and what must never leave the host as one.
#include "common/secret.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace firebreak {
namespace {

using ::testing::HasSubstr;

class SecretFile : public ::testing::Test {
 protected:
  std::string write(const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_ / "secret";
    std::ofstream(path, std::ios::trunc) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  testing::TempDir folder_;
};

TEST_F(SecretFile, LosesOneNewline) {
  EXPECT_EQ(read_password_file(write("hunter2\n"))->reveal(), "hunter2");
  EXPECT_EQ(read_password_file(write("two\n\n"))->reveal(), "two\n");
}

TEST_F(SecretFile, IsRefusedWhenOthersMayReadIt) {
  const auto secret = read_password_file(write("hunter2", 0644));
  ASSERT_FALSE(secret);
  EXPECT_THAT(secret.error().message, HasSubstr("chmod"));
}

TEST_F(SecretFile, IsFoundForALibraryOnlyWhenItCouldBeRead) {
  const std::string path = write("key", 0600);
  EXPECT_EQ(*secret_file_path(path), path);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_FALSE(secret_file_path(path));
}

TEST_F(SecretFile, CannotMakeTheReaderWait) {
  const std::string path = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read_secret_file(path).error().code, Errc::invalid_argument);
}

TEST_F(SecretFile, APrivateKeyIsNoPassword) {
  const std::string path = write("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n");
  EXPECT_TRUE(read_secret_file(path));
  const auto secret = read_password_file(path);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, Errc::permission_denied);
  EXPECT_THAT(secret.error().message, HasSubstr("never sent"));
}

}  // namespace
}  // namespace firebreak
