#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/tree_path.h"

/// Values of the Remote Execution API, version 2 (build.bazel.remote.execution.v2), as far as nacre sends and reads
/// them, with the bytes that they have on the wire. Names and numbers of fields are the API's. Readers take messages of
/// servers, which may lie: kInvalid for what is malformed.
namespace nacre::engine {

/// What names a blob in a CAS: both must fit.
struct Digest {
  Sha256 hash;
  std::uint64_t size = 0;
  auto operator<=>(const Digest&) const = default;
  std::string str() const;  ///< "HEX/SIZE", as resource names have it.
};
Digest digest_of(std::string_view bytes);
std::string to_wire(const Digest& digest);
Result<Digest> digest_from_wire(std::string_view bytes);

/// Name and value; ordered by both.
using Properties = std::vector<std::pair<std::string, std::string>>;

/// What runs, and what of it is wanted.
struct Command {
  std::vector<std::string> arguments;
  Properties environment;                 ///< Exactly this. Ordered by name when written.
  std::vector<std::string> output_paths;  ///< Relative to the input root; ordered when written.
  Properties platform;
};
std::string to_wire(const Command& command);
Result<Command> command_from_wire(std::string_view bytes);

/// A file of a Directory, where `path` is a plain name, or of a result. FileNode and OutputFile have the same bytes.
struct File {
  std::string path;
  Digest digest;
  bool executable = false;
};

/// One level of an input root. Names are plain and differ; ordered when written.
struct Directory {
  struct Folder {
    std::string name;
    Digest digest;  ///< Of its Directory.
  };
  struct Link {
    std::string name, target;
  };
  std::vector<File> files;
  std::vector<Folder> folders;
  std::vector<Link> links;
};
std::string to_wire(const Directory& directory);
Result<Directory> directory_from_wire(std::string_view bytes);

/// A command on an input root. Its digest is the key of its result.
struct Action {
  Digest command, input_root;
  std::int64_t timeout_seconds = 0;  ///< Part of the key, so one of a few (timeout_class).
  bool do_not_cache = false;
  Properties platform;
};
std::string to_wire(const Action& action);
Result<Action> action_from_wire(std::string_view bytes);

/// What an action left.
struct ActionResult {
  std::vector<File> files;  ///< Of the output paths.
  int exit_code = 0;
  std::string out, err;                           ///< As far as they came along: the last MiB of each.
  std::optional<Digest> out_blob, err_blob;       ///< Else here.
  std::string worker;                             ///< Who ran it, as the engine says it.
  const File* find(std::string_view path) const;  ///< nullptr.
};
std::string to_wire(const ActionResult& result);
Result<ActionResult> action_result_from_wire(std::string_view bytes);

/// google.rpc.Status
struct RpcStatus {
  int code = 0;         ///< 2 (unknown) for numbers that are none of gRPC's.
  std::string message;  ///< Printable, bounded.
};
Result<RpcStatus> rpc_status_from_wire(std::string_view bytes);

enum class Stage { kUnknown = 0, kCacheCheck = 1, kQueued = 2, kExecuting = 3, kCompleted = 4 };
std::string_view name_of(Stage stage);  ///< "queued"

/// google.longrunning.Operation with an ExecuteResponse.
struct Operation {
  std::string name;
  Stage stage = Stage::kUnknown;
  bool done = false;
  RpcStatus status;                    ///< Of the operation, or of its response; code 0 when all went well.
  std::optional<ActionResult> result;  ///< May be there beside a status: what a timeout left.
  bool cached = false;
  std::string message;  ///< For people. Printable, bounded.
  /// What ByteStream reads the streams of the running command by; empty where the engine offers none.
  std::string out_stream, err_stream;
};
Result<Operation> operation_from_wire(std::string_view bytes);

/// ServerCapabilities
struct Capabilities {
  bool sha256 = false;                ///< Of the store.
  bool executes = false;              ///< With SHA-256.
  std::uint64_t max_batch_bytes = 0;  ///< 0: the server states none.
  int high_major = 0, low_major = 0;  ///< Of the API.
};
Result<Capabilities> capabilities_from_wire(std::string_view bytes);

/// Digests of one repeated field: what FindMissingBlobs answers.
Result<std::vector<Digest>> digests_from_wire(std::string_view bytes, unsigned field);

/// One row of what BatchUpdateBlobs answers.
struct BatchRow {
  Digest digest;
  RpcStatus status;
};
Result<std::vector<BatchRow>> batch_rows_from_wire(std::string_view bytes);

}  // namespace nacre::engine
