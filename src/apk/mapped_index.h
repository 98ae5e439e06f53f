#pragma once

#include "apk/record_view.h"
#include "base/result.h"
#include "base/sha256.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace nacre::apk {

/// Numbers that live as long as the index they come from: adding to an index keeps those that were there.
using PackageNumber = std::uint32_t;
using NameNumber = std::uint32_t;
constexpr std::uint32_t kNoNumber = ~0u;

/// One atom of a dependency list, its name a number: "zlib>=1.3" has the name "zlib", "!foo" has "foo".
struct AtomView {
  NameNumber name = kNoNumber;
  std::string_view text;  ///< As written.
};

/// Who answers to a name: a package by its own name, or by one of its provides.
struct Offer {
  PackageNumber package = kNoNumber;
  std::string_view version;  ///< Of the name; empty: a provide without a version.
  bool own = false;
};

/// An index laid out to be used where it lies: bytes of a mapped file, read without being parsed.
///
/// Shape: one or more segments. The first holds a whole index; each further one adds packages to those before it, and
/// may take some away. All texts are pieces of the segments, which the caller keeps. docs/formats/mapped-index.md.
///
/// Safe on any bytes: a segment whose magic, version, size, parent or checksum is wrong is kInvalid at open(), and
/// every number read from it is checked against its bounds when it is used. Copies share everything.
class MappedIndex {
 public:
  /// Cost: one pass over the bytes for the checksum. Segments begin at multiples of 8.
  static Result<MappedIndex> open(const std::vector<std::string_view>& segments);

  /// What the newest segment was made for: the digest of an APKINDEX.tar.gz.
  const Sha256& describes() const;

  std::uint32_t package_count() const;        ///< Numbers go from 0 to this; some may be removed.
  bool has(PackageNumber package) const;      ///< False for those that a later segment took away.
  RecordView record(PackageNumber package) const;
  std::size_t segment_count() const;
  std::uint64_t last_checksum() const;        ///< Of the newest segment: what the next one names as its parent.

  std::uint32_t name_count() const;
  std::string_view name(NameNumber name) const;
  NameNumber find(std::string_view name) const;     ///< kNoNumber: nobody has it or asks for it.
  NameNumber name_of(PackageNumber package) const;  ///< Of its own name.

  std::vector<Offer> offers(NameNumber name) const;  ///< In index order.
  std::vector<AtomView> depends(PackageNumber package) const;
  std::vector<AtomView> provides(PackageNumber package) const;
  std::vector<AtomView> install_if(PackageNumber package) const;

  /// The package of this name, version and architecture; the newest added of several.
  PackageNumber find_package(std::string_view name, std::string_view version, std::string_view arch) const;

 private:
  struct Segment;
  struct State;
  std::vector<AtomView> atoms(PackageNumber package, int list) const;
  std::shared_ptr<const State> state_;
};

/// Makes a segment. Texts handed in are copied.
class SegmentWriter {
 public:
  /// `describes`: what the index is after this segment. Without `under` it is a first one.
  explicit SegmentWriter(const Sha256& describes, const MappedIndex* under = nullptr);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  void expect(std::size_t text_bytes);  ///< About so much text will come: room for it is made at once.
  /// kInvalid when the segment becomes larger than 2 GiB.
  Result<> add(const RecordView& record);
  void remove(PackageNumber package);  ///< Of `under`.
  Result<std::string> finish();        ///< Once.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Gives the bytes of a segment the checksum that fits them (tests and fuzzing change them).
void seal_segment(char* bytes, std::size_t size);

/// The name in an atom: without '!', up to '@' or the operator.
std::string_view atom_name(std::string_view atom);

}  // namespace nacre::apk
