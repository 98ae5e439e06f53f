#include "solve/pool.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace nacre::solve {
namespace {

constexpr std::string_view kMagic = "nacrePL1";
constexpr std::size_t kParts = 8;

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t out = 0xcbf29ce484222325u;
  for (const char c : text) out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return out ^ (out >> 29);
}

std::size_t rounded(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

template <class T>
std::string_view bytes_of(std::span<const T> rows) {
  return {reinterpret_cast<const char*>(rows.data()), rows.size_bytes()};
}

}  // namespace

Text Pool::keep(std::string_view text) {
  const Text out{static_cast<std::uint32_t>(own_.text.size()), static_cast<std::uint32_t>(text.size())};
  own_.text += text;
  return out;
}

void Pool::grow_table() {
  std::vector<std::uint32_t>& table = own_.table;
  table.assign(std::max<std::size_t>(64, table.size() * 2), kNone);
  for (std::uint32_t id = 0; id < own_.names.size(); ++id) {
    const Text& text = own_.names[id].text;
    std::size_t at = hash_of(std::string_view(own_.text).substr(text.at, text.size)) & (table.size() - 1);
    while (table[at] != kNone) at = (at + 1) & (table.size() - 1);
    table[at] = id;
  }
}

std::uint32_t Pool::name_of(std::string_view name) {
  if (own_.names.size() * 2 >= own_.table.size()) grow_table();
  std::vector<std::uint32_t>& table = own_.table;
  std::size_t at = hash_of(name) & (table.size() - 1);
  for (; table[at] != kNone; at = (at + 1) & (table.size() - 1)) {
    const Text& text = own_.names[table[at]].text;
    if (std::string_view(own_.text).substr(text.at, text.size) == name) return table[at];
  }
  const std::uint32_t id = static_cast<std::uint32_t>(own_.names.size());
  table[at] = id;
  own_.names.push_back({keep(name), {}, {}});
  return id;
}

std::uint32_t Pool::find(std::string_view name) const {
  if (table_.empty()) return kNone;
  for (std::size_t at = hash_of(name) & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
    if (table_[at] == kNone || text(names_[table_[at]].text) == name) return table_[at];
  }
}

/// The first text that is no dependency becomes the package's fault.
Range Pool::keep_atoms(const std::vector<std::string>& texts, std::string& fault) {
  Range out{static_cast<std::uint32_t>(own_.atoms.size()), 0};
  for (const std::string& text : texts) {
    const auto atom = apk::read_dependency(text);
    if (atom) {
      const std::uint32_t name = name_of(atom->name);
      own_.atoms.push_back({name, keep(atom->version), keep(atom->tag), static_cast<std::uint16_t>(atom->op),
                            static_cast<std::uint8_t>(atom->conflict), static_cast<std::uint8_t>(atom->odd)});
      ++out.count;
    } else if (fault.empty()) {
      fault = fmt::format("its dependency '{}' cannot be read", text);
    }
  }
  return out;
}

void Pool::add(const apk::IndexRecord& record, std::size_t source, bool merge, std::string fault) {
  const std::uint32_t number = own_.added++;
  const std::uint64_t bit = std::uint64_t{1} << (source % kMaxSources);
  const std::uint32_t id = static_cast<std::uint32_t>(own_.packages.size());
  if (merge && !record.checksum.empty()) {
    const auto [found, fresh] =
        own_.by_identity.try_emplace(record.name + '\n' + record.version + '\n' + record.checksum, id);
    if (!fresh) {
      own_.packages[found->second].sources |= bit;
      return;
    }
  }
  PoolPackage row;
  row.record = number;
  row.name = name_of(record.name);
  row.version = keep(record.version);
  row.checksum = keep(record.checksum);
  row.origin = keep(record.origin.empty() ? record.name : record.origin);
  row.arch = keep(record.arch);
  row.depends = keep_atoms(record.depends, fault);
  row.install_if = keep_atoms(record.install_if, fault);
  row.fault = keep(fault);
  row.provides.first = static_cast<std::uint32_t>(own_.provides.size());
  for (const std::string& text : record.provides) {
    const apk::Provide provide = apk::parse_provide(text);
    if (provide.name.empty()) continue;
    const std::uint32_t name = name_of(provide.name);
    own_.provides.push_back({name, keep(provide.version)});
    ++row.provides.count;
  }
  row.priority = static_cast<std::uint32_t>(std::min<std::uint64_t>(record.provider_priority, kNone));
  row.source = static_cast<std::uint32_t>(source);
  row.sources = bit;
  row.empty = record.installed_bytes == 0 ? 1 : 0;
  own_.packages.push_back(row);
}

