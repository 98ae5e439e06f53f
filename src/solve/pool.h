#pragma once

#include "apk/dependency.h"
#include "apk/index_record.h"
#include "base/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// All packages that a solver may choose from, read once and laid out flat: names are numbers, dependencies are split
// into their parts, who offers a name stands beside it. The same bytes serve in memory and mapped from a file.
namespace nacre::solve {

constexpr std::uint32_t kNone = ~0u;

/// A piece of the pool's text; a run of rows.
struct Text { std::uint32_t at = 0, size = 0; };
struct Range { std::uint32_t first = 0, count = 0; };

struct PoolName {
  Text text;
  Range offers;      ///< Who goes by the name, in the order in which they were added.
  Range companions;  ///< Packages with an install_if on it.
};

struct PoolAtom {
  std::uint32_t name = 0;
  Text version, tag;
  std::uint16_t op = 0;
  std::uint8_t conflict = 0, odd = 0;
};

struct PoolProvide {
  std::uint32_t name = 0;
  Text version;  ///< Empty: without a version.
};

struct PoolOffer {
  std::uint32_t package = 0;
  Text version;
  std::uint8_t versioned = 0, own = 0;  ///< own: the package's own name.
  std::uint16_t unused = 0;
};

struct PoolPackage {
  std::uint32_t name = 0, record = 0;   ///< record: its number among all that add() was called with.
  Text version, checksum, origin, arch;
  Text fault;                           ///< Why it can never be chosen: a dependency that cannot be read.
  Range depends, install_if, provides;
  std::uint32_t priority = 0, source = 0;
  std::uint64_t sources = 0;            ///< One bit for each source that has it.
  std::uint8_t empty = 0, unused[7] = {};  ///< empty: takes no room when installed.
};

class Pool {
 public:
  static constexpr std::size_t kMaxSources = 64;

  Pool() = default;
  Pool(Pool&&) = default;
  Pool& operator=(Pool&&) = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Adds a package of source number `source`. A package that is there already, with the same name, version and
  /// checksum, gets one source more when `merge` allows it. `fault`: why it must not be chosen.
  void add(const apk::IndexRecord& record, std::size_t source, bool merge = true, std::string fault = {});
  /// To be called after the last add(), and again when more was added.
  void finish();

  /// The pool as bytes, and a view of such bytes, which must outlive it and begin at a multiple of 8. kInvalid for
  /// bytes that no pool wrote: every row is checked to stay inside.
  std::string to_bytes() const;
  static Result<Pool> from_bytes(std::string_view bytes);

  std::string_view text(Text at) const { return text_.substr(at.at, at.size); }
  std::span<const PoolPackage> packages() const { return packages_; }
  std::span<const PoolName> names() const { return names_; }
  std::span<const PoolOffer> offers(const PoolName& name) const { return part(offers_, name.offers); }
  std::span<const std::uint32_t> companions(const PoolName& name) const { return part(companions_, name.companions); }
  std::span<const PoolAtom> atoms(Range range) const { return part(atoms_, range); }
  std::span<const PoolProvide> provides(Range range) const { return part(provides_, range); }
  std::uint32_t find(std::string_view name) const;  ///< kNone: nobody speaks of it.

 private:
  template <class T>
  static std::span<const T> part(std::span<const T> all, Range range) { return all.subspan(range.first, range.count); }
  Text keep(std::string_view text);
  std::uint32_t name_of(std::string_view name);
  Range keep_atoms(const std::vector<std::string>& texts, std::string& fault);
  void grow_table();
  void look_at_own();
  Result<> check() const;

  // While it is made.
  struct Own {
    std::string text;
    std::uint32_t added = 0;
    std::vector<PoolName> names;
    std::vector<PoolPackage> packages;
    std::vector<PoolAtom> atoms;
    std::vector<PoolProvide> provides;
    std::vector<PoolOffer> offers;
    std::vector<std::uint32_t> companions, table;
    std::unordered_map<std::string, std::uint32_t> by_identity;
  } own_;
  // What is read.
  std::string_view text_;
  std::span<const PoolName> names_;
  std::span<const PoolPackage> packages_;
  std::span<const PoolAtom> atoms_;
  std::span<const PoolProvide> provides_;
  std::span<const PoolOffer> offers_;
  std::span<const std::uint32_t> companions_, table_;
};

}  // namespace nacre::solve
