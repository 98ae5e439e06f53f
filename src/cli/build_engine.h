#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "build/build.h"
#include "cli/command.h"
#include "codec/json.h"
#include "engine/executor.h"
#include "net/grpc.h"

namespace nacre {
class Task;
}

namespace nacre::cli {

/// Runs the steps of builds as actions: in processes of this machine, or on a server of the Remote Execution API
/// (docs/engine.md). Packages, signatures and evidence are made here, from what comes back. Safe to use from several
/// threads.
class BuildEngine {
 public:
  /// `where`: "local", "grpc://HOST:PORT" or "grpcs://HOST:PORT". NACRE_ENGINE_CA, _TOKEN, _INSTANCE, _PLATFORM and
  /// _LOGS say the rest. Asks the server what it can: kInvalid when that is not what builds need, kUnavailable when it
  /// is not there.
  static Result<std::shared_ptr<BuildEngine>> open(const std::string& where, Session& session);

  /// Why a build does not leave this process; nothing when it may.
  static std::optional<std::string> stays_here(const build::BuildRequest& request);

  /// As build::run_build(), with the action's evidence beside it. `lookup` kRun: whatever the engine has kept.
  struct Built {
    build::BuiltTree tree;
    codec::Json evidence;  ///< For provenance: the action's digest, who ran it, whether the result was kept.
  };
  Result<Built> run(const build::BuildRequest& request, engine::Lookup lookup);

 private:
  struct Input {
    TreePath path;
    engine::Blob blob;
  };
  struct Prepared {
    engine::Digest action;
    std::vector<engine::Blob> blobs;
  };
  explicit BuildEngine(Session& session) : session_(session) {}
  Result<> connect(const std::string& where);
  Result<std::vector<Input>> worker_inputs();
  Result<Prepared> prepare(const build::BuildRequest& request);
  struct Ran {
    engine::Outcome outcome;
    bool was_seen = false;  ///< Lines of its output came while it ran.
  };
  Result<Ran> execute(const Prepared& prepared, engine::Lookup lookup, const Task& task);
  Result<Built> take(const build::BuildRequest& request, const Ran& ran, const Task& task);

  Session& session_;
  std::string where_;
  engine::Properties platform_;
  std::mutex mutex_;
  std::vector<Input> worker_;  ///< nacre-worker, its loader and its libraries; found at the first build.
  std::unique_ptr<net::GrpcChannel> channel_, logs_;
  std::unique_ptr<engine::Cas> cas_;
  std::unique_ptr<engine::Executor> executor_;  ///< Goes first: it uses the others.
};

}  // namespace nacre::cli