void Pool::finish() {
  std::vector<std::uint32_t> count(own_.names.size()), reverse(own_.names.size());
  const auto atoms_of = [&](const PoolPackage& package) { return part<PoolAtom>(own_.atoms, package.install_if); };
  const auto provides_of = [&](const PoolPackage& package) {
    return part<PoolProvide>(own_.provides, package.provides);
  };
  for (const PoolPackage& package : own_.packages) {
    ++count[package.name];
    for (const PoolProvide& provide : provides_of(package)) ++count[provide.name];
    for (const PoolAtom& atom : atoms_of(package)) ++reverse[atom.name];
  }
  std::uint32_t offers = 0, companions = 0;
  for (std::size_t id = 0; id < own_.names.size(); ++id) {
    own_.names[id].offers = {offers, 0};
    own_.names[id].companions = {companions, 0};
    offers += count[id];
    companions += reverse[id];
  }
  own_.offers.resize(offers);
  own_.companions.resize(companions);
  for (std::uint32_t id = 0; id < own_.packages.size(); ++id) {
    const PoolPackage& package = own_.packages[id];
    const auto offer = [&](std::uint32_t name, Text version, bool own) {
      Range& range = own_.names[name].offers;
      own_.offers[range.first + range.count++] = {id, version, static_cast<std::uint8_t>(own || version.size > 0),
                                                  static_cast<std::uint8_t>(own), 0};
    };
    offer(package.name, package.version, true);
    for (const PoolProvide& provide : provides_of(package)) offer(provide.name, provide.version, false);
    for (const PoolAtom& atom : atoms_of(package)) {
      Range& range = own_.names[atom.name].companions;
      if (range.count > 0 && own_.companions[range.first + range.count - 1] == id) continue;
      own_.companions[range.first + range.count++] = id;
    }
  }
  own_.by_identity.clear();
  own_.text.reserve(64);  // never inside the string itself, so that a pool may be moved
  if (own_.table.empty()) grow_table();
  look_at_own();
}

void Pool::look_at_own() {
  text_ = own_.text;
  names_ = own_.names;
  packages_ = own_.packages;
  atoms_ = own_.atoms;
  provides_ = own_.provides;
  offers_ = own_.offers;
  companions_ = own_.companions;
  table_ = own_.table;
}

std::string Pool::to_bytes() const {
  const std::array<std::string_view, kParts> parts = {text_,
                                                      bytes_of(names_),
                                                      bytes_of(packages_),
                                                      bytes_of(atoms_),
                                                      bytes_of(provides_),
                                                      bytes_of(offers_),
                                                      bytes_of(companions_),
                                                      bytes_of(table_)};
  std::string out(kMagic);
  for (const std::string_view part : parts) {
    const std::uint64_t size = part.size();
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
  }
  for (const std::string_view part : parts) {
    out += part;
    out.resize(rounded(out.size()));
  }
  return out;
}

Result<Pool> Pool::from_bytes(std::string_view bytes) {
  const auto fault = [] { return Error::make(ErrorKind::kInvalid, "this is no pool of packages that nacre wrote"); };
  constexpr std::size_t kHead = kMagic.size() + kParts * sizeof(std::uint64_t);
  if (bytes.size() < kHead || !bytes.starts_with(kMagic)) return fault();
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return fault();
  std::array<std::string_view, kParts> parts;
  std::size_t at = kHead;
  for (std::size_t i = 0; i < kParts; ++i) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data() + kMagic.size() + i * sizeof size, sizeof size);
    if (size > bytes.size() - at || rounded(size) > bytes.size() - at) return fault();
    parts[i] = bytes.substr(at, size);
    at += rounded(size);
  }
  Pool out;
  const auto rows = [&]<class T>(std::string_view part, std::span<const T>& into) {
    into = {reinterpret_cast<const T*>(part.data()), part.size() / sizeof(T)};
    return part.size() % sizeof(T) == 0;
  };
  out.text_ = parts[0];
  if (!rows(parts[1], out.names_) || !rows(parts[2], out.packages_) || !rows(parts[3], out.atoms_) ||
      !rows(parts[4], out.provides_) || !rows(parts[5], out.offers_) || !rows(parts[6], out.companions_) ||
      !rows(parts[7], out.table_) || !out.check())
    return fault();
  return out;
}

Result<> Pool::check() const {
  const auto text_ok = [&](Text text) { return text.at <= text_.size() && text.size <= text_.size() - text.at; };
  const auto range_ok = [](Range range, std::size_t size) {
    return range.first <= size && range.count <= size - range.first;
  };
  bool good = table_.size() > names_.size() && (table_.size() & (table_.size() - 1)) == 0;
  std::size_t filled = 0;
  for (const std::uint32_t id : table_) {
    good &= id == kNone || id < names_.size();
    filled += id != kNone ? 1 : 0;
  }
  good &= filled == names_.size();
  for (const PoolName& name : names_)
    good &=
        text_ok(name.text) && range_ok(name.offers, offers_.size()) && range_ok(name.companions, companions_.size());
  for (const PoolAtom& atom : atoms_) good &= atom.name < names_.size() && text_ok(atom.version) && text_ok(atom.tag);
  for (const PoolProvide& provide : provides_) good &= provide.name < names_.size() && text_ok(provide.version);
  for (const PoolOffer& offer : offers_) good &= offer.package < packages_.size() && text_ok(offer.version);
  for (const std::uint32_t id : companions_) good &= id < packages_.size();
  for (const PoolPackage& package : packages_)
    good &= package.name < names_.size() && text_ok(package.version) && text_ok(package.checksum) &&
            text_ok(package.origin) && text_ok(package.arch) && text_ok(package.fault) &&
            range_ok(package.depends, atoms_.size()) && range_ok(package.install_if, atoms_.size()) &&
            range_ok(package.provides, provides_.size()) && package.source < kMaxSources;
  if (!good) return Error::make(ErrorKind::kInvalid, "a row points outside");
  return {};
}

}  // namespace nacre::solve
