#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/read_mark.h"
#include "os/threads.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace nacre::os {
namespace {

TempDir scratch() {
  auto dir = TempDir::create(std::filesystem::temp_directory_path());
  EXPECT_TRUE(dir) << dir.error().render();
  return *std::move(dir);
}

TEST(Files, AreReplacedWhole) {
  const TempDir dir = scratch();
  const Path file = dir.path() / "a";
  ASSERT_TRUE(write_file(file, "one"));
  { auto half = AtomicFile::create(file); ASSERT_TRUE(half); ASSERT_TRUE(half->write("tw")); }
  EXPECT_EQ(*read_file(file), "one");
  EXPECT_EQ(walk_tree(dir.path())->size(), 1u) << "the unfinished file is gone";
  const auto large = read_file(file, 2);
  EXPECT_EQ(large.error().render(),
            "'" + file.string() + "' has 3 bytes, more than the limit of 2");
}

TEST(Walk, IsDepthFirstBytewiseAndDoesNotFollowLinks) {
  const TempDir dir = scratch();
  ASSERT_TRUE(make_dirs(dir.path() / "a"));
  ASSERT_TRUE(write_file(dir.path() / "a/x", ""));
  ASSERT_TRUE(write_file(dir.path() / "a-b", ""));
  std::filesystem::create_symlink("/etc", dir.path() / "link");
  std::vector<std::string> seen;
  const auto entries = walk_tree(dir.path());
  for (const TreeEntry& entry : *entries) seen.push_back(entry.path.str());
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "a/x", "a-b", "link"}));
}

TEST(RemoveTree, TakesReadOnlyFoldersAndLeavesWhatLinksPointTo) {
  const TempDir dir = scratch();
  const Path kept = dir.path() / "kept", gone = dir.path() / "gone";
  ASSERT_TRUE(make_dirs(kept));
  ASSERT_TRUE(write_file(kept / "f", "x"));
  ASSERT_TRUE(make_dirs(gone / "sub"));
  ASSERT_TRUE(write_file(gone / "sub/f", "x"));
  std::filesystem::create_directory_symlink(kept, gone / "link");
  std::filesystem::permissions(gone / "sub", std::filesystem::perms(0500));
  ASSERT_TRUE(remove_tree(gone));
  EXPECT_FALSE(os::exists(gone));
  EXPECT_TRUE(os::exists(kept / "f"));
  EXPECT_TRUE(remove_tree(gone)) << "absent is fine";
}

/// 0: refused and the file behind the mount is there still; 77: mounting is not allowed here.
int remove_a_tree_with_a_mount(const Path& tree, const Path& behind) {
  if (::unshare(CLONE_NEWNS) != 0) return 77;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
  if (::mount(behind.c_str(), (tree / "sub").c_str(), nullptr, MS_BIND, nullptr) != 0) return 77;
  const auto removed = remove_tree(tree);
  if (removed || removed.error().kind() != ErrorKind::kConflict) return 1;
  return os::exists(behind / "f") ? 0 : 2;
}

TEST(RemoveTree, StopsAtMounts) {
  const TempDir dir = scratch();
  ASSERT_TRUE(make_dirs(dir.path() / "behind"));
  ASSERT_TRUE(make_dirs(dir.path() / "tree/sub"));
  ASSERT_TRUE(write_file(dir.path() / "behind/f", "x"));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(remove_a_tree_with_a_mount(dir.path() / "tree", dir.path() / "behind"));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(OpenBeneath, RefusesWhatIsNoRegularFile) {
  const TempDir dir = scratch();
  ASSERT_EQ(::mkfifo((dir.path() / "pipe").c_str(), 0600), 0);
  const auto read = read_beneath(dir.path(), TreePath::literal("pipe"));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().render(),
            "'pipe' beneath '" + dir.path().string() + "' is not a regular file");
}

