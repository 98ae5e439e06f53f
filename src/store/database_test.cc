#include "store/database.h"

#include "os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

namespace nacre::store {
namespace {

using Row = Database::Row;

/// SQLite in a directory of the test; Postgres where NACRE_TEST_POSTGRES names one (tests/flow/62_farm_postgres.sh).
class DatabaseTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* postgres = std::getenv("NACRE_TEST_POSTGRES");
    const bool is_postgres = std::string_view(GetParam()) == "postgres";
    if (is_postgres && postgres == nullptr) GTEST_SKIP() << "NACRE_TEST_POSTGRES names no database";
    dir_.emplace(os::TempDir::create(testing::TempDir(), "database-").take());
    url_ = is_postgres ? postgres : "sqlite:" + (dir_->path() / "test.db").string();
    database_ = Database::open(url_).take();
    ASSERT_TRUE(database_->run("drop", "DROP TABLE IF EXISTS things"));
    ASSERT_TRUE(database_->run("create", "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL)"));
  }

  std::vector<Row> all() { return database_->run("read", "SELECT id, name FROM things ORDER BY id").take(); }
  Result<> add(std::int64_t id, std::string name) {
    TRY(database_->run("add", "INSERT INTO things (id, name) VALUES ($1, $2)", {id, std::move(name)}));
    return {};
  }

  std::optional<os::TempDir> dir_;
  std::string url_;
  std::unique_ptr<Database> database_;
};

TEST_P(DatabaseTest, BindsAndReturns) {
  ASSERT_TRUE(add(1, "a'; DROP TABLE things; --"));
  ASSERT_TRUE(add(2, ""));
  EXPECT_THAT(all(), testing::ElementsAre(Row{"1", "a'; DROP TABLE things; --"}, Row{"2", ""}));
  const auto changed = database_->run("rename", "UPDATE things SET name = $2 WHERE id = $1 RETURNING name, id + 1",
                                      {std::int64_t{2}, std::string("two")});
  EXPECT_THAT(*changed, testing::ElementsAre(Row{"two", "3"}));
}

TEST_P(DatabaseTest, TheSameValueMayStandTwiceAndInAnyOrder) {
  const auto rows = database_->run("ask", "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT)",
                                   {std::string("first"), std::string("second")});
  EXPECT_THAT(*rows, testing::ElementsAre(Row{"second", "first", "second"}));
}

TEST_P(DatabaseTest, AnErrorRollsBackAndTheNextTransactionWorks) {
  const Result<> failed = database_->transaction(Database::Durability::kNow, [&]() -> Result<> {
    TRY(add(1, "lost"));
    return Error::make(ErrorKind::kConflict, "no");
  });
  EXPECT_EQ(failed.error().kind(), ErrorKind::kConflict);
  const Result<> broken = database_->transaction(Database::Durability::kNow, [&]() -> Result<> {
    TRY(add(2, "lost too"));
    TRY(add(2, "twice"));
    return {};
  });
  EXPECT_EQ(broken.error().kind(), ErrorKind::kInternal) << broken.error().render();
  ASSERT_TRUE(database_->transaction(Database::Durability::kLater, [&] { return add(3, "kept"); }));
  EXPECT_THAT(all(), testing::ElementsAre(Row{"3", "kept"}));
}

TEST_P(DatabaseTest, TwoConnectionsCountTogether) {
  ASSERT_TRUE(add(1, "0"));
  const auto count = [&] {
    const auto mine = Database::open(url_).take();
    for (int i = 0; i < 50; ++i) {
      const auto row =
          mine->run("count", "UPDATE things SET name = CAST(CAST(name AS BIGINT) + 1 AS TEXT) WHERE id = 1");
      ASSERT_TRUE(row) << row.error().render();
    }
  };
  std::thread one(count), two(count);
  one.join();
  two.join();
  EXPECT_THAT(all(), testing::ElementsAre(Row{"1", "100"}));
}

INSTANTIATE_TEST_SUITE_P(Both, DatabaseTest, testing::Values("sqlite", "postgres"),
                         [](const auto& one) { return std::string(one.param); });

TEST(DatabaseUrl, OnlyTwoSchemes) {
  EXPECT_EQ(Database::open("mysql://root:secret@host/x").error().render(),
            "expected the address of a database as sqlite:FILE or postgres://…, got 'mysql'");
  const auto nobody = Database::open("postgres://nobody:secret@127.0.0.1:1/none");
  EXPECT_EQ(nobody.error().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(nobody.error().render().find("secret"), std::string::npos) << nobody.error().render();
}

TEST(DatabaseAddress, IsToldWithoutSecrets) {
  EXPECT_EQ(address_of("postgres://me:a?b@host:5432/db?password=x&user=y@z"), "postgres://host:5432/db");
  EXPECT_EQ(address_of("postgres://host/db?password=x@y"), "postgres://host/db");
  EXPECT_EQ(address_of("postgresql:///db"), "postgresql:///db");
}

}  // namespace
}  // namespace nacre::store
