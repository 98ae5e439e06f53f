#include "crypto/signer.h"

#include "codec/digest.h"
#include "codec/json.h"
#include "crypto/test_keys.h"
#include "crypto/wire.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>

namespace nacre::crypto {
namespace {

using os::Path;

std::string content(const Path& path) {
  auto text = os::read_file(path);
  return text ? *std::move(text) : text.error().render();
}

TEST(FileSigner, MakesAKeyOnceAndKeepsIt) {
  const os::TempDir dir = scratch();
  FileSigner signer(dir.path() / "keys");
  const auto key = signer.public_key(Edition::kCommunity, Purpose::kAttestation);
  ASSERT_TRUE(key) << key.error().render();
  EXPECT_EQ(key->kind(), KeyKind::kEcdsaP256);
  const auto signature = signer.sign(Edition::kCommunity, Purpose::kAttestation, "text");
  EXPECT_EQ(message_of(key->verify("text", *signature)), "no error");
  EXPECT_EQ(signer.public_key(Edition::kCommunity, Purpose::kAttestation)->pem(), key->pem());
  EXPECT_NE(signer.public_key(Edition::kProduction, Purpose::kAttestation)->pem(), key->pem());

  struct stat status {};
  ASSERT_EQ(::stat((dir.path() / "keys/community-attestation.pem").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777u, 0600u);
  EXPECT_EQ(os::walk_tree(dir.path() / "keys")->size(), 2u) << "two keys, nothing temporary";
}

TEST(FileSigner, RefusesKeysThatOthersReadOrOfTheWrongKind) {
  const os::TempDir dir = scratch();
  FileSigner signer(dir.path());
  const Path file = dir.path() / "stage0-package.pem";
  ASSERT_TRUE(os::write_file(file, ecdsa_key().pem(), 0644));
  EXPECT_EQ(message_of(signer.sign(Edition::kStage0, Purpose::kPackage, "")),
            fmt::format("the key '{0}' is open to others (mode 0644)\n  hint: chmod 600 '{0}'",
                        file.string()));
  ASSERT_TRUE(os::write_file(file, ecdsa_key().pem(), 0600));
  EXPECT_EQ(message_of(signer.sign(Edition::kStage0, Purpose::kPackage, "")),
            fmt::format("the key '{}' must be RSA", file.string()));
  ASSERT_TRUE(os::write_file(file, rsa_key().pem(), 0600));
  EXPECT_EQ(message_of(rsa_key().public_key().verify(
                "x", *signer.sign(Edition::kStage0, Purpose::kPackage, "x"))),
            "no error");
}

TEST(FileSigner, AgreesOnOneKeyBetweenProcesses) {
  const os::TempDir dir = scratch();
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      FileSigner signer(dir.path() / "keys");
      const auto key = signer.public_key(Edition::kCommunity, Purpose::kAttestation);
      const bool ok = key && os::write_file(dir.path() / std::to_string(i), key->fingerprint());
      ::_exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  std::set<std::string> found;
  for (std::size_t i = 0; i < children.size(); ++i) {
    int status = -1;
    ::waitpid(children[i], &status, 0);
    EXPECT_EQ(status, 0);
    found.insert(content(dir.path() / std::to_string(i)));
  }
  EXPECT_EQ(found.size(), 1u);
}

TEST(FileSigner, NamesPublicKeysAsApkExpectsThem) {
  EXPECT_EQ(public_key_name(Edition::kCommunity, Purpose::kPackage), "nacre-community.rsa.pub");
  EXPECT_EQ(public_key_name(Edition::kProduction, Purpose::kAttestation),
            "nacre-production.ecdsa.pub");
}

/// A signer process's main function in a thread, over a real socket.
class Served {
 public:
  explicit Served(unsigned allowed_uid = ::getuid(), bool allow_production = true)
      : options_{dir_.path() / "s/socket", dir_.path() / "keys", dir_.path() / "log", allowed_uid,
                 allow_production},
        thread_([this](std::stop_token stop) { ended_ = serve_signer(options_, stop); }) {
    for (int i = 0; i < 500 && !listening(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ~Served() { stop(); }

  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  const SignerOptions& options() const { return options_; }
  const Result<>& ended() const { return ended_; }
  RemoteSigner client() const { return RemoteSigner(options_.socket); }
  std::string log() const { return content(options_.log); }

  wire::Channel raw(double seconds = 20) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, options_.socket.c_str());
    os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return wire::Channel(std::move(fd), seconds);
  }

 private:
  bool listening() const {
    struct stat status {};
    return ::stat(options_.socket.c_str(), &status) == 0 && (status.st_mode & 07777u) == 0660u;
  }

  os::TempDir dir_ = scratch();
  SignerOptions options_;
  Result<> ended_;
  std::jthread thread_;
};

TEST(RemoteSigner, SignsOverASocketAndLogsIt) {
  const Served served;
  RemoteSigner client = served.client();
  const auto key = client.public_key(Edition::kCommunity, Purpose::kAttestation);
  ASSERT_TRUE(key) << key.error().render();
  EXPECT_EQ(served.log(), "") << "asking for a public key is no signature";
  const std::string message(3u << 20, 'm');
  const auto signature = client.sign(Edition::kCommunity, Purpose::kAttestation, message);
  ASSERT_TRUE(signature) << signature.error().render();
  EXPECT_EQ(message_of(key->verify(message, *signature)), "no error");

  const auto row = codec::parse_json(served.log(), "log");
  ASSERT_TRUE(row) << row.error().render();
  EXPECT_EQ(served.log().back(), '\n');
  EXPECT_EQ((*row)["uid"].as_int(-1), ::getuid());
  EXPECT_EQ((*row)["pid"].as_int(-1), ::getpid());
  EXPECT_EQ((*row)["edition"].as_string(), "community");
  EXPECT_EQ((*row)["purpose"].as_string(), "attestation");
  EXPECT_EQ((*row)["sha256"].as_string(), codec::sha256(message).hex());
  EXPECT_EQ((*row)["time"].as_string().size(), std::string_view("2026-11-24T05:03:00Z").size());
}

TEST(RemoteSigner, SignsTheIndexOfALargeRepository) {
  const Served served;
  const std::string message = std::string(40u << 20, 'm') + "end";
  const auto signature = served.client().sign(Edition::kCommunity, Purpose::kPackage, message);
  ASSERT_TRUE(signature) << signature.error().render();
  const auto key = served.client().public_key(Edition::kCommunity, Purpose::kPackage);
  ASSERT_TRUE(key) << key.error().render();
  EXPECT_EQ(message_of(key->verify(message, *signature)), "no error");
  const auto row = codec::parse_json(served.log(), "log");
  ASSERT_TRUE(row) << row.error().render();
  EXPECT_EQ((*row)["sha256"].as_string(), codec::sha256(message).hex());
  EXPECT_EQ((*row)["bytes"].as_int(-1), (40 << 20) + 3);
}

TEST(RemoteSigner, ServesManyAtOnce) {
  const Served served;
  const PublicKey key = *served.client().public_key(Edition::kCommunity, Purpose::kAttestation);
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      const std::string message = std::to_string(i);
      const auto signature =
          served.client().sign(Edition::kCommunity, Purpose::kAttestation, message);
      if (signature && key.verify(message, *signature)) ++good;
    });
  threads.clear();
  EXPECT_EQ(good, 16);
  const std::string log = served.log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 16);
}

TEST(RemoteSigner, RefusesUsersItDoesNotServe) {
  const Served served(::getuid() + 1);
  const auto refused = served.client().sign(Edition::kCommunity, Purpose::kAttestation,
                                            std::string(1u << 20, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kDenied);
  EXPECT_EQ(message_of(refused),
            fmt::format("the signer does not serve the user {}\n  while asking the signer on '{}'",
                        ::getuid(), served.options().socket.string()));
  EXPECT_EQ(served.log(), "");
  EXPECT_FALSE(os::exists(served.options().key_folder)) << "no key was made";
}

TEST(RemoteSigner, RefusesTheProductionEditionByPolicy) {
  const Served served(::getuid(), false);
  const auto refused = served.client().sign(Edition::kProduction, Purpose::kAttestation, "x");
  EXPECT_EQ(message_of(refused),
            fmt::format("the signer's policy refuses the edition 'production'\n"
                        "  while asking the signer on '{}'",
                        served.options().socket.string()));
  EXPECT_EQ(refused.error().kind(), ErrorKind::kDenied);
  EXPECT_TRUE(served.client().sign(Edition::kCommunity, Purpose::kAttestation, "x"));
}

TEST(RemoteSigner, SignsNothingThatItCannotLog) {
  const Served served;
  std::filesystem::remove(served.options().log);
  ASSERT_TRUE(os::make_dirs(served.options().log));
  const auto refused = served.client().sign(Edition::kCommunity, Purpose::kAttestation, "x");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(message_of(refused).starts_with("cannot open the log")) << message_of(refused);
}

TEST(RemoteSigner, RefusesWhatIsTooLarge) {
  const Served served;
  EXPECT_EQ(message_of(served.client().sign(Edition::kCommunity, Purpose::kAttestation,
                                            std::string((256u << 20) + 1, 'x'))),
            "the signer takes at most 268435456 bytes, not 268435457");
  wire::Channel channel = served.raw();
  ASSERT_TRUE(channel.send(wire::to_text(wire::Request{wire::Op::kSign, Edition::kCommunity,
                                                       Purpose::kAttestation})));
  (void)channel.send(std::string((256u << 20) + 1, 'x'));
  const auto verdict = channel.receive(wire::kMaxHeaderBytes);
  ASSERT_TRUE(verdict) << verdict.error().render();
  EXPECT_EQ(message_of(wire::parse_verdict(*verdict)),
            "expected a frame of at most 268435456 bytes, got one of 268435457");
  EXPECT_EQ(served.log(), "");
}

TEST(RemoteSigner, AnswersRubbishWithAnError) {
  const Served served;
  for (const char* text :
       {"", "{", "[]", R"({"op":"export","edition":"community","purpose":"package"})",
        R"({"op":"sign","edition":"../x","purpose":"package"})"}) {
    wire::Channel channel = served.raw();
    ASSERT_TRUE(channel.send(text));
    const auto verdict = channel.receive(wire::kMaxHeaderBytes);
    ASSERT_TRUE(verdict) << verdict.error().render();
    EXPECT_EQ(wire::parse_verdict(*verdict).error().kind(), ErrorKind::kInvalid) << text;
  }
}

TEST(RemoteSigner, StopsWhileAPeerIsSilent) {
  Served served;
  std::vector<wire::Channel> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(served.raw());
  ASSERT_TRUE(served.client().sign(Edition::kCommunity, Purpose::kAttestation, "x"))
      << "three silent peers leave a worker";
  const auto before = std::chrono::steady_clock::now();
  served.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
  EXPECT_EQ(message_of(served.ended()), "no error");
  EXPECT_EQ(message_of(served.client().sign(Edition::kCommunity, Purpose::kAttestation, "x")),
            fmt::format("no signer listens on '{}'\n  hint: start one with `nacre signer`, as the "
                        "user who owns the keys",
                        served.options().socket.string()));
}

TEST(RemoteSigner, IsOnePerSocketAndTakesOverFromTheDead) {
  Served served;
  EXPECT_EQ(serve_signer(served.options(), {}).error().kind(), ErrorKind::kConflict);
  served.stop();
  // A socket that a killed process left behind.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, served.options().socket.c_str());
  const os::Fd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::stop_source at_once;
  at_once.request_stop();
  EXPECT_EQ(message_of(serve_signer(served.options(), at_once.get_token())), "no error");
  ASSERT_TRUE(os::write_file(served.options().socket, "a file"));
  EXPECT_EQ(message_of(serve_signer(served.options(), at_once.get_token())),
            fmt::format("'{}' is there, and no socket", served.options().socket.string()));
}

}  // namespace
}  // namespace nacre::crypto