TEST(OpenBeneath, RefusesLinksThatLeadOut) {
  const TempDir dir = scratch();
  std::filesystem::create_symlink("/etc", dir.path() / "etc");
  EXPECT_FALSE(read_beneath(dir.path(), TreePath::literal("etc/passwd")));
}

TEST(ReadMark, TellsWhichFilesWereRead) {
  const TempDir dir = scratch();
  const auto file = [&](const char* name) { return dir.path() / name; };
  std::filesystem::create_directory(file("sub"));
  const std::array names = {"sub/left", "left2", "read", "mapped", "written", "touched", "moved", "linked", "mode",
                            "run"};
  for (const char* name : names) ASSERT_TRUE(write_file(file(name), "#!/bin/sh\n"));
  const auto mark = mark_unread(dir.path());
  ASSERT_TRUE(mark) << mark.error().render();
  if (!*mark) GTEST_SKIP() << "access times are not kept here";
  for (const char* name : names) EXPECT_FALSE(was_read(file(name), **mark)) << name;

  EXPECT_EQ(std::system(fmt::format("cd '{}' && cat read >copy && cp -p sub/left kept && touch -r left2 touched && "
                                    "mv moved moved2 && ln linked linked2 && chmod 755 mode run && ./run && "
                                    "echo more >>written && test -f sub/left && ls -l sub/left",
                                    dir.path().string())
                            .c_str()),
            0);
  const Fd mapped(::open(file("mapped").c_str(), O_RDONLY));
  void* at = ::mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, mapped.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  EXPECT_EQ(*static_cast<const char*>(at), '#');
  ::munmap(at, 1);
  for (const char* name :
       {"read", "copy", "kept", "mapped", "written", "touched", "moved2", "linked", "linked2", "mode", "run", "absent"})
    EXPECT_TRUE(was_read(file(name), **mark)) << name;
  EXPECT_TRUE(was_read(file("sub/left"), **mark)) << "`cp -p` read it";
}

TEST(ReadMark, LeavesFilesThatNobodyOpened) {
  const TempDir dir = scratch();
  ASSERT_TRUE(write_file(dir.path() / "a", "1"));
  const auto mark = mark_unread(dir.path());
  ASSERT_TRUE(mark);
  if (!*mark) GTEST_SKIP() << "access times are not kept here";
  const std::string look = fmt::format("cd '{}' && ls -l a && test -f a && ln -s a b && mkdir c", dir.path().string());
  ASSERT_EQ(std::system(look.c_str()), 0);
  EXPECT_FALSE(was_read(dir.path() / "a", **mark));
}

TEST(FileLock, IsExclusive) {
  const TempDir dir = scratch();
  auto first = FileLock::take(dir.path() / "lock");
  ASSERT_TRUE(first);
  const auto second = FileLock::take(dir.path() / "lock", FileLock::Wait::kNo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::kConflict);
}

Result<Exit> shell(const std::string& text, double timeout = 0, std::stop_token stop = {}) {
  SystemProcesses processes;
  Command command;
  command.argv = {"/bin/sh", "-c", text};
  command.timeout_seconds = timeout;
  return processes.run(command, stop);
}

TEST(Processes, CaptureStreamsAndStatus) {
  const auto exit = shell("echo out; echo err >&2; exit 3");
  ASSERT_TRUE(exit) << exit.error().render();
  EXPECT_EQ(exit->out, "out\n");
  EXPECT_EQ(exit->err, "err\n");
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(shell("kill -9 $$")->signal, 9);
}

TEST(Processes, InheritNothingUnlessAsked) {
  EXPECT_EQ(shell("echo ${HOME:-none}")->out, "none\n");
}

TEST(Processes, FeedStdinAndSplitLines) {
  SystemProcesses processes;
  Command command;
  command.argv = {"cat"};
  command.stdin_bytes = "one\ntwo";
  std::vector<std::string> lines;
  command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  ASSERT_TRUE(processes.run(command));
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
}

TEST(Processes, EndWhenTimeIsOverOrSomebodyStopsThem) {
  EXPECT_TRUE(shell("sleep 60", 0.2)->timed_out);
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  const auto exit = shell("sleep 60", 0, source.get_token());
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().render(), "interrupted");
}

