#include "apk/mapped_index.h"

#include "apk/mapped_layout.h"

#include <algorithm>
#include <span>

namespace nacre::apk {

namespace {

constexpr std::uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xc2b2ae3d27d4eb4f, kC = 0x165667b19e3779f9;

std::uint64_t load(const char* at) {
  std::uint64_t out = 0;
  std::memcpy(&out, at, sizeof out);
  return out;
}

std::uint64_t mix(std::uint64_t sum, std::uint64_t value) { return std::rotl(sum + value * kB, 31) * kA; }

std::uint64_t scramble(std::uint64_t x) {
  x ^= x >> 33;
  x *= kB;
  x ^= x >> 29;
  x *= kC;
  return x ^ (x >> 32);
}

}  // namespace

std::uint64_t map_hash(std::string_view bytes, std::uint64_t seed) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t out = seed + kC + bytes.size();
  if (left >= 32) {
    std::uint64_t lanes[4] = {seed + kA, seed + kB, seed, seed - kA};
    for (; left >= 32; at += 32, left -= 32)
      for (int i = 0; i < 4; ++i) lanes[i] = mix(lanes[i], load(at + 8 * i));
    for (const std::uint64_t lane : lanes) out = mix(out, lane);
  }
  for (; left >= 8; at += 8, left -= 8) out = mix(out, load(at));
  std::uint64_t rest = left;
  for (; left > 0; ++at, --left) rest = rest << 8 | static_cast<std::uint8_t>(*at);
  return scramble(mix(out, rest));
}

std::string_view atom_name(std::string_view atom) {
  if (atom.starts_with('!')) atom.remove_prefix(1);
  // By hand: find_first_of looks through its list with a call for each byte.
  std::size_t end = 0;
  while (end < atom.size() && atom[end] != '@' && atom[end] != '~' && (atom[end] < '<' || atom[end] > '>')) ++end;
  return atom.substr(0, end);
}

namespace {

/// The version behind "name=" of a provide.
std::string_view provided_version(std::string_view text) {
  const std::size_t at = text.find('=');
  return at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
}

Error unfit(std::string_view why) {
  return Error::make(ErrorKind::kInvalid, "the mapped index cannot be used: {}", why);
}

}  // namespace

/// One segment's parts, in bounds and aligned.
struct MappedIndex::Segment {
  MapHeader header;
  std::string_view strings;
  std::span<const PackageRow> packages;
  std::span<const MapText> names;
  std::span<const std::uint32_t> slots, removed;
  std::span<const AtomRow> atoms;
  std::span<const OfferRun> runs;
  std::span<const OfferRow> offers;

  static Result<Segment> read(std::string_view bytes);

  /// Never outside the strings, whatever a row says.
  std::string_view text(MapText at) const {
    if (at.at > strings.size() || at.size > strings.size() - at.at) return {};
    return strings.substr(at.at, at.size);
  }

 private:
  template <class Row>
  Result<std::span<const Row>> part(std::string_view bytes, MapPart which) const {
    const PartPlace& place = header.parts[which];
    const std::uint64_t size = kMapRowBytes[which];
    if (place.offset % 8 != 0 || place.offset > bytes.size() || place.count > (bytes.size() - place.offset) / size)
      return unfit("a part lies outside the file");
    if (place.count > kNoNumber - 1) return unfit("a part has too many rows");
    return std::span<const Row>(reinterpret_cast<const Row*>(bytes.data() + place.offset), place.count);
  }
};

