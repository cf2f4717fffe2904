// The SQLite store: what was committed is there, what was not is not, and what is not ours is
// refused.
#include "coordinator/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::store {
namespace store_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Instant kAt = instant_from_unix_us(1'795'000'000'000'000);

Result<std::shared_ptr<const policy::Policy>> no_policies(std::vector<policy::SourceFile>) {
  return make_error(Errc::internal, "no policy in this test");
}

std::unique_ptr<Store> must_open(const std::string& path) {
  auto store = open_sqlite(path, no_policies);
  if (!store) throw std::runtime_error(store.error().message);
  return std::move(*store);
}

Transaction with_events(std::uint64_t epoch, std::uint64_t first, std::uint64_t count) {
  Transaction transaction;
  transaction.epoch = epoch;
  for (std::uint64_t i = 0; i < count; ++i)
    transaction.journal.push_back(
        {first + i, kAt + Duration{static_cast<std::int64_t>(i)}, core::Started{first + i}});
  return transaction;
}

// The epochs of the Started events, which stand for any content here.
std::vector<std::uint64_t> replayed(Store& store, std::uint64_t after = 0) {
  std::vector<std::uint64_t> seen;
  const auto done = store.replay(after, [&](JournalEntry entry) -> Result<> {
    EXPECT_EQ(entry.position, std::get<core::Started>(entry.event).epoch);
    seen.push_back(entry.position);
    return {};
  });
  EXPECT_TRUE(done) << done.error().message;
  return seen;
}

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  sqlite3_close(db);
}

core::OrderHostAction order(const char* id) {
  core::OrderHostAction action;
  action.action = ActionId(id);
  action.agent = AgentName("web-1");
  return action;
}
core::RunHttpAction http_action(const char* id) {
  core::RunHttpAction action;
  action.action = ActionId(id);
  return action;
}
core::SendNotification notification(const char* id) {
  core::SendNotification sent;
  sent.notification = NotificationId(id);
  sent.receiver = ReceiverName("team");
  return sent;
}

class SqliteStoreTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;
  const std::string path_ = dir_ / "coordinator.db";
};

TEST_F(SqliteStoreTest, ReplaysWhatWasCommittedAfterReopening) {
  {
    const auto store = must_open(path_);
    const std::uint64_t epoch = *store->take_leadership();
    ASSERT_TRUE(store->commit(with_events(epoch, 1, 3)));
    ASSERT_TRUE(store->commit(with_events(epoch, 4, 1)));
  }

  const auto store = must_open(path_);

  EXPECT_THAT(replayed(*store), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(replayed(*store, 1), ElementsAre(2, 3, 4));
  EXPECT_THAT(replayed(*store, 3), ElementsAre(4));
  EXPECT_THAT(replayed(*store, 4), IsEmpty());
}

TEST_F(SqliteStoreTest, StopsReplayWhereTheVisitorSaysSo) {
  const auto store = must_open(path_);
  ASSERT_TRUE(store->commit(with_events(*store->take_leadership(), 1, 3)));

  const auto stopped = store->replay(0, [](const JournalEntry& entry) -> Result<> {
    if (entry.position == 2) return make_error(Errc::internal, "enough");
    return {};
  });

  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "enough");
}

TEST_F(SqliteStoreTest, KeepsTheFileToItsOwner) {
  const auto store = must_open(path_);

  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SqliteStoreTest, RefusesASecondCoordinator) {
  const auto store = must_open(path_);

  const auto second = open_sqlite(path_, no_policies);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::failed_precondition);
  EXPECT_THAT(second.error().message, HasSubstr("in use by another coordinator"));
}

TEST_F(SqliteStoreTest, TakesAHigherEpochEachTime) {
  auto store = must_open(path_);
  EXPECT_EQ(*store->take_leadership(), 1u);
  EXPECT_EQ(*store->take_leadership(), 2u);
  store.reset();
  EXPECT_EQ(*must_open(path_)->take_leadership(), 3u);
}

