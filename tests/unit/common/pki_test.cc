// The authority and its certificates: what is written, what is refused, what is read back.
#include "common/pki.h"

#include <openssl/asn1.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/forge.h"
#include "tests/support/temp_dir.h"

namespace firebreak::pki {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 3h};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

std::vector<std::string> files_below(const std::string& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir))
    if (entry.is_regular_file())
      names.insert(std::filesystem::relative(entry.path(), dir).string());
  return {names.begin(), names.end()};
}

class Pki : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(init_ca(dir_.path(), "prod", kNow)); }

  KeyPairFiles make(Role role, const std::string& name) {
    IssueRequest request{role, name, {}, 30};
    if (role == Role::coordinator) request.hosts = {"coordinator.example", "192.0.2.7"};
    const auto files = issue(dir_.path(), request, kNow);
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return files ? *files : KeyPairFiles{};
  }
  Error refusal(IssueRequest request) {
    const auto files = issue(dir_.path(), request, kNow);
    return files ? Error{} : files.error();
  }

  firebreak::testing::TempDir dir_;
};

TEST_F(Pki, AuthoritySignsEndEntitiesOnly) {
  const auto certificate = firebreak::testing::read_certificate(dir_ / "ca.crt");

  EXPECT_EQ(X509_check_ca(certificate.get()), 1);
  EXPECT_EQ(X509_get_pathlen(certificate.get()), 0);
  EXPECT_EQ(X509_get_key_usage(certificate.get()), unsigned{KU_KEY_CERT_SIGN});
}

TEST_F(Pki, AuthorityLivesTenYears) {
  const auto info = read_certificate_info(dir_ / "ca.crt");

  ASSERT_TRUE(info);
  EXPECT_EQ(info->not_before, kNow - 5min);
  EXPECT_EQ(info->not_after, kNow + 24h * 3652);
  EXPECT_FALSE(info->identity);
}

TEST_F(Pki, KeysAreForTheirOwnerAlone) {
  const KeyPairFiles agent = make(Role::agent, "web-1");

  EXPECT_EQ(mode_of(dir_ / "ca.key"), mode_t{0600});
  EXPECT_EQ(mode_of(agent.key), mode_t{0600});
  EXPECT_EQ(mode_of(agent.certificate) & 0600, mode_t{0600});
}

TEST_F(Pki, EachRoleHasItsFolderAndNothingIsLeftBehind) {
  make(Role::agent, "web-1");
  make(Role::operator_, "ann");
  make(Role::coordinator, "main");

  EXPECT_THAT(files_below(dir_.path()),
              ElementsAre("agents/web-1.crt", "agents/web-1.key", "ca.crt", "ca.key",
                          "coordinators/main.crt", "coordinators/main.key", "operators/ann.crt",
                          "operators/ann.key"));
}

TEST_F(Pki, NeverOverwritesTheAuthority) {
  for (const char* left : {"ca.key", "ca.crt"}) {
    const firebreak::testing::TempDir other;
    std::ofstream(other / left) << "precious";

    const auto again = init_ca(other.path(), "prod", kNow);

    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::already_exists);
    EXPECT_THAT(again.error().message, HasSubstr(left));
    EXPECT_THAT(files_below(other.path()), ElementsAre(left));
  }
}

TEST_F(Pki, NeverOverwritesACertificate) {
  make(Role::agent, "web-1");

  EXPECT_EQ(refusal({Role::agent, "web-1", {}, 30}).code, Errc::already_exists);
}

TEST_F(Pki, ReadsBackWhoAndUntilWhen) {
  const auto info = read_certificate_info(make(Role::operator_, "ann").certificate);

  ASSERT_TRUE(info);
  EXPECT_EQ(info->identity, (Identity{Role::operator_, "ann"}));
  EXPECT_EQ(info->not_before, kNow - 5min);
  EXPECT_EQ(info->not_after, kNow + 24h * 30);
}

TEST_F(Pki, OnlyACoordinatorMayServe) {
  const auto usage = [&](Role role, const std::string& name) {
    return X509_get_extended_key_usage(
        firebreak::testing::read_certificate(make(role, name).certificate).get());
  };

  EXPECT_EQ(usage(Role::agent, "web-1"), unsigned{XKU_SSL_CLIENT});
  EXPECT_EQ(usage(Role::operator_, "ann"), unsigned{XKU_SSL_CLIENT});
  EXPECT_EQ(usage(Role::coordinator, "main"), unsigned{XKU_SSL_SERVER});
}

