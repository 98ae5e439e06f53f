#pragma once

#include "base/result.h"
#include "codec/json.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

/// A part of a locked package: "bytes=A-B" and "sha1-…" or "sha256-…"; both empty for no signature.
struct LockedRange {
  std::uint64_t first = 0, last = 0;
  std::string checksum;
  bool empty() const { return checksum.empty(); }
};

struct LockedPackage {
  std::string name, url, version, arch;
  LockedRange signature, control, data;
  std::string checksum;   ///< "Q1…"
  std::string sha256;     ///< Of the whole file: nacre's own, "" in others' locks.
  std::uint64_t size() const { return data.last + 1; }
};

struct LockedRepository {
  std::string name, url, arch;
};

struct LockedKey {
  std::string name, url, content;
};

/// An index that packages were chosen from: nacre's own.
struct LockedIndex {
  std::string url, sha256, description, key;   ///< key: fingerprint of the one that signed; "" when not checked.
};

/// A base image that packages stand upon: nacre's own. Digests of its manifest and of its APKINDEX.
struct LockedBase {
  std::string arch, manifest, database;
};

/// apko's lock file (spec 3.5), with what closes it under the member "nacre": the tool, the digest of every index,
/// package and base image, and one of the lock itself. Others ignore that member; without it a lock is apko's.
struct LockFile {
  std::string config_name, config_checksum;
  std::vector<LockedKey> keyring;
  std::vector<LockedRepository> build_repositories, runtime_repositories, repositories;
  std::vector<LockedPackage> packages;    ///< By architecture, in install order.
  std::string tool;                       ///< "nacre 0.1.0"; "" in others' locks.
  std::vector<LockedIndex> indexes;
  std::vector<LockedBase> bases;

  bool closed() const { return !tool.empty(); }
};

/// kInvalid naming what is missing or malformed: another version, a package without checksum (locks older than apko
/// 0.13), ranges that do not follow each other. kDenied for a closed lock that was changed after it was written.
Result<LockFile> parse_lock_file(std::string_view text, std::string_view source);
std::string write_lock_file(const LockFile& lock);

}  // namespace nacre::image
