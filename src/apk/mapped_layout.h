#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

// Inside this room only: how a segment of a mapped index lies in its file (docs/formats/mapped-index.md).
namespace nacre::apk {

static_assert(std::endian::native == std::endian::little, "the file is read as it lies in memory");

constexpr std::array<char, 8> kMapMagic = {'n', 'a', 'c', 'r', 'e', 'I', 'X', '\n'};
constexpr std::uint32_t kMapVersion = 1;
constexpr std::uint64_t kMaxMapBytes = std::uint64_t{2} << 30;

struct MapText {
  std::uint32_t at = 0, size = 0;
};

enum MapList { kDepends, kProvides, kInstallIf, kLists };

struct PackageRow {
  std::uint64_t size_bytes = 0, installed_bytes = 0, provider_priority = 0;
  std::int64_t built_at = 0;
  std::uint32_t name = 0, first_atom = 0;
  std::array<std::uint32_t, kLists> atom_counts{};  ///< depends, provides, install_if, one after the other.
  MapText version, arch, checksum, origin, description, url, license, maintainer, commit;
  std::array<MapText, kLists> lists;
  std::uint32_t unused = 0;
};
static_assert(sizeof(PackageRow) == 152);

struct AtomRow {
  std::uint32_t name = 0, at = 0;  ///< The text goes to the next blank, or to the end of its list.
};

struct OfferRow {
  std::uint32_t package = 0, provide = 0;  ///< provide: which of its provides; kNoNumber for its own name.
};

struct OfferRun {
  std::uint32_t name = 0, first = 0, count = 0;  ///< Sorted by name.
};

enum MapPart { kStrings, kPackages, kNames, kSlots, kAtoms, kOfferRuns, kOffers, kRemoved, kParts };
constexpr std::array<std::uint32_t, kParts> kMapRowBytes = {1,
                                                         sizeof(PackageRow),
                                                         sizeof(MapText),
                                                         sizeof(std::uint32_t),
                                                         sizeof(AtomRow),
                                                         sizeof(OfferRun),
                                                         sizeof(OfferRow),
                                                         sizeof(std::uint32_t)};

struct PartPlace {
  std::uint64_t offset = 0, count = 0;
};

struct MapHeader {
  std::array<char, 8> magic{};
  std::uint32_t version = 0, header_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t checksum = 0;  ///< Of the whole file with this field zero.
  std::uint64_t parent = 0;    ///< Checksum of the segment before; 0: the first.
  std::uint64_t seed = 0;      ///< Of the hash of names.
  std::uint32_t first_package = 0, first_name = 0;
  std::array<std::uint8_t, 32> describes{};
  std::array<PartPlace, kParts> parts;
};
static_assert(sizeof(MapHeader) == 88 + 16 * kParts);

/// A fast hash for checksums and names: no defence against people, who have no way to these files; SHA-256 stands
/// before.
std::uint64_t map_hash(std::string_view bytes, std::uint64_t seed);

}  // namespace nacre::apk
