#include "apk/mapped_index.h"
#include "apk/mapped_layout.h"

#include <algorithm>
#include <utility>

namespace nacre::apk {

/// The rows so far. Names are looked up in `under` first, so that they keep their numbers.
struct SegmentWriter::State {
  MapHeader header;
  const MappedIndex* under = nullptr;
  std::string strings;
  std::vector<PackageRow> packages;
  std::vector<MapText> names;
  /// With the hash beside the number the texts, far away in memory, are looked at once only.
  struct Slot {
    std::uint32_t number = kNoNumber, hash = 0;
  };
  std::vector<Slot> slots = std::vector<Slot>(1024);
  std::vector<AtomRow> atoms;
  std::vector<std::pair<NameNumber, OfferRow>> offers;
  std::vector<std::uint32_t> removed;
  MapText last[5];  ///< arch, version, maintainer, license, commit of the package before: mostly the same again.

  std::string_view text(MapText at) const { return std::string_view(strings).substr(at.at, at.size); }

  MapText keep(std::string_view text) {
    const MapText out{static_cast<std::uint32_t>(strings.size()), static_cast<std::uint32_t>(text.size())};
    strings += text;
    return text.empty() ? MapText{} : out;
  }
  MapText keep(std::string_view value, MapText& before) {
    if (text(before) != value) before = keep(value);
    return before;
  }

  std::size_t slot_of(std::string_view name, std::uint32_t hash) const {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = hash & mask;
    while (slots[at].number != kNoNumber && (slots[at].hash != hash || text(names[slots[at].number]) != name))
      at = (at + 1) & mask;
    return at;
  }
  void resize(std::size_t count) {
    std::vector<Slot> before = std::exchange(slots, std::vector<Slot>(count));
    // In the order of the names, so that the table does not tell how it grew.
    std::vector<std::uint32_t> hashes(names.size());
    for (const Slot& slot : before)
      if (slot.number != kNoNumber) hashes[slot.number] = slot.hash;
    for (std::uint32_t i = 0; i < names.size(); ++i) {
      std::size_t at = hashes[i] & (count - 1);
      while (slots[at].number != kNoNumber) at = (at + 1) & (count - 1);
      slots[at] = {i, hashes[i]};
    }
  }
  /// `stored` is the same text, already in `strings`.
  NameNumber number_of(std::string_view name, MapText stored) {
    if (under != nullptr)
      if (const NameNumber known = under->find(name); known != kNoNumber) return known;
    const auto hash = static_cast<std::uint32_t>(map_hash(name, header.seed));
    std::size_t at = slot_of(name, hash);
    if (slots[at].number == kNoNumber) {
      if ((names.size() + 1) * 2 > slots.size()) {
        resize(slots.size() * 4);
        at = slot_of(name, hash);
      }
      slots[at] = {static_cast<std::uint32_t>(names.size()), hash};
      names.push_back(stored);
    }
    return header.first_name + slots[at].number;
  }

