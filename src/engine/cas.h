#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/messages.h"
#include "os/file.h"

namespace nacre::store {
class Store;
}

namespace nacre::engine {

/// Something to put into a CAS: bytes, or a file.
struct Blob {
  Digest digest;
  std::string bytes;
  os::Path file{};  ///< When set, instead of `bytes`.
};
Blob blob_of(std::string bytes);

using Sink = std::function<Result<>(std::string_view bytes)>;

/// A content-addressed store: this machine's or a server's. Safe to use from several threads.
class Cas {
 public:
  virtual ~Cas() = default;

  /// Those that it does not have; of equal ones, one.
  virtual Result<std::vector<Digest>> missing(std::span<const Digest> digests) = 0;
  /// Sends them, there or not. kDenied when content and digest differ.
  virtual Result<> put(std::span<const Blob> blobs) = 0;
  /// Sends those that are missing; returns how many bytes that were.
  Result<std::uint64_t> upload(std::span<const Blob> blobs);

  /// The blob in pieces, counted and hashed on the way: kDenied at the end when it is another one, and as soon as more
  /// comes than its digest says. kNotFound when it is not there. What went into `sink` before an error is worth
  /// nothing.
  Result<> fetch(const Digest& digest, const Sink& sink);
  Result<std::string> get(const Digest& digest, std::uint64_t max_bytes);
  /// Into a file of the store, which the blob's hash then names.
  Result<> get_into(const Digest& digest, store::Store& store);

 protected:
  virtual Result<> read(const Digest& digest, const Sink& sink) = 0;  ///< Unchecked.
};

/// The blobs of a store of this machine. Digests carry sizes, which a store keeps as those of files.
class LocalCas final : public Cas {
 public:
  explicit LocalCas(store::Store& store) : store_(store) {}
  Result<std::vector<Digest>> missing(std::span<const Digest> digests) override;
  Result<> put(std::span<const Blob> blobs) override;

 protected:
  Result<> read(const Digest& digest, const Sink& sink) override;

 private:
  store::Store& store_;
};

/// An input root before it has a digest: files by path, directories as they follow from these.
class InputTree {
 public:
  enum class Mode { kPlain, kExecutable };
  /// kConflict when the path is taken.
  Result<> add(const TreePath& path, Blob blob, Mode mode = Mode::kPlain);
  /// The root's digest; adds every file and Directory to `blobs`.
  Digest finish(std::vector<Blob>& blobs) const;

 private:
  struct Node {
    std::map<std::string, Node> folders;
    std::map<std::string, std::pair<Blob, Mode>> files;
  };
  static Digest finish(const Node& node, std::vector<Blob>& blobs);
  Node root_;
};

/// What a Directory and those below it name, by path; each was hashed. Bounded: kInvalid beyond.
struct StagedFile {
  TreePath path;
  Digest digest;
  bool executable = false;
};
struct StagedTree {
  std::vector<TreePath> folders;  ///< Each after the one that holds it.
  std::vector<StagedFile> files;
  std::vector<std::pair<TreePath, std::string>> links;
};
struct TreeBounds {
  std::size_t max_entries = 200'000, max_depth = 64;
  std::uint64_t max_directory_bytes = 16u << 20;
};
Result<StagedTree> tree(Cas& cas, const Digest& root, const TreeBounds& bounds = {});

}  // namespace nacre::engine