TEST_F(Pki, CoordinatorCarriesItsHosts) {
  const auto certificate =
      firebreak::testing::read_certificate(make(Role::coordinator, "main").certificate);

  EXPECT_EQ(X509_check_host(certificate.get(), "coordinator.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "192.0.2.7", 0), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "main", 0, 0, nullptr), 0);
}

TEST_F(Pki, SerialsAreLongAndDiffer) {
  std::set<std::string> serials;
  for (int i = 0; i < 8; ++i) {
    const auto certificate = firebreak::testing::read_certificate(
        make(Role::agent, "web-" + std::to_string(i)).certificate);
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate.get());
    serials.insert({ASN1_STRING_get0_data(serial),
                    ASN1_STRING_get0_data(serial) + ASN1_STRING_length(serial)});
  }

  EXPECT_EQ(serials.size(), 8u);
  for (const std::string& serial : serials) EXPECT_GT(serial.size(), 8u);
}

TEST_F(Pki, RefusesWhatCannotBeIssued) {
  struct Case {
    IssueRequest request;
    Errc code;
    const char* says;
  };
  const std::vector<Case> cases{
      {{Role::agent, "", {}, 30}, Errc::invalid_argument, "start with a letter or digit"},
      {{Role::agent, "../ca", {}, 30}, Errc::invalid_argument, "'../ca' is not a name"},
      {{Role::agent, "a/b", {}, 30}, Errc::invalid_argument, "not a name"},
      {{Role::agent, "Web", {}, 30}, Errc::invalid_argument, "not a name"},
      {{Role::agent, "web\n", {}, 30}, Errc::invalid_argument, "'web\\n'"},
      {{Role::agent, std::string(64, 'a'), {}, 30}, Errc::invalid_argument, "63"},
      {{Role::agent, "web", {}, 0}, Errc::invalid_argument, "1 to 3650 days"},
      {{Role::agent, "web", {}, 3651}, Errc::invalid_argument, "1 to 3650 days"},
      {{Role::agent, "web", {"h"}, 30}, Errc::invalid_argument, "drop --host"},
      {{Role::coordinator, "main", {}, 30}, Errc::invalid_argument, "add --host"},
      {{Role::coordinator, "main", {"*.example"}, 30}, Errc::invalid_argument, "'*.example'"},
      {{Role::coordinator, "main", {"a,DNS:b"}, 30}, Errc::invalid_argument, "neither"},
      {{Role::coordinator, "main", {"a..b"}, 30}, Errc::invalid_argument, "neither"},
      {{Role::coordinator, "main", {"example."}, 30}, Errc::invalid_argument, "neither"},
      {{Role::coordinator, "main", {"-a"}, 30}, Errc::invalid_argument, "neither"},
      {{Role::coordinator, "main", {""}, 30}, Errc::invalid_argument, "neither"},
      {{Role::coordinator, "main", std::vector<std::string>(65, "h"), 30},
       Errc::resource_exhausted,
       "64"},
  };
  for (const Case& c : cases) {
    const Error error = refusal(c.request);
    EXPECT_EQ(error.code, c.code) << c.says;
    EXPECT_THAT(error.message, HasSubstr(c.says));
  }
  EXPECT_THAT(files_below(dir_.path()), ElementsAre("ca.crt", "ca.key"));
}

TEST_F(Pki, RefusesToOutliveTheAuthority) {
  const auto late =
      issue(dir_.path(), {Role::agent, "web-1", {}, 3650}, kNow + std::chrono::days(30));

  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::failed_precondition);
}

TEST_F(Pki, RefusesAKeyThatIsNotTheAuthoritys) {
  const firebreak::testing::TempDir other;
  ASSERT_TRUE(init_ca(other.path(), "prod", kNow));
  std::filesystem::copy_file(other / "ca.key", dir_ / "ca.key",
                             std::filesystem::copy_options::overwrite_existing);

  EXPECT_EQ(refusal({Role::agent, "web-1", {}, 30}).code, Errc::failed_precondition);
}

TEST_F(Pki, RefusesAnAuthoritysKeyThatOthersMayRead) {
  std::filesystem::permissions(dir_ / "ca.key", std::filesystem::perms{0644});

  EXPECT_EQ(refusal({Role::agent, "web-1", {}, 30}).code, Errc::permission_denied);
}

TEST(PkiFolder, SaysHowToBegin) {
  const firebreak::testing::TempDir empty;

  const auto files = issue(empty.path(), {Role::agent, "web-1", {}, 30}, kNow);

  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Errc::not_found);
  EXPECT_THAT(files.error().message, HasSubstr("firebreak pki init"));
  EXPECT_THAT(files_below(empty.path()), IsEmpty());
}

TEST_F(Pki, SaysWhichFileGoesWhere) {
  const IssueRequest request{Role::operator_, "ann", {}, 30};
  const KeyPairFiles files = make(Role::operator_, "ann");

  const std::string text = describe_issued(dir_.path(), request, files);

  EXPECT_THAT(text, HasSubstr("spiffe://firebreak/operator/ann, valid 30 days"));
  EXPECT_THAT(text, HasSubstr(files.key + "  as ~/.config/firebreak/operator.key, mode 0600"));
  EXPECT_THAT(text, HasSubstr((dir_ / "ca.crt") + "  as ~/.config/firebreak/ca.crt"));
  EXPECT_THAT(describe_authority(dir_.path(), {dir_ / "ca.crt", dir_ / "ca.key"}),
              HasSubstr((dir_ / "ca.key") + "  signs every certificate"));
}