  void add_list(PackageRow& row, MapList list, std::string_view words) {
    row.lists[list] = keep(words);
    const std::uint32_t base = row.lists[list].at;
    std::uint32_t count = 0;
    each_word(words, [&](std::string_view atom) {
      const auto at = base + static_cast<std::uint32_t>(atom.data() - words.data());
      // What a package provides is a name as it stands; only needs are written with '!'.
      const std::string_view name = list == kProvides ? atom.substr(0, atom.find('=')) : atom_name(atom);
      const MapText stored{at + static_cast<std::uint32_t>(name.data() - atom.data()),
                        static_cast<std::uint32_t>(name.size())};
      atoms.push_back({number_of(name, stored), at});
      if (list == kProvides)
        offers.emplace_back(atoms.back().name, OfferRow{static_cast<std::uint32_t>(packages.size()), count});
      ++count;
    });
    row.atom_counts[list] = count;
  }
};

SegmentWriter::SegmentWriter(const Sha256& describes, const MappedIndex* under) : state_(std::make_unique<State>()) {
  MapHeader& header = state_->header;
  header.magic = kMapMagic;
  header.version = kMapVersion;
  header.header_bytes = sizeof(MapHeader);
  std::memcpy(header.describes.data(), &describes, sizeof describes);
  std::memcpy(&header.seed, &describes, sizeof header.seed);
  if (under == nullptr) return;
  state_->under = under;
  header.parent = under->last_checksum();
  header.first_package = under->package_count();
  header.first_name = under->name_count();
}

SegmentWriter::~SegmentWriter() = default;

Result<> SegmentWriter::add(const RecordView& record) {
  State& state = *state_;
  std::size_t more = 0;
  for (const std::string_view text :
       {record.name, record.version, record.arch, record.checksum, record.origin, record.depends, record.provides,
        record.install_if, record.description, record.url, record.license, record.maintainer, record.commit})
    more += text.size();
  if (more > kMaxMapBytes / 2 || state.strings.size() > kMaxMapBytes / 2 - more ||
      state.atoms.size() > kMaxMapBytes / 4 / sizeof(AtomRow) ||
      state.packages.size() > kMaxMapBytes / 8 / sizeof(PackageRow))
    return Error::make(ErrorKind::kInvalid, "the index is too large to be mapped");
  PackageRow row;
  row.size_bytes = record.size_bytes;
  row.installed_bytes = record.installed_bytes;
  row.provider_priority = record.provider_priority;
  row.built_at = record.built_at;
  const MapText name = state.keep(record.name);
  row.name = state.number_of(record.name, name);
  row.arch = state.keep(record.arch, state.last[0]);
  row.version = state.keep(record.version, state.last[1]);
  row.maintainer = state.keep(record.maintainer, state.last[2]);
  row.license = state.keep(record.license, state.last[3]);
  row.commit = state.keep(record.commit, state.last[4]);
  row.checksum = state.keep(record.checksum);
  row.origin = record.origin == record.name ? name : state.keep(record.origin);
  row.description = state.keep(record.description);
  row.url = state.keep(record.url);
  row.first_atom = static_cast<std::uint32_t>(state.atoms.size());
  state.offers.emplace_back(row.name, OfferRow{static_cast<std::uint32_t>(state.packages.size()), kNoNumber});
  state.add_list(row, kDepends, record.depends);
  state.add_list(row, kProvides, record.provides);
  state.add_list(row, kInstallIf, record.install_if);
  state.packages.push_back(row);
  return {};
}

void SegmentWriter::expect(std::size_t text_bytes) {
  state_->strings.reserve(std::min<std::size_t>(text_bytes, kMaxMapBytes / 2));
}

void SegmentWriter::remove(PackageNumber package) { state_->removed.push_back(package); }

Result<std::string> SegmentWriter::finish() {
  State& state = *state_;
  // Offers of a name stand together, in index order: counted, then placed.
  const std::size_t total = std::size_t{state.header.first_name} + state.names.size();
  std::vector<OfferRun> runs;
  std::vector<OfferRow> offers;
  if (state.under != nullptr) {
    std::stable_sort(state.offers.begin(), state.offers.end(), [](auto& a, auto& b) { return a.first < b.first; });
    for (const auto& [name, offer] : state.offers) {
      if (runs.empty() || runs.back().name != name) runs.push_back({name, static_cast<std::uint32_t>(offers.size()),
                                                                    0});
      ++runs.back().count;
      offers.push_back(offer);
    }
  } else {
    std::vector<std::uint32_t> starts(total + 1, 0);
    for (const auto& [name, offer] : state.offers) ++starts[name + 1];
    for (std::size_t i = 0; i < total; ++i) {
      if (starts[i + 1] != 0) runs.push_back({static_cast<std::uint32_t>(i), starts[i], starts[i + 1]});
      starts[i + 1] += starts[i];
    }
    offers.resize(state.offers.size());
    for (const auto& [name, offer] : state.offers) offers[starts[name]++] = offer;
  }
  std::string out(sizeof(MapHeader), '\0');
  const auto place = [&](MapPart which, const void* rows, std::size_t count) {
    out.append((8 - out.size() % 8) % 8, '\0');
    state.header.parts[which] = {out.size(), count};
    if (count > 0) out.append(static_cast<const char*>(rows), count * kMapRowBytes[which]);
  };
  out.reserve(sizeof(MapHeader) + state.strings.size() + state.packages.size() * sizeof(PackageRow) +
              state.names.size() * sizeof(MapText) + state.slots.size() * 4 + state.atoms.size() * sizeof(AtomRow) +
              runs.size() * sizeof(OfferRun) + offers.size() * sizeof(OfferRow) + 256);
  // As many slots as the names need, however the table grew.
  std::size_t wanted = 2;
  while (wanted < (state.names.size() + 1) * 2) wanted *= 2;
  if (wanted != state.slots.size()) state.resize(wanted);
  place(kPackages, state.packages.data(), state.packages.size());
  place(kNames, state.names.data(), state.names.size());
  std::vector<std::uint32_t> slots;
  for (const SegmentWriter::State::Slot& slot : state.slots) slots.push_back(slot.number);
  place(kSlots, slots.data(), slots.size());
  place(kAtoms, state.atoms.data(), state.atoms.size());
  place(kOfferRuns, runs.data(), runs.size());
  place(kOffers, offers.data(), offers.size());
  place(kRemoved, state.removed.data(), state.removed.size());
  place(kStrings, state.strings.data(), state.strings.size());
  if (out.size() > kMaxMapBytes) return Error::make(ErrorKind::kInvalid, "the index is too large to be mapped");
  state.header.file_bytes = out.size();
  std::memcpy(out.data(), static_cast<const void*>(&state.header), sizeof(MapHeader));
  seal_segment(out.data(), out.size());
  return out;
}

void seal_segment(char* bytes, std::size_t size) {
  if (size < sizeof(MapHeader)) return;
  MapHeader header;
  std::memcpy(static_cast<void*>(&header), bytes, sizeof header);
  header.checksum = 0;
  const std::uint64_t head = map_hash({reinterpret_cast<const char*>(&header), sizeof header}, kMapVersion);
  header.checksum = map_hash({bytes + sizeof header, size - sizeof header}, head);
  std::memcpy(bytes, static_cast<const void*>(&header), sizeof header);
}

}  // namespace nacre::apk