TEST_F(SqliteStoreTest, RefusesAWriteOfAnOlderEpoch) {
  const auto store = must_open(path_);
  const std::uint64_t epoch = *store->take_leadership();
  Transaction first = with_events(epoch, 1, 1);
  ASSERT_TRUE(store->commit(first));
  run_sql(path_, "UPDATE lease SET epoch = epoch + 1");

  const auto late = store->commit(with_events(epoch, 2, 1));

  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::failed_precondition);
  EXPECT_THAT(late.error().message, HasSubstr("epoch 2 leads"));
  EXPECT_THAT(replayed(*store), ElementsAre(1));
}

TEST_F(SqliteStoreTest, DropsEffectsWhenTheyHaveEnded) {
  const auto store = must_open(path_);
  const std::uint64_t epoch = *store->take_leadership();
  Transaction transaction = with_events(epoch, 1, 1);
  transaction.outbox = {order("a-1"), http_action("a-2"), notification("n-1"), order("a-3")};
  ASSERT_TRUE(store->commit(transaction));

  const auto before = *store->outbox();
  Transaction ended = with_events(epoch, 2, 1);
  ended.actions_done = {ActionId("a-1"), ActionId("a-2")};
  ended.notifications_done = {NotificationId("n-1")};
  ASSERT_TRUE(store->commit(ended));
  const auto after = *store->outbox();

  ASSERT_EQ(before.size(), 4u);
  EXPECT_EQ(std::get<core::SendNotification>(before[2].effect).notification.str(), "n-1");
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(std::get<core::OrderHostAction>(after[0].effect).action.str(), "a-3");
}

TEST_F(SqliteStoreTest, KeepsIncidentsAsDocuments) {
  const auto store = must_open(path_);
  const std::uint64_t epoch = *store->take_leadership();
  core::Incident open, older, newer;
  open.id = IncidentId("INC-open");
  older.id = IncidentId("INC-older");
  older.resolved = kAt;
  newer.id = IncidentId("INC-newer");
  newer.opened = kAt;
  newer.resolved = kAt;
  Transaction transaction = with_events(epoch, 1, 1);
  transaction.incidents = {&open, &older, &newer};
  ASSERT_TRUE(store->commit(transaction));
  open.title = "changed";
  transaction = with_events(epoch, 2, 1);
  transaction.incidents = {&open};
  ASSERT_TRUE(store->commit(transaction));

  const auto past = *store->past_incidents(10);
  const auto found = *store->find_incident(open.id);

  ASSERT_EQ(past.size(), 2u);
  EXPECT_EQ(past[0].id, newer.id);
  EXPECT_EQ(past[1].id, older.id);
  EXPECT_EQ(store->past_incidents(1)->size(), 1u);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "changed");
  EXPECT_FALSE(*store->find_incident(IncidentId("INC-none")));
}

// The child commits one event after the other and says so through a pipe; it is killed after some
// of them, at a moment of the scheduler's choosing.
void commit_until_killed(const std::string& path, int said) {
  const auto store = must_open(path);
  const std::uint64_t epoch = *store->take_leadership();
  for (std::uint64_t position = replayed(*store).size() + 1;; ++position) {
    if (!store->commit(with_events(epoch, position, 1))) ::_exit(1);
    if (::write(said, "x", 1) != 1) ::_exit(1);
  }
}

TEST_F(SqliteStoreTest, LosesNothingThatWasCommittedWhenKilled) {
  std::uint64_t acknowledged = 0;
  for (const int kill_after : {1, 2, 7, 40}) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_fds[0]);
      commit_until_killed(path_, pipe_fds[1]);
    }
    ::close(pipe_fds[1]);
    char byte = 0;
    for (int i = 0; i < kill_after && ::read(pipe_fds[0], &byte, 1) == 1; ++i) ++acknowledged;
    ::kill(child, SIGKILL);
    while (::read(pipe_fds[0], &byte, 1) == 1) ++acknowledged;
    ::close(pipe_fds[0]);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);

    const auto store = must_open(path_);
    const std::uint64_t kept = replayed(*store).size();
    EXPECT_GE(kept, acknowledged);
    EXPECT_LE(kept, acknowledged + 1);  // committed, and killed before it was said
    acknowledged = kept;
  }
  EXPECT_GE(acknowledged, 50u);
}

TEST_F(SqliteStoreTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(8192, 'x');

  const auto store = open_sqlite(path_, no_policies);

  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::corrupt);
  EXPECT_THAT(store.error().message, HasSubstr(path_));
}

