#include "cli/signer_process.h"

#include "base/text.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

namespace nacre::cli {
namespace {

constexpr unsigned kSignerUid = 64642;
constexpr double kStartSeconds = 60;  // the first start may wait for a slow machine

Result<> own(const os::Path& folder, unsigned uid, unsigned mode) {
  TRY(os::make_dirs(folder));
  if (::chown(folder.c_str(), uid, uid) != 0 || ::chmod(folder.c_str(), mode) != 0)
    return os::system_error(errno, fmt::format("give '{}' to the signer", folder.string()));
  return {};
}

/// From root to a user without privileges, for good. The order matters: groups, then group, then user.
Result<> drop_to(unsigned uid) {
  const pid_t parent = ::getppid();
  if (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)
    return os::system_error(errno, fmt::format("become user {}", uid));
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // the change of user cleared it
  if (::getppid() != parent) return Error::make(ErrorKind::kUnavailable, "interrupted");
  return {};
}

void remove_socket(const os::Path& socket) {
  ::unlink(socket.c_str());
  ::unlink((socket.string() + ".lock").c_str());
}

/// Of signers whose caller was killed. A live one holds its lock; a young one may be about to take it.
void remove_stale_sockets(const os::Path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const os::Path& lock = entry.path();
    if (lock.extension() != ".lock" || lock.stem().extension() != ".sock") continue;
    const auto made = std::filesystem::last_write_time(lock, error);
    if (error || std::filesystem::file_time_type::clock::now() - made < std::chrono::minutes(5)) continue;
    if (os::FileLock::take(lock, os::FileLock::Wait::kNo)) remove_socket(folder / lock.stem());
  }
}

}  // namespace

SignerPlace signer_place(const os::Path& home) {
  SignerPlace place;
  place.folder = home / "signer";
  place.uid = ::getuid();
  if (place.uid != 0) return place;
  const char* wanted = std::getenv("NACRE_SIGNER_UID");
  place.uid = wanted != nullptr ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 10)) : kSignerUid;
  place.separate = place.uid != 0;
  return place;
}

std::string builder_identity(const SignerPlace& place) {
  return place.separate ? "https://nacre.dev/builders/local/v1" : "https://nacre.dev/builders/local-shared-user/v1";
}

SignerProcess::SignerProcess(os::Path program, SignerPlace place)
    : program_(std::move(program)), place_(std::move(place)) {}

SignerProcess::~SignerProcess() {
  if (socket_.empty()) return;
  child_.request_stop();
  child_.join();
  remove_socket(socket_);
}

void SignerProcess::start(const std::string& socket_name) {
  child_ = std::jthread([this, socket_name](std::stop_token stop) {
    os::SystemProcesses processes;
    os::Command command;
    command.argv = {program_.string(), "signer", "--home", place_.folder.parent_path().string(),
                    "--socket", socket_name, "--allow-uid", std::to_string(::getuid())};
    if (const char* uid = std::getenv("NACRE_SIGNER_UID"); uid != nullptr)
      command.env.push_back(std::string("NACRE_SIGNER_UID=") + uid);
    const auto exit = processes.run(command, stop);
    last_words_ = exit ? std::string(trim(exit->err)) : exit.error().render();
    ended_ = true;
  });
}

Result<> SignerProcess::wait_for_socket() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(kStartSeconds);
  while (!os::exists(socket_)) {
    if (ended_)
      return Error::make(ErrorKind::kUnavailable, "the signer ended before it listened: {}", last_words_);
    if (std::chrono::steady_clock::now() > deadline)
      return Error::make(ErrorKind::kUnavailable, "the signer did not start within {} s", kStartSeconds)
          .hint(fmt::format("try it by hand: {} signer", program_.string()));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

Result<crypto::RemoteSigner*> SignerProcess::connect() {
  const std::lock_guard lock(mutex_);
  if (remote_) return remote_.get();
  if (const char* socket = std::getenv("NACRE_SIGNER_SOCKET"); socket != nullptr) {
    remote_ = std::make_unique<crypto::RemoteSigner>(socket);
    return remote_.get();
  }
  if (socket_.empty()) {
    remove_stale_sockets(place_.folder);
    // Process ids come again, and may mean another process in another namespace.
    const auto ticks = std::chrono::steady_clock::now().time_since_epoch().count();
    const std::string name = fmt::format("{}-{:06x}.sock", ::getpid(), ticks & 0xffffff);
    socket_ = place_.folder / name;
    start(name);
  }
  TRY(wait_for_socket());
  remote_ = std::make_unique<crypto::RemoteSigner>(socket_);
  return remote_.get();
}

Result<std::string> SignerProcess::sign(Edition edition, crypto::Purpose purpose, std::string_view message) {
  crypto::RemoteSigner* remote = TRY(connect());
  return remote->sign(edition, purpose, message);
}

Result<crypto::PublicKey> SignerProcess::public_key(Edition edition, crypto::Purpose purpose) {
  crypto::RemoteSigner* remote = TRY(connect());
  return remote->public_key(edition, purpose);
}

Result<> serve_as_signer(const SignerPlace& place, const std::string& socket_name, unsigned allowed_uid,
                         std::stop_token stop) {
  TRY(own(place.folder, place.uid, 0711));
  TRY(own(place.folder / "keys", place.uid, 0700));
  // Names below are relative: after the change of user the way here may be closed.
  if (::chdir(place.folder.c_str()) != 0)
    return os::system_error(errno, fmt::format("enter '{}'", place.folder.string()));
  if (place.separate) TRY(drop_to(place.uid));
  ::prctl(PR_SET_DUMPABLE, 0);  // neither core files nor ptrace show the keys
  ::umask(0077);
  crypto::SignerOptions options;
  options.socket = socket_name;
  options.key_folder = "keys";
  options.log = "signatures.jsonl";
  options.allowed_uid = allowed_uid;
  return crypto::serve_signer(options, stop);
}

}  // namespace nacre::cli
