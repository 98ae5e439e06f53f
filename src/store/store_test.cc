#include "store/store.h"

#include "codec/digest.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace nacre::store {
namespace {

constexpr std::string_view kHelloHex =
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";  // of "hello"

std::size_t entries_in(const Path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.exists();
  return count;
}

void wait_for(const std::vector<pid_t>& children) {
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

struct StoreTest : testing::Test {
  os::TempDir folder = os::TempDir::create("/tmp").take();
  Path home = folder.path() / "home";
  std::unique_ptr<Store> store = open();

  std::unique_ptr<Store> open() {
    auto opened = Store::open(home);
    EXPECT_TRUE(opened) << opened.error().render();
    return std::move(opened).take();
  }
  Path file(std::string_view name, std::string_view bytes) {
    const Path path = folder.path() / name;
    std::ofstream(path) << bytes;
    return path;
  }
  void damage(const Sha256& digest, std::string_view bytes) {
    ::chmod(store->blob_path(digest).c_str(), 0644);
    std::ofstream(store->blob_path(digest)) << bytes;
  }
};

// A start of the machine is another text in `boot`.
TEST_F(StoreTest, ACrashOfTheMachineTakesUnsettledBlobsThatAreNotWhole) {
  using Durability = Store::Durability;
  const Sha256 whole = store->put_bytes("whole", Durability::kLater).take();
  const Sha256 broken = store->put_bytes("broken", Durability::kLater).take();
  const Sha256 settled = store->put_bytes("settled", Durability::kLater).take();
  EXPECT_EQ(entries_in(home / "unsettled"), 3u);
  EXPECT_EQ(store->put_bytes("settled").take(), settled) << "what is put again for good is on disk then";
  EXPECT_EQ(entries_in(home / "unsettled"), 2u);
  damage(broken, "bro");
  store = open();
  EXPECT_TRUE(store->has(broken)) << "the machine did not start again";
  file("boot", "another");
  std::filesystem::copy_file(folder.path() / "boot", home / "boot", std::filesystem::copy_options::overwrite_existing);
  store = open();
  EXPECT_TRUE(store->has(whole));
  EXPECT_FALSE(store->has(broken));
  EXPECT_EQ(entries_in(home / "unsettled"), 0u);
  EXPECT_EQ(entries_in(home / "quarantine"), 2u) << "the bytes and why";
  const Sha256 again = store->put_bytes("again", Durability::kLater).take();
  ASSERT_TRUE(store->settle_all());
  EXPECT_EQ(entries_in(home / "unsettled"), 0u);
  EXPECT_TRUE(store->has(again));
}

TEST_F(StoreTest, TakesInWhatTheCallerHashed) {
  os::AtomicFile file = os::AtomicFile::create(store->partial_path()).take();
  ASSERT_TRUE(file.write("hello"));
  const Sha256 digest = parse_sha256(kHelloHex).take();
  ASSERT_TRUE(store->adopt(std::move(file), digest, Store::Durability::kNow));
  EXPECT_TRUE(store->wrote(digest));
  EXPECT_EQ(store->read(digest).take(), "hello");
  EXPECT_TRUE(store->check(digest));
  EXPECT_EQ(entries_in(home / "partial"), 0u);
}

TEST_F(StoreTest, DeferredRecordsAreSeenAndWrittenTogether) {
  {
    State::Deferred records(store->state());
    ASSERT_TRUE(store->state().put("kind", "a", "1"));
    EXPECT_EQ(store->state().get("kind", "a").take(), "1");
    EXPECT_EQ(open()->state().get("kind", "a").take(), std::nullopt) << "not written so far";
    ASSERT_TRUE(records.finish());
    EXPECT_EQ(open()->state().get("kind", "a").take(), "1");
    ASSERT_TRUE(store->state().put("kind", "b", "2"));
  }
  EXPECT_EQ(open()->state().get("kind", "b").take(), "2");
  ASSERT_TRUE(store->state().put("kind", "c", "3"));
  EXPECT_EQ(open()->state().get("kind", "c").take(), "3");
}

TEST_F(StoreTest, DeferredRecordsThatStandThereAreNotWrittenAgain) {
  const auto keep = [&](std::string_view value) {
    State::Deferred records(store->state());
    ASSERT_TRUE(store->state().put("kind", "a", value));
    ASSERT_TRUE(records.finish());
  };
  const auto log = [&] { return os::read_file(home / "state.db-wal").take(); };
  keep("1");
  const std::string before = log();
  keep("1");
  EXPECT_EQ(log(), before);
  keep("2");
  EXPECT_NE(log(), before);
  EXPECT_EQ(store->state().get("kind", "a").take(), "2");
}

TEST_F(StoreTest, KeepsBytesUnderTheirDigest) {
  const Sha256 digest = store->put_bytes("hello").take();
  EXPECT_EQ(digest.hex(), kHelloHex);
  EXPECT_EQ(store->blob_path(digest), home / "blobs/sha256/2c" / kHelloHex);
  EXPECT_TRUE(store->has(digest));
  EXPECT_EQ(store->read(digest).take(), "hello");
  EXPECT_EQ(store->size(digest).take(), 5u);
  EXPECT_TRUE(store->check(digest));
  struct stat status {};
  ASSERT_EQ(::stat(store->blob_path(digest).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0444u);
  EXPECT_EQ(store->put_bytes("hello").take(), digest);
  EXPECT_EQ(entries_in(home / "partial"), 0u);
  EXPECT_EQ(store->read(store->put_bytes("").take()).take(), "");
}

TEST_F(StoreTest, SaysWhatIsAbsentOrTooLong) {
  const Sha256 absent = codec::sha256("absent");
  const std::string message =
      "blob " + absent.oci() + " is not in the store '" + home.string() + "'";
  EXPECT_FALSE(store->has(absent));
  EXPECT_EQ(store->read(absent).error().render(), message);
  EXPECT_EQ(store->size(absent).error().render(), message);
  EXPECT_EQ(store->check(absent).error().render(), message);
  EXPECT_EQ(store->check(absent).error().kind(), ErrorKind::kNotFound);
  const Sha256 hello = store->put_bytes("hello").take();
  EXPECT_EQ(store->read(hello, 4).error().kind(), ErrorKind::kInvalid);
}

TEST_F(StoreTest, TakesFilesInByCopyOrMove) {
  const Path copied = file("copied", "hello");
  EXPECT_EQ(store->put_file(copied, Store::Take::kCopy).take().hex(), kHelloHex);
  EXPECT_TRUE(os::exists(copied));
  // Already there: the file goes all the same.
  EXPECT_EQ(store->put_file(copied, Store::Take::kMove).take().hex(), kHelloHex);
  EXPECT_FALSE(os::exists(copied));

  const std::string big(3'000'000, 'x');
  const Path moved = file("moved", big);
  const Sha256 digest = store->put_file(moved, Store::Take::kMove).take();
  EXPECT_FALSE(os::exists(moved));
  EXPECT_EQ(store->read(digest).take(), big);
  EXPECT_EQ(entries_in(home / "partial"), 0u);
}

TEST_F(StoreTest, AFileWithASecondNameCannotChangeItsBlob) {
  const Path first = file("first", "hello");
  const Path second = folder.path() / "second";
  ASSERT_EQ(::link(first.c_str(), second.c_str()), 0);
  const Sha256 digest = store->put_file(first, Store::Take::kMove).take();
  EXPECT_FALSE(os::exists(first));
  std::ofstream(second) << "HELLO";
  EXPECT_TRUE(store->check(digest));
}

TEST_F(StoreTest, OnlyRegularFilesBecomeBlobs) {
  const Path fifo = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  EXPECT_EQ(store->put_file(fifo, Store::Take::kCopy).error().render(),
            "'" + fifo.string() + "' is not a regular file");
  EXPECT_EQ(store->put_file(folder.path() / "no", Store::Take::kCopy).error().kind(),
            ErrorKind::kNotFound);
}

TEST_F(StoreTest, CheckFindsWrongBytes) {
  const Sha256 digest = store->put_bytes("hello").take();
  damage(digest, "jello");
  const Result<> checked = store->check(digest);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(checked.error().render(),
            "blob '" + store->blob_path(digest).string() + "' is damaged: expected digest " +
                std::string(kHelloHex) + ", found " + codec::sha256("jello").hex() +
                "\n  hint: quarantine it and fetch or build it again");
  const Path kept = store->quarantine(store->blob_path(digest), "failed its check").take();
  EXPECT_FALSE(store->has(digest));
  EXPECT_EQ(os::read_file(kept).take(), "jello");
  const std::string note = os::read_file(kept.string() + ".why").take();
  EXPECT_NE(note.find("why: failed its check\n"), std::string::npos) << note;
  EXPECT_NE(note.find("file: " + store->blob_path(digest).string() + "\n"), std::string::npos);
}

TEST_F(StoreTest, ATruncatedBlobIsReplacedOnTheNextPut) {
  const Sha256 digest = store->put_bytes("hello").take();
  damage(digest, "hel");
  EXPECT_EQ(store->put_bytes("hello").take(), digest);
  EXPECT_TRUE(store->check(digest));
  EXPECT_EQ(entries_in(home / "quarantine"), 2u);  // the bytes and why
}

TEST_F(StoreTest, ManyThreadsAndProcessesPutTheSameBytes) {
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    auto mine = Store::open(home);
    std::atomic<int> failures = mine ? 0 : 1;
    std::vector<std::jthread> threads;
    for (int t = 0; mine && t < 4; ++t)
      threads.emplace_back([&] {
        for (int n = 0; n < 10; ++n)
          if (!(*mine)->put_bytes(std::string(10'000, static_cast<char>('a' + n)))) ++failures;
      });
    threads.clear();
    ::_exit(failures);
  }
  wait_for(children);
  for (int n = 0; n < 10; ++n)
    EXPECT_TRUE(store->check(codec::sha256(std::string(10'000, static_cast<char>('a' + n)))));
  EXPECT_EQ(entries_in(home / "partial"), 0u);
}

TEST_F(StoreTest, ATreeIsMadeOnceByManyThreadsAndProcesses) {
  const Sha256 key = codec::sha256("tree");
  const Path log = file("made", "");
  const auto make = [&](const Path& place) -> Result<> {
    const os::Fd fd(::open(log.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (::write(fd.get(), "x", 1) != 1) return os::system_error(errno, "write the log");
    ::usleep(20'000);  // long enough for the others to come
    return os::write_file(place / "hello", "hello");
  };
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    auto mine = Store::open(home);
    std::atomic<int> failures = mine ? 0 : 1;
    std::vector<std::jthread> threads;
    for (int t = 0; mine && t < 4; ++t)
      threads.emplace_back([&] {
        const auto place = (*mine)->tree(key, make);
        if (!place || !os::exists(*place / "hello")) ++failures;
      });
    threads.clear();
    ::_exit(failures);
  }
  wait_for(children);
  EXPECT_EQ(os::read_file(log).take(), "x");
  EXPECT_TRUE(store->has_tree(key));
  EXPECT_EQ(store->tree(key, make).take(), home / "trees" / key.hex());
  EXPECT_EQ(os::read_file(store->tree_path(key) / "hello").take(), "hello");
}

TEST_F(StoreTest, ATreeMayNeedAnotherTree) {
  const Sha256 outer = codec::sha256("outer"), inner = codec::sha256("inner");
  const auto made = store->tree(outer, [&](const Path& place) -> Result<> {
    const Path other = TRY(store->tree(
        inner, [](const Path& below) { return os::write_file(below / "a", "a"); }));
    const std::string bytes = TRY(os::read_file(other / "a"));
    return os::write_file(place / "b", bytes);
  });
  ASSERT_TRUE(made) << made.error().render();
  EXPECT_EQ(os::read_file(*made / "b").take(), "a");
}

TEST_F(StoreTest, AFailureOrACrashInMakeLeavesNothing) {
  const Sha256 key = codec::sha256("tree");
  const auto failed = store->tree(key, [](const Path& place) -> Result<> {
    TRY(os::write_file(place / "half", "half"));
    return Error::make(ErrorKind::kInvalid, "bad package");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().render(), "bad package\n  while making the tree " + key.hex());
  EXPECT_FALSE(store->has_tree(key));
  EXPECT_EQ(entries_in(home / "partial"), 0u);

  const pid_t child = ::fork();
  if (child == 0) {
    auto mine = Store::open(home).take();
    (void)mine->tree(key, [](const Path& place) -> Result<> {
      (void)os::write_file(place / "half", "half");
      ::_exit(0);
    });
    ::_exit(1);
  }
  wait_for({child});
  EXPECT_FALSE(store->has_tree(key));
  EXPECT_EQ(entries_in(home / "partial"), 1u);  // for the next maker, or the collector
  const auto made = store->tree(key, [](const Path& place) -> Result<> {
    EXPECT_EQ(entries_in(place), 0u);
    return os::write_file(place / "whole", "whole");
  });
  ASSERT_TRUE(made) << made.error().render();
  EXPECT_EQ(entries_in(*made), 1u);
  EXPECT_EQ(entries_in(home / "partial"), 0u);
}

TEST_F(StoreTest, ALeaseIsExclusiveAndNamesItsHolder) {
  const std::string holder = fmt::format("process {} holds 'publish/community'\n"
                                         "  hint: wait for it to end, or stop it", ::getpid());
  {
    const auto lease = store->lease("publish/community");
    ASSERT_TRUE(lease);
    EXPECT_TRUE(store->lease("publish", os::FileLock::Wait::kNo));
    EXPECT_TRUE(store->lease("publish/production", os::FileLock::Wait::kNo));
    const auto second = store->lease("publish/community", os::FileLock::Wait::kNo);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::kConflict);
    EXPECT_EQ(second.error().render(), holder);
  }
  EXPECT_TRUE(store->lease("publish/community", os::FileLock::Wait::kNo));
  EXPECT_FALSE(store->lease(""));
  EXPECT_EQ(store->lease("../../escape").error().render(),
            "'../../escape' cannot name a lease: expected 1 to 250 bytes, the first not '.'\n"
            "  while taking a lease");
  EXPECT_TRUE(store->lease("build/../../escape"));
  EXPECT_FALSE(os::exists(folder.path() / "escape"));
}

/// Runs `work` on a file system of 2 MiB in a child; its exit status, or nothing where mounting is
/// refused.
std::optional<int> on_small_disk(const Path& place, const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=2m") != 0)
      ::_exit(77);
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return -1;
  if (WEXITSTATUS(status) == 77) return std::nullopt;
  return WEXITSTATUS(status);
}

TEST_F(StoreTest, AFullDiskIsUnavailableNamingThePath) {
  const Path disk = folder.path() / "disk";
  ASSERT_TRUE(os::make_dirs(disk));
  const auto code = on_small_disk(disk, [&] {
    auto small = Store::open(disk);
    if (!small || !(*small)->state().put("k", "a", "before")) return 1;
    auto put = (*small)->put_bytes(std::string(4u << 20, 'x'));
    if (put || put.error().kind() != ErrorKind::kUnavailable) return 2;
    const std::string expected =
        "cannot write '" + (disk / "partial" / "blob").string() +
        "': no space left on device\n"
        "  hint: free some space and run the same command again: finished work is kept";
    if (put.error().render() != expected) return 3;
    if (entries_in(disk / "partial") != 0) return 4;
    // The database reports it likewise, and is whole afterwards.
    auto record = (*small)->state().put("k", "a", std::string(4u << 20, 'x'));
    if (record || record.error().kind() != ErrorKind::kUnavailable) return 5;
    if (record.error().render().find((disk / "state.db").string()) == std::string::npos) return 6;
    const auto kept = (*small)->state().get("k", "a");
    return kept && *kept == "before" ? 0 : 7;
  });
  if (!code) GTEST_SKIP() << "mounting is refused here";
  EXPECT_EQ(*code, 0);
}

}  // namespace
}  // namespace nacre::store
