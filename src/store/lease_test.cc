#include "store/lease.h"

#include "store/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <thread>

namespace nacre::store {
namespace {

using Share = SharedLocks::Share;
using Wait = os::FileLock::Wait;
using Reach = Store::Reach;

/// Two homes that share a state in the Postgres of NACRE_TEST_POSTGRES.
struct SharedLeases : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  Sharing sharing;
  std::unique_ptr<Store> here, there;

  void SetUp() override {
    const char* postgres = std::getenv("NACRE_TEST_POSTGRES");
    if (postgres == nullptr) GTEST_SKIP() << "NACRE_TEST_POSTGRES names no database";
    sharing.state = postgres;
    here = Store::open(folder.path() / "here", sharing).take();
    there = Store::open(folder.path() / "there", sharing).take();
  }
  /// Ends every other session of this database, as a server that restarts does.
  void cut_connections() {
    auto database = Database::open(sharing.state).take();
    ASSERT_TRUE(database->run("cut", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                                     "pg_backend_pid() AND datname = current_database() AND backend_type = 'client "
                                     "backend'"));
  }
};

TEST_F(SharedLeases, OneHomeAtATime) {
  std::optional<Lease> lease = here->lease("build/zlib", Wait::kNo, Reach::kEveryone).take();
  EXPECT_TRUE(lease->check());
  const auto second = there->lease("build/zlib", Wait::kNo, Reach::kEveryone);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().render(), "another control plane of this state holds 'build/zlib'\n"
                                     "  hint: wait for it to end, or stop it");
  EXPECT_EQ(second.error().kind(), ErrorKind::kConflict);
  EXPECT_TRUE(there->lease("build/zlib", Wait::kNo)) << "a lease of a home is nobody else's matter";
  EXPECT_TRUE(there->lease("build/zlib2", Wait::kNo, Reach::kEveryone));
  std::atomic<bool> got = false;
  std::thread waiting([&] {
    const auto late = there->lease("build/zlib", Wait::kYes, Reach::kEveryone);
    EXPECT_TRUE(late);
    got = true;
  });
  Lease moved = *std::move(lease);
  lease.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  EXPECT_FALSE(got) << "a lease that moved is held on";
  { const Lease last = std::move(moved); }
  waiting.join();
  EXPECT_TRUE(got);
}

TEST_F(SharedLeases, WhoUsesBlobsHoldsACollectionOff) {
  std::optional<Lease> one = here->in_use(os::FileLock::Share::kShared).take();
  std::optional<Lease> two = there->in_use(os::FileLock::Share::kShared).take();
  std::optional<Lease> again = there->in_use(os::FileLock::Share::kShared).take();
  one.reset();
  EXPECT_EQ(here->in_use(os::FileLock::Share::kExclusive, Wait::kNo).error().kind(), ErrorKind::kConflict);
  two.reset();
  EXPECT_EQ(here->in_use(os::FileLock::Share::kExclusive, Wait::kNo).error().kind(), ErrorKind::kConflict);
  EXPECT_TRUE(again->check());
  again.reset();
  const auto alone = here->in_use(os::FileLock::Share::kExclusive, Wait::kNo);
  ASSERT_TRUE(alone) << alone.error().render();
  EXPECT_EQ(there->in_use(os::FileLock::Share::kShared, Wait::kNo).error().kind(), ErrorKind::kConflict);
}

TEST_F(SharedLeases, ALostConnectionIsALostLease) {
  const Lease lease = here->lease("publish/community", Wait::kNo, Reach::kEveryone).take();
  ASSERT_TRUE(lease.check());
  cut_connections();
  // What the other side does first is told that its connection is gone; then it gets the lease.
  (void)there->lease("publish/community", Wait::kNo, Reach::kEveryone);
  const auto others = there->lease("publish/community", Wait::kNo, Reach::kEveryone);
  ASSERT_TRUE(others) << others.error().render();
  Result<> held = lease.check();
  if (!held && held.error().kind() == ErrorKind::kUnavailable) held = lease.check();
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(held.error().render(),
            "the lease 'publish/community' was lost: the connection to the shared state broke, and others may have it "
            "now\n  hint: nothing of this was made visible: run the same command again, it finds what is there");
}

TEST(Lease, OfOneHomeIsAlwaysHeld) {
  const os::TempDir folder = os::TempDir::create("/tmp").take();
  const auto store = Store::open(folder.path()).take();
  const Lease lease = store->lease("build/zlib", Wait::kNo, Reach::kEveryone).take();
  EXPECT_TRUE(lease.check());
  EXPECT_FALSE(store->lease("build/zlib", Wait::kNo));
}

}  // namespace
}  // namespace nacre::store