/// A program that was written a moment ago is open for writing in whatever another thread forked meanwhile, until that
/// runs something else: exec then says ETXTBSY.
TEST(Processes, RunWhatWasJustWritten) {
  const TempDir dir = scratch();
  SystemProcesses processes;
  std::mutex mutex;
  std::string trouble;
  const auto work = [&](int number) {
    for (int i = 0; i < 100; ++i) {
      const Path program = dir.path() / fmt::format("{}-{}", number, i);
      std::filesystem::copy_file("/bin/true", program);
      Command command;
      command.argv = {program.string()};
      const auto exit = processes.run(command, {});
      const std::lock_guard lock(mutex);
      if (!exit) trouble = exit.error().render();
      else if (!exit->ok()) trouble = "it ended badly";
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back(work, i);
  }
  EXPECT_EQ(trouble, "");
}

TEST(Processes, AreNotWaitedForAfterAStop) {
  const TempDir dir = scratch();
  const Path program = dir.path() / "busy";
  std::filesystem::copy_file("/bin/true", program);
  const Fd writes(::open(program.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writes);
  std::stop_source source;
  source.request_stop();
  SystemProcesses processes;
  Command command;
  command.argv = {program.string()};
  const auto exit = processes.run(command, source.get_token());
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().render(), "interrupted");
}

TEST(Processes, NameWhatCannotBeRun) {
  SystemProcesses processes;
  Command command;
  command.argv = {"nacre-no-such-program"};
  const auto exit = processes.run(command);
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().kind(), ErrorKind::kNotFound);
}

TEST(Clock, WritesRfc3339) { EXPECT_EQ(rfc3339(1'700'000'000), "2023-11-14T22:13:20Z"); }

TEST(ForEach, DoesAllAndSaysTheFirstError) {
  std::array<std::atomic<int>, 100> seen{};
  ASSERT_TRUE(for_each(seen.size(), 4, [&](std::size_t i) -> Result<> {
    ++seen[i];
    return {};
  }));
  for (const auto& count : seen) EXPECT_EQ(count, 1);
  std::atomic<int> begun = 0;
  const auto failed = for_each(1000, 4, [&](std::size_t i) -> Result<> {
    ++begun;
    if (i >= 3) return Error::make(ErrorKind::kInvalid, "number {}", i);
    return {};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().render(), "number 3");
  EXPECT_LT(begun, 20) << "nothing more begins after an error";
  EXPECT_TRUE(for_each(0, 4, [](std::size_t) -> Result<> { return Error::make(ErrorKind::kInternal, "called"); }));
}

TEST(ForEach, DoesAHundredAndGivesAnError) {
  std::atomic<int> ran = 0;
  EXPECT_TRUE(for_each(100, 4, [&](std::size_t) -> Result<> {
    ++ran;
    return {};
  }));
  EXPECT_EQ(ran, 100);
  const auto failed = for_each(100, 4, [&](std::size_t i) -> Result<> {
    if (i >= 10) return Error::make(ErrorKind::kInvalid, "{}", i);
    return {};
  });
  ASSERT_FALSE(failed);
}

TEST(RemoveTree, OutlastsWhoStillWritesThere) {
  const TempDir dir = TempDir::create(testing::TempDir(), "remove-").take();
  const Path tree = dir.path() / "tree";
  ASSERT_TRUE(make_dirs(tree / "inside"));
  std::jthread writer([&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    for (int i = 0; std::chrono::steady_clock::now() < end; ++i)
      std::ofstream(tree / "inside" / std::to_string(i)) << "x";
  });
  for (int i = 0; i < 1000 && !os::exists(tree / "inside/5"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto removed = remove_tree(tree);
  EXPECT_TRUE(removed) << removed.error().render();
  EXPECT_FALSE(os::exists(tree));
}

}  // namespace
}  // namespace nacre::os