TEST_F(SqliteStoreTest, RefusesAnotherProgramsDatabase) {
  run_sql(path_, "CREATE TABLE t(x)");

  const auto store = open_sqlite(path_, no_policies);

  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("another program"));
}

TEST_F(SqliteStoreTest, RefusesANewerSchema) {
  must_open(path_).reset();
  run_sql(path_, "PRAGMA user_version=99");

  const auto store = open_sqlite(path_, no_policies);

  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("schema version 99"));
}

TEST_F(SqliteStoreTest, RefusesAFolderThatIsNotThere) {
  const auto store = open_sqlite(dir_ / "none/coordinator.db", no_policies);

  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("folder must exist"));
}

TEST_F(SqliteStoreTest, RefusesATornFile) {
  {
    const auto store = must_open(path_);
    const std::uint64_t epoch = *store->take_leadership();
    for (std::uint64_t i = 0; i < 20; ++i)
      ASSERT_TRUE(store->commit(with_events(epoch, 1 + i * 500, 500)));
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2 / 4096 * 4096);

  const auto store = open_sqlite(path_, no_policies);
  const Result<> result =
      store ? (*store)->replay(0, [](const JournalEntry&) -> Result<> { return {}; })
            : Result<>(store.error());

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::corrupt);
}

struct Damage {
  const char* name;
  const char* sql;
};
class DamagedStore : public SqliteStoreTest, public ::testing::WithParamInterface<Damage> {};

TEST_P(DamagedStore, IsRefusedWhenItIsRead) {
  {
    const auto store = must_open(path_);
    const std::uint64_t epoch = *store->take_leadership();
    core::Incident incident;
    incident.id = IncidentId("INC-1");
    incident.resolved = kAt;
    Transaction transaction = with_events(epoch, 1, 2);
    transaction.outbox = {order("a-1")};
    transaction.incidents = {&incident};
    ASSERT_TRUE(store->commit(transaction));
    ASSERT_TRUE(store->commit(with_events(epoch, 3, 2)));
    ASSERT_TRUE(store->commit(with_events(epoch, 5, 2)));
  }
  run_sql(path_, GetParam().sql);
  const auto store = must_open(path_);

  const auto journal = store->replay(0, [](const JournalEntry&) -> Result<> { return {}; });
  const auto outbox = store->outbox();
  const auto incidents = store->past_incidents(10);

  const bool all_fine = journal && outbox && incidents;
  ASSERT_FALSE(all_fine);
  const Error& error = !journal ? journal.error() : !outbox ? outbox.error() : incidents.error();
  EXPECT_EQ(error.code, Errc::corrupt) << error.message;
  EXPECT_THAT(error.message, HasSubstr(path_));
}

INSTANTIATE_TEST_SUITE_P(
    Each, DamagedStore,
    ::testing::Values(
        Damage{"missing_row", "DELETE FROM journal WHERE position = 3"},
        Damage{"missing_start", "DELETE FROM journal WHERE position = 1"},
        Damage{"changed_batch",
               "UPDATE journal SET batch = CAST(batch || x'00' AS BLOB) WHERE position = 3"},
        Damage{"changed_checksum", "UPDATE journal SET crc = crc + 1 WHERE position = 5"},
        Damage{"changed_count", "UPDATE journal SET count = 1 WHERE position = 5"},
        Damage{"changed_effect", "UPDATE outbox SET effect = x'00'"},
        Damage{"changed_incident", "UPDATE incidents SET doc = x'00'"}),
    [](const auto& suite) { return std::string(suite.param.name); });

TEST(SqliteStoreErrors, EscapesWhatSqliteQuotesFromADamagedFile) {
  const testing::TempDir folder;
  const std::string path = folder / "db";
  must_open(path);
  std::string bytes = testing::read_file(path);
  const std::size_t at = bytes.find("CREATE TABLE journal(");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 20] = '\x1b';
  testing::write_file(path, bytes);
  const auto store = open_sqlite(path, no_policies);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message.find('\x1b'), std::string::npos) << store.error().message;
  EXPECT_THAT(store.error().message, HasSubstr("x1b"));
}

}  // namespace store_test
}  // namespace firebreak::store
