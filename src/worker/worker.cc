// nacre-worker ORDER: one build, as an action of an engine. The current directory is the input root; what is left is
// below out/ (build/order.h). Exit code 0, or that of the error's kind, as nacre itself has them.
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include "apk/package_file.h"
#include "apk/unpack_tar.h"
#include "base/events.h"
#include "base/parallel.h"
#include "build/order.h"
#include "codec/digest.h"
#include "net/http.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

namespace nacre::worker {
namespace {

using os::Path;

/// A build without network asks nobody.
class NoHttp final : public net::Http {
 public:
  Result<net::Response> send(const net::Request&, std::stop_token) override {
    return Error::make(ErrorKind::kUnavailable, "a worker has no network");
  }
};

/// Lines of steps on stdout as they come: what an engine shows while the action runs, if it shows anything.
class Lines final : public Events {
 public:
  void emit(const Event& event) override {
    if (event.kind != EventKind::kOutput && event.kind != EventKind::kNote && event.kind != EventKind::kWarning) return;
    const std::lock_guard lock(mutex_);
    std::printf("%s\n", event.detail.c_str());
    std::fflush(stdout);
  }

 private:
  std::mutex mutex_;
};

/// Signals ask for the end; a second one takes it.
std::stop_token stop_on_signals() {
  static std::stop_source source;
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread([set] {
    for (int number = 0; ::sigwait(&set, &number) == 0;)
      if (!source.request_stop()) ::_exit(130);
  }).detach();
  return source.get_token();
}

/// The worker's machine says where in NACRE_WORKER_DIR; else the first of these that can be written.
Path place_to_work() {
  if (const char* folder = std::getenv("NACRE_WORKER_DIR"); folder != nullptr && *folder != '\0') return folder;
  for (const char* folder : {"/var/tmp", "/tmp"})
    if (::access(folder, W_OK | X_OK) == 0) return folder;
  return std::filesystem::current_path();
}

Result<> check_digest(const Path& file, const Sha256& expected) {
  const os::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os::system_error(errno, fmt::format("open the input '{}'", file.string()));
  codec::Hasher hasher;
  std::string buffer(256u << 10, '\0');
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read the input '{}'", file.string()));
    if (got == 0) break;
    hasher.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
  const Sha256 found = hasher.finish_sha256();
  if (found == expected) return {};
  return Error::make(ErrorKind::kDenied, "the input '{}' is not what the order says: expected {}, found {}",
                     file.string(), expected.oci(), found.oci());
}

Result<> unpack(const Path& file, const Sha256& content, const Path& tree) {
  TRY(check_digest(file, content));
  TRY(os::make_dirs(tree));
  const auto owners = ::geteuid() == 0 && !sandbox::has_one_owner() ? apk::Owners::kKeep : apk::Owners::kIgnore;
  return apk::unpack_package(file, tree, owners);
}

/// The root's packages, some at once.
Result<> unpack_root(std::vector<build::RootPackage>& root, const Path& inputs, const Path& trees) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> trouble;
  const auto work = [&] {
    for (std::size_t i = next++; i < root.size(); i = next++) {
      root[i].tree = trees / root[i].content.hex();
      auto done = unpack(inputs / build::package_file(root[i].content), root[i].content, root[i].tree);
      const std::lock_guard lock(mutex);
      if (!done && !trouble) trouble = std::move(done).error().while_doing("unpacking '{}'", root[i].name);
      if (trouble) return;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < std::min(worker_count(), 8u); ++i) threads.emplace_back(work);
  }
  if (trouble) return *std::move(trouble);
  return {};
}

Result<> place_side_files(const build::Order& order, const Path& inputs, const Path& folder) {
  for (std::size_t i = 0; i < order.side_files.size(); ++i) {
    const auto& [path, mode] = order.side_files[i];
    const std::string bytes = TRY(os::read_file(inputs / build::side_file(i), std::uint64_t{1} << 30));
    const Path to = folder / path.str();
    TRY(os::make_dirs(to.parent_path()));
    TRY(os::write_file(to, bytes, mode));
    if (::chmod(to.c_str(), mode) != 0)
      return os::system_error(errno, fmt::format("set the mode of '{}'", to.string()));
  }
  return {};
}

/// Who owns all of a tree; nothing when more than one does.
Result<std::optional<build::BuiltTree::Owner>> owner_of(const Path& folder) {
  std::set<std::pair<unsigned, unsigned>> owners;
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
  for (const os::TreeEntry& entry : entries) owners.emplace(entry.uid, entry.gid);
  std::optional<build::BuiltTree::Owner> out;
  if (owners.size() == 1) out = {owners.begin()->first, owners.begin()->second};
  return out;
}

/// Files of the workspace that the caller wants to see; those that are not there are not.
Result<> keep_files(const std::vector<TreePath>& paths, const Path& workspace, const Path& folder, const Path& tar) {
  TRY(os::make_dirs(folder));
  for (const TreePath& path : paths) {
    const auto bytes = os::read_beneath(workspace, path);
    if (!bytes) continue;
    TRY(os::make_dirs((folder / path.str()).parent_path()));
    TRY(os::write_file(folder / path.str(), *bytes));
  }
  const apk::TarOwner root;
  return apk::pack_tar(folder, tar, &root);
}

/// One order, from its inputs to its outputs.
class Worker {
 public:
  Worker(Path inputs, Path scratch, Env& env) : inputs_(std::move(inputs)), scratch_(std::move(scratch)), env_(env) {}