Result<MappedIndex::Segment> MappedIndex::Segment::read(std::string_view bytes) {
  Segment out;
  if (bytes.size() < sizeof(MapHeader)) return unfit("it is shorter than its header");
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return unfit("it does not begin at a multiple of 8");
  std::memcpy(static_cast<void*>(&out.header), bytes.data(), sizeof(MapHeader));
  const MapHeader& header = out.header;
  if (header.magic != kMapMagic) return unfit("it does not begin as one");
  if (header.version != kMapVersion || header.header_bytes != sizeof(MapHeader))
    return unfit(fmt::format("it has the form {}, this nacre reads {}", header.version, kMapVersion));
  if (header.file_bytes != bytes.size())
    return unfit(fmt::format("it has {} bytes, and says {}", bytes.size(), header.file_bytes));
  // The header is hashed with the checksum zero, then the rest in place.
  MapHeader blank = header;
  blank.checksum = 0;
  const std::uint64_t head = map_hash({reinterpret_cast<const char*>(&blank), sizeof blank}, kMapVersion);
  if (map_hash(bytes.substr(sizeof(MapHeader)), head) != header.checksum) return unfit("its checksum does not fit");
  const std::span<const char> strings = TRY(out.part<char>(bytes, kStrings));
  out.strings = {strings.data(), strings.size()};
  out.packages = TRY(out.part<PackageRow>(bytes, kPackages));
  out.names = TRY(out.part<MapText>(bytes, kNames));
  out.slots = TRY(out.part<std::uint32_t>(bytes, kSlots));
  out.atoms = TRY(out.part<AtomRow>(bytes, kAtoms));
  out.runs = TRY(out.part<OfferRun>(bytes, kOfferRuns));
  out.offers = TRY(out.part<OfferRow>(bytes, kOffers));
  out.removed = TRY(out.part<std::uint32_t>(bytes, kRemoved));
  if (!std::has_single_bit(out.slots.size()) || out.slots.size() <= out.names.size())
    return unfit("its table of names has a wrong size");
  return out;
}

struct MappedIndex::State {
  std::vector<Segment> segments;
  std::unordered_set<std::uint32_t> removed;
  std::uint32_t packages = 0, names = 0;

  /// The segment that holds a number; they are few.
  const Segment* holder(std::uint32_t number, std::uint32_t MapHeader::*first) const {
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment)
      if (number >= segment->header.*first) return &*segment;
    return nullptr;
  }
  struct Package {
    const Segment* segment;
    const PackageRow* row;
  };
  Package package(PackageNumber number) const {
    const Segment* segment = holder(number, &MapHeader::first_package);
    const std::uint32_t at = number - segment->header.first_package;
    static const PackageRow kNone;
    return {segment, at < segment->packages.size() ? &segment->packages[at] : &kNone};
  }
};

Result<MappedIndex> MappedIndex::open(const std::vector<std::string_view>& segments) {
  if (segments.empty()) return unfit("it has no segment");
  auto state = std::make_shared<State>();
  std::uint64_t parent = 0;
  for (const std::string_view bytes : segments) {
    Segment segment = TRY(Segment::read(bytes));
    const MapHeader& header = segment.header;
    if (header.parent != parent || header.first_package != state->packages || header.first_name != state->names)
      return unfit("its segments do not follow each other");
    if (segment.packages.size() > kNoNumber - 1 - state->packages ||
        segment.names.size() > kNoNumber - 1 - state->names)
      return unfit("it has too many rows");
    state->packages += static_cast<std::uint32_t>(segment.packages.size());
    state->names += static_cast<std::uint32_t>(segment.names.size());
    state->removed.insert(segment.removed.begin(), segment.removed.end());
    parent = header.checksum;
    state->segments.push_back(std::move(segment));
  }
  MappedIndex out;
  out.state_ = std::move(state);
  return out;
}

const Sha256& MappedIndex::describes() const {
  static_assert(sizeof(Sha256) == 32);
  return reinterpret_cast<const Sha256&>(state_->segments.back().header.describes);
}

std::uint32_t MappedIndex::package_count() const { return state_->packages; }
std::size_t MappedIndex::segment_count() const { return state_->segments.size(); }
std::uint64_t MappedIndex::last_checksum() const { return state_->segments.back().header.checksum; }
std::uint32_t MappedIndex::name_count() const { return state_->names; }

bool MappedIndex::has(PackageNumber package) const {
  return package < state_->packages && !state_->removed.contains(package);
}

RecordView MappedIndex::record(PackageNumber package) const {
  RecordView out;
  if (package >= state_->packages) return out;
  const auto [segment, row] = state_->package(package);
  out.name = name(row->name);
  out.version = segment->text(row->version);
  out.arch = segment->text(row->arch);
  out.checksum = segment->text(row->checksum);
  out.origin = segment->text(row->origin);
  out.depends = segment->text(row->lists[kDepends]);
  out.provides = segment->text(row->lists[kProvides]);
  out.install_if = segment->text(row->lists[kInstallIf]);
  out.description = segment->text(row->description);
  out.url = segment->text(row->url);
  out.license = segment->text(row->license);
  out.maintainer = segment->text(row->maintainer);
  out.commit = segment->text(row->commit);
  out.size_bytes = row->size_bytes;
  out.installed_bytes = row->installed_bytes;
  out.provider_priority = row->provider_priority;
  out.built_at = row->built_at;
  return out;
}

