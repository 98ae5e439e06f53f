#pragma once

#include "crypto/key.h"
#include "os/file.h"
#include "os/process.h"

#include <gtest/gtest.h>

/// What the tests of this room share.
namespace nacre::crypto {

/// One RSA key for the whole test program: making one takes seconds.
inline const PrivateKey& rsa_key() {
  static const PrivateKey kKey = *PrivateKey::generate(KeyKind::kRsa4096);
  return kKey;
}

inline const PrivateKey& ecdsa_key() {
  static const PrivateKey kKey = *PrivateKey::generate(KeyKind::kEcdsaP256);
  return kKey;
}

inline os::TempDir scratch() {
  auto dir = os::TempDir::create(std::filesystem::temp_directory_path());
  EXPECT_TRUE(dir) << dir.error().render();
  return *std::move(dir);
}

/// Runs a shell line in `folder` and returns what it printed; the peer of these tests is the
/// `openssl` program.
inline std::string shell(const os::Path& folder, const std::string& line) {
  os::SystemProcesses processes;
  os::Command command{.argv = {"sh", "-ec", line}, .inherit_env = true, .working_dir = folder};
  const auto exit = processes.run(command);
  EXPECT_TRUE(exit && exit->ok()) << line << "\n" << (exit ? exit->err : exit.error().render());
  return exit ? exit->out : "";
}

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().render();
}

}  // namespace nacre::crypto
