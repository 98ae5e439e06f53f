#pragma once

#include "advisory/osv.h"
#include "base/result.h"
#include "os/file.h"
#include "package/tree.h"

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

/// One record that names what was asked for, and which of its packages that is.
struct OsvHit {
  OsvRecord record;
  std::size_t affected = 0;
};

/// OSV records of some directories, by what they affect. Made once, then mapped: a question is a binary search.
///
/// Shape of the file: header, sorted keys, runs of numbers, compact records (osv_index.cc). Made on this machine for
/// this machine; every offset is checked all the same.
class OsvIndex {
 public:
  /// The index of `folders`, from `cache` when it was made from the same files (paths, sizes, times of change), else
  /// made anew: *.json, and *.json inside *.zip, at any depth. Files that are no OSV record are counted, and left out.
  /// kNotFound for a folder that is not there or holds no record.
  static Result<OsvIndex> open(const std::vector<os::Path>& folders, const os::Path& cache,
                               const std::stop_token& stop);

  /// Records on a package, withdrawn ones left out. `ecosystem` without release ("Debian"); PyPI names as normal.
  Result<std::vector<OsvHit>> on_package(std::string_view ecosystem, std::string_view name) const;
  /// Records with ranges of a git repository (repository_key()).
  Result<std::vector<OsvHit>> on_repository(std::string_view key) const;
  /// The record with this id or alias, and those that it is an alias of.
  Result<std::vector<OsvHit>> by_id(std::string_view id) const;

  std::int64_t newest() const { return newest_; }  ///< When the newest record was changed: the date of the data.
  std::uint64_t records() const { return records_; }
  std::uint64_t left_out() const { return left_out_; }  ///< JSON files that are no OSV record.

 private:
  OsvIndex() = default;
  static Result<OsvIndex> map(const os::Path& file);
  Result<std::vector<OsvHit>> find(const std::string& key) const;

  std::shared_ptr<const package::MappedFile> file_;
  std::string_view keys_, runs_, text_;
  std::uint64_t records_ = 0, left_out_ = 0;
  std::int64_t newest_ = 0;
};

}  // namespace nacre::advisory