std::string_view MappedIndex::name(NameNumber name) const {
  if (name >= state_->names) return {};
  const Segment& segment = *state_->holder(name, &MapHeader::first_name);
  const std::uint32_t at = name - segment.header.first_name;
  return at < segment.names.size() ? segment.text(segment.names[at]) : std::string_view();
}

NameNumber MappedIndex::find(std::string_view wanted) const {
  for (const Segment& segment : state_->segments) {
    const std::size_t mask = segment.slots.size() - 1;
    std::size_t at = map_hash(wanted, segment.header.seed) & mask;
    for (std::size_t looked = 0; looked <= mask; ++looked, at = (at + 1) & mask) {
      const std::uint32_t slot = segment.slots[at];
      if (slot == kNoNumber) break;
      if (slot < segment.names.size() && segment.text(segment.names[slot]) == wanted)
        return segment.header.first_name + slot;
    }
  }
  return kNoNumber;
}

NameNumber MappedIndex::name_of(PackageNumber package) const {
  return package < state_->packages ? state_->package(package).row->name : kNoNumber;
}

std::vector<AtomView> MappedIndex::atoms(PackageNumber package, int list) const {
  std::vector<AtomView> out;
  if (package >= state_->packages) return out;
  const auto [segment, row] = state_->package(package);
  std::uint64_t first = row->first_atom;
  for (int i = 0; i < list; ++i) first += row->atom_counts[static_cast<std::size_t>(i)];
  const std::uint32_t count = row->atom_counts[static_cast<std::size_t>(list)];
  if (first > segment->atoms.size() || count > segment->atoms.size() - first) return out;
  const MapText whole = row->lists[static_cast<std::size_t>(list)];
  out.reserve(count);
  for (const AtomRow& atom : segment->atoms.subspan(first, count)) {
    if (atom.at < whole.at || atom.at - whole.at > whole.size) continue;
    const std::string_view rest = segment->text({atom.at, whole.size - (atom.at - whole.at)});
    out.push_back({atom.name, rest.substr(0, rest.find(' '))});
  }
  return out;
}

std::vector<AtomView> MappedIndex::depends(PackageNumber package) const { return atoms(package, kDepends); }
std::vector<AtomView> MappedIndex::provides(PackageNumber package) const { return atoms(package, kProvides); }
std::vector<AtomView> MappedIndex::install_if(PackageNumber package) const { return atoms(package, kInstallIf); }

std::vector<Offer> MappedIndex::offers(NameNumber wanted) const {
  std::vector<Offer> out;
  for (const Segment& segment : state_->segments) {
    const auto run = std::lower_bound(segment.runs.begin(), segment.runs.end(), wanted,
                                      [](const OfferRun& a, NameNumber name) { return a.name < name; });
    if (run == segment.runs.end() || run->name != wanted) continue;
    if (run->first > segment.offers.size() || run->count > segment.offers.size() - run->first) continue;
    for (const OfferRow& row : segment.offers.subspan(run->first, run->count)) {
      if (row.package >= segment.packages.size()) continue;
      const PackageRow& package = segment.packages[row.package];
      Offer offer{segment.header.first_package + row.package, {}, row.provide == kNoNumber};
      if (!has(offer.package)) continue;
      if (offer.own) {
        offer.version = segment.text(package.version);
      } else {
        const std::uint64_t atom = std::uint64_t{package.first_atom} + package.atom_counts[kDepends] + row.provide;
        if (row.provide >= package.atom_counts[kProvides] || atom >= segment.atoms.size()) continue;
        const MapText whole = package.lists[kProvides];
        const std::uint32_t at = segment.atoms[atom].at;
        if (at < whole.at || at - whole.at > whole.size) continue;
        const std::string_view rest = segment.text({at, whole.size - (at - whole.at)});
        offer.version = provided_version(rest.substr(0, rest.find(' ')));
      }
      out.push_back(offer);
    }
  }
  return out;
}

PackageNumber MappedIndex::find_package(std::string_view wanted, std::string_view version,
                                        std::string_view arch) const {
  PackageNumber out = kNoNumber;
  const NameNumber name = find(wanted);
  if (name == kNoNumber) return out;
  for (const Offer& offer : offers(name)) {
    if (!offer.own || offer.version != version) continue;
    const auto [segment, row] = state_->package(offer.package);
    if (segment->text(row->arch) == arch) out = offer.package;
  }
  return out;
}

}  // namespace nacre::apk