  Result<> run(build::Order& order, build::BuildReport& report) {
    build::BuildRequest& request = order.request;
    TRY(unpack_root(request.root, inputs_, scratch_ / "trees"));
    for (const build::FetchedSource& source : request.sources) {
      const Sha256 found =
          TRY(env_.store.put_file(inputs_ / build::source_file(source.sha256), store::Store::Take::kCopy));
      if (found != source.sha256)
        return Error::make(ErrorKind::kDenied, "the source {} is not what the order says, but {}", source.sha256.oci(),
                           found.oci());
    }
    if (!order.side_files.empty()) request.source_dir = scratch_ / "side";
    TRY(place_side_files(order, inputs_, request.source_dir));
    request.work = scratch_ / "work";
    sandbox::LinuxSandbox sandbox;
    const build::BuiltTree built = TRY(build::run_build(request, sandbox, env_));
    report.packages = built.packages;
    report.steps = built.steps;
    report.sole_owner = built.sole_owner;
    if (!report.sole_owner) report.sole_owner = TRY(owner_of(built.output));
    const apk::TarOwner owner =
        report.sole_owner ? apk::TarOwner{report.sole_owner->uid, report.sole_owner->gid} : apk::TarOwner{};
    TRY(apk::pack_tar(built.output, inputs_ / build::kPackagesFile, report.sole_owner ? &owner : nullptr));
    return keep_files(order.keep, built.workspace, scratch_ / "keep", inputs_ / build::kKeptFile);
  }

  Result<> keep_log() const {
    const Path log = scratch_ / "work/log";
    if (!os::exists(log)) return {};
    const std::string text = TRY(os::read_file(log, std::uint64_t{1} << 30));
    return os::write_file(inputs_ / build::kLogFile, text);
  }

 private:
  Path inputs_, scratch_;
  Env& env_;
};

int exit_code(ErrorKind kind) {
  constexpr int kCodes[] = {2, 3, 4, 5, 6, 70};
  return kCodes[static_cast<int>(kind)];
}

Result<int> run(const Path& file) {
  const std::stop_token stop = stop_on_signals();
  const Path inputs = std::filesystem::current_path();
  const std::string text = TRY(os::read_file(inputs / file));
  build::Order order = TRY(build::read_order(text));
  TRY(os::make_dirs(inputs / "out"));
  const os::TempDir scratch = TRY(os::TempDir::create(place_to_work(), "nacre-worker-"));
  const std::unique_ptr<store::Store> store = TRY(store::Store::open(scratch.path() / "home"));
  os::SystemProcesses processes;
  os::SystemClock clock;
  NoHttp http;
  Lines lines;
  Env env{processes, clock, http, *store, lines, stop};
  Worker worker(inputs, scratch.path(), env);
  build::BuildReport report;
  report.key = order.key;
  auto ran = worker.run(order, report);
  TRY(worker.keep_log());
  int code = 0;
  if (!ran) {
    std::printf("nacre-worker: %s\n", ran.error().render().c_str());
    code = exit_code(ran.error().kind());
    report.error = std::move(ran).error();
  }
  TRY(os::write_file(inputs / build::kReportFile, build::write_report(report)));
  return code;
}

}  // namespace
}  // namespace nacre::worker

int main(int argc, char** argv) {
  // Whatever ends the engine's runner ends us, and the sandbox ends with us.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
  if (argc != 2) {
    std::puts("usage: nacre-worker ORDER\nRuns the build that an order describes; see docs/engine.md.");
    return 2;
  }
  const auto code = nacre::worker::run(argv[1]);
  if (code) return *code;
  std::printf("nacre-worker: %s\n", code.error().render().c_str());
  return nacre::worker::exit_code(code.error().kind());
}
