#pragma once

#include "crypto/signer.h"
#include "os/process.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace nacre::cli {

/// The directory below NACRE_HOME that belongs to the signer: keys/, its socket, its log of signatures.
struct SignerPlace {
  os::Path folder;            ///< NACRE_HOME/signer
  unsigned uid = 0;           ///< Who it runs as; the caller's own uid when that is not root.
  bool separate = false;      ///< uid differs from the caller's.
};
/// NACRE_SIGNER_UID or 64642 when root, else the caller.
SignerPlace signer_place(const os::Path& home);

/// Who built, for provenance: one identity when keys are out of reach of what builds, another when they are not.
std::string builder_identity(const SignerPlace& place);

/// Starts `nacre signer` as a child at the first signature and talks to it over its socket; the child ends with this
/// object (or with this process, however it ends). With NACRE_SIGNER_SOCKET set, a signer that runs already is asked
/// instead.
class SignerProcess final : public crypto::Signer {
 public:
  SignerProcess(os::Path program, SignerPlace place);
  ~SignerProcess() override;
  Result<std::string> sign(Edition, crypto::Purpose, std::string_view message) override;
  Result<crypto::PublicKey> public_key(Edition, crypto::Purpose) override;

 private:
  Result<crypto::RemoteSigner*> connect();
  void start(const std::string& socket_name);
  Result<> wait_for_socket();

  os::Path program_;
  SignerPlace place_;
  std::mutex mutex_;
  std::unique_ptr<crypto::RemoteSigner> remote_;
  os::Path socket_;                 ///< Of our child; empty before it was started.
  std::string last_words_;          ///< What the child printed, once `ended_` says so.
  std::atomic<bool> ended_ = false;
  std::jthread child_;
};

/// What the child does: makes its directory, gives up every privilege, serves until stopped.
Result<> serve_as_signer(const SignerPlace& place, const std::string& socket_name, unsigned allowed_uid,
                         std::stop_token stop);

}  // namespace nacre::cli