TEST_F(Pki, CertificateWithTwoNamesIsNobodys) {
  const KeyPairFiles agent = make(Role::agent, "web-1");
  firebreak::testing::forge(
      agent.certificate, dir_ / "two.crt", dir_ / "ca.key", [](X509* certificate) {
        firebreak::testing::replace_names(
            certificate, "URI:spiffe://firebreak/agent/web-1,URI:spiffe://firebreak/operator/ann");
      });

  const auto info = read_certificate_info(dir_ / "two.crt");

  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, Errc::permission_denied);
}

TEST_F(Pki, DamagedFilesAreNamed) {
  std::ofstream(dir_ / "junk") << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  std::ofstream(dir_ / "huge") << std::string(70000, 'x');

  for (const auto& [name, code] :
       std::vector<std::pair<std::string, Errc>>{{"junk", Errc::invalid_argument},
                                                 {"huge", Errc::resource_exhausted},
                                                 {"absent", Errc::not_found}}) {
    const auto info = read_certificate_info(dir_ / name);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, code) << name;
    EXPECT_THAT(info.error().message, HasSubstr(dir_ / name));
  }
}

TEST_F(Pki, TlsMaterialMustBelongTogether) {
  const KeyPairFiles web = make(Role::agent, "web-1");
  const KeyPairFiles db = make(Role::agent, "db-1");
  const firebreak::testing::TempDir other;
  ASSERT_TRUE(init_ca(other.path(), "prod", kNow));

  const auto fine = read_tls_material({web.certificate, web.key, dir_ / "ca.crt"});
  const auto wrong_key = read_tls_material({web.certificate, db.key, dir_ / "ca.crt"});
  const auto wrong_ca = read_tls_material({web.certificate, web.key, other / "ca.crt"});

  ASSERT_TRUE(fine);
  EXPECT_EQ(fine->identity, (Identity{Role::agent, "web-1"}));
  ASSERT_FALSE(wrong_key);
  EXPECT_THAT(wrong_key.error().message, HasSubstr("is not the key of"));
  ASSERT_FALSE(wrong_ca);
  EXPECT_THAT(wrong_ca.error().message, HasSubstr("was not issued by the authority"));
}

TEST_F(Pki, ExpiredMaterialIsStillRead) {
  const auto files = issue(dir_.path(), {Role::agent, "old", {}, 1}, kNow - std::chrono::days(900));
  ASSERT_TRUE(files);

  EXPECT_TRUE(read_tls_material({files->certificate, files->key, dir_ / "ca.crt"}));
}

TEST(ParseIdentity, ReadsWhatIdentityUriWrites) {
  for (const Role role : {Role::agent, Role::operator_, Role::coordinator}) {
    const Identity identity{role, "a.b_c-1"};
    const auto parsed = parse_identity(identity_uri(identity));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, identity);
  }
  EXPECT_EQ(identity_uri({Role::operator_, "ann"}), "spiffe://firebreak/operator/ann");
}

TEST(ParseIdentity, RefusesEverythingElse) {
  for (const std::string& uri :
       std::vector<std::string>{"",
                                "spiffe://firebreak/",
                                "spiffe://firebreak/agent",
                                "spiffe://firebreak/agent/",
                                "spiffe://firebreak//web",
                                "spiffe://firebreak/agent/web/",
                                "spiffe://firebreak/agent//w",
                                "spiffe://firebreak/agent/a/b",
                                "spiffe://firebreak/agents/web",
                                "spiffe://firebreak/Agent/web",
                                "spiffe://firebreak/root/web",
                                "spiffe://firebreak/operator_/web",
                                "spiffe://firebreak/agent/Web",
                                "spiffe://firebreak/agent/web ",
                                " spiffe://firebreak/agent/web",
                                "spiffe://firebreak/agent/web?x",
                                "spiffe://firebreak/agent/web#x",
                                "spiffe://firebreak/agent/%77eb",
                                "SPIFFE://firebreak/agent/web",
                                "spiffe://firebreak:1/agent/web",
                                "spiffe://other/agent/web",
                                "spiffe://firebreak.example/agent/web",
                                "https://firebreak/agent/web",
                                "spiffe://firebreak/agent/" + std::string(64, 'a'),
                                std::string("spiffe://firebreak/agent/web\0x", 30)}) {
    const auto parsed = parse_identity(uri);
    ASSERT_FALSE(parsed) << uri;
    EXPECT_EQ(parsed.error().code, Errc::permission_denied);
  }
}

}  // namespace
}  // namespace firebreak::pki
