#include "image/layer.h"

#include "apk/dependency.h"
#include "codec/digest.h"
#include "codec/gzip_cut.h"
#include "os/file.h"
#include "store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <optional>
#include <set>

namespace nacre::image {
namespace {

using codec::Json;
using Durability = store::Store::Durability;

constexpr int kFormat = 1;  ///< Of what piece_of() and make_layer() write; part of the keys.
constexpr std::size_t kFewLayers = 24, kSmallGroups = 4;
constexpr int kSmallBits = 20;   ///< Below 1 MiB.
constexpr std::uint64_t kMaxUncompressed = std::uint64_t{64} << 30;

/// A package's entries written again as the plan has them, as one gzip member without end blocks.
class Rewriter {
 public:
  Rewriter(const PackageContents& package, const std::vector<EntryPlan>& plans, codec::Sink out)
      : package_(package), plans_(plans), gzip_(std::move(out)) {}

  Result<> run(const os::Path& apk) {
    TRY(read_tar_gzip(apk, package_.data(),
                      {[this](const codec::TarHeader& header) { return on_entry(header); },
                       [this](std::string_view bytes) { return keep_ ? gzip_.write(bytes) : Result<>{}; }}));
    TRY(pad());
    return gzip_.finish();
  }

 private:
  Result<> pad() {
    const std::string zeros(padding_, '\0');
    padding_ = 0;
    return gzip_.write(zeros);
  }

  Result<> on_entry(const codec::TarHeader& header) {
    TRY(pad());
    keep_ = false;
    const TreePath path = TRY(TreePath::parse(header.path));
    if (path.is_root()) return {};
    if (next_ >= plans_.size() || package_.entries[next_].path != path.str())
      return Error::make(ErrorKind::kInternal, "the kept entries of {} are not those of the package",
                         package_.label());
    const EntryPlan& plan = plans_[next_++];
    if (!plan.keep) return {};
    keep_ = true;
    codec::TarHeader changed = header;
    changed.path = plan.path;
    if (header.type == '1') changed.link = plan.link;
    const std::string block = TRY(codec::tar_header(changed));
    TRY(gzip_.write(block));
    padding_ = codec::tar_padding(header.size);
    return {};
  }

  const PackageContents& package_;
  const std::vector<EntryPlan>& plans_;
  codec::GzipWriter gzip_;
  std::size_t next_ = 0, padding_ = 0;
  bool keep_ = false;
};

/// Names the rewritten segment: the package and all that the plan changes in it.
Sha256 rewrite_key(const PackageContents& package, const std::vector<EntryPlan>& plans) {
  Json changes = Json::array();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const ContentEntry& entry = package.entries[i];
    const bool link_moved = entry.type == '1' && plans[i].link != entry.link;
    if (plans[i].keep && plans[i].path == entry.path && !link_moved) continue;
    changes.push(plans[i].keep ? Json::strings({entry.path, plans[i].path, link_moved ? plans[i].link : ""})
                               : Json::strings({entry.path}));
  }
  Json key = Json::object();
  key.set("format", kFormat).set("apk", package.apk.hex()).set("changes", std::move(changes));
  return codec::sha256(codec::to_canonical_json(key));
}

Result<Piece> rewritten(const PackageContents& package, const std::vector<EntryPlan>& plans, Env& env) {
  const std::string key = rewrite_key(package, plans).hex();
  const std::optional<std::string> kept = TRY(env.store.state().get("segment", key));
  Piece piece;
  if (kept) {
    piece.blob = TRY(parse_sha256(*kept));
    if (env.store.has(piece.blob)) {
      piece.size = TRY(env.store.size(piece.blob));
      return piece;
    }
  }
  BlobFile file = TRY(BlobFile::create(env));
  Rewriter rewriter(package, plans, [&](std::string_view bytes) { return file.write(bytes); });
  const os::Path apk = TRY(env.store.local(package.apk));
  TRY(rewriter.run(apk), "rewriting the files of package {}", package.label());
  piece.size = file.size();
  piece.blob = TRY(file.finish(Durability::kLater, env));
  TRY(env.store.state().put("segment", key, piece.blob.hex()));
  return piece;
}

/// Finds where a tar stream's end blocks begin.
class TarEnd {
 public:
  void push(std::string_view bytes) {
    while (!bytes.empty() && !end_) {
      if (skip_ > 0) {
        const std::uint64_t take = std::min<std::uint64_t>(skip_, bytes.size());
        skip_ -= take;
        at_ += take;
        bytes.remove_prefix(static_cast<std::size_t>(take));
        continue;
      }
      const std::size_t take = std::min(kBlock - block_.size(), bytes.size());
      block_ += bytes.substr(0, take);
      bytes.remove_prefix(take);
      if (block_.size() == kBlock) read_block();
    }
  }
  /// Up to here all is entries: the beginning of the next header.
  std::uint64_t safe() const { return end_ ? *end_ : at_; }
  /// Nothing when the stream has no end blocks, or sizes that this does not read.
  std::optional<std::uint64_t> end() const { return odd_ ? std::nullopt : end_; }

 private:
  static constexpr std::size_t kBlock = 512, kSizeField = 124, kSizeBytes = 12, kTypeField = 156;

  void read_block() {
    const std::string block = std::exchange(block_, {});
    if (block.find_first_not_of('\0') == std::string::npos) {
      end_ = at_;
      return;
    }
    at_ += kBlock;
    const char type = block[kTypeField];
    std::uint64_t size = 0;
    for (std::size_t i = kSizeField; i < kSizeField + kSizeBytes; ++i) {
      const char c = block[i];
      if (c >= '0' && c <= '7') size = size * 8 + static_cast<std::uint64_t>(c - '0');
      else if (c != ' ' && c != '\0') odd_ = true;
    }
    if (type >= '1' && type <= '6') size = 0;
    if (size > kMaxUncompressed) odd_ = true;
    skip_ = odd_ ? 0 : size + codec::tar_padding(size);
  }

  std::string block_;
  std::uint64_t at_ = 0, skip_ = 0;
  std::optional<std::uint64_t> end_;
  bool odd_ = false;
};

/// A foreign segment without its end blocks, so that others can follow it in a layer: its compressed bytes stay up to
/// the last block of deflate that ends before them. Nothing when it cannot be cut.
Result<std::optional<Piece>> stripped(const PackageContents& package, Env& env) {
  std::optional<Piece> out;
  const std::string key = fmt::format("stripped {} {}", kFormat, package.apk.hex());
  const std::optional<std::string> kept = TRY(env.store.state().get("segment", key));
  if (kept) {
    Piece piece;
    piece.blob = TRY(parse_sha256(*kept));
    if (env.store.has(piece.blob)) {
      piece.size = TRY(env.store.size(piece.blob));
      out = piece;
      return out;
    }
  }
  const os::Path apk = TRY(env.store.local(package.apk));
  const apk::Segment data = package.data();
  TarEnd tar;
  codec::GzipCutter cutter(
      [&](std::string_view bytes) {
        tar.push(bytes);
        return Result<>{};
      },
      [&] { return tar.safe(); }, kMaxUncompressed);
  TRY(read_range(apk, data.offset, data.size, [&](std::string_view bytes) { return cutter.push(bytes); }));
  if (!tar.end()) return out;
  const std::optional<codec::GzipCut> cut = TRY(cutter.finish(*tar.end()));
  if (!cut) return out;
  BlobFile file = TRY(BlobFile::create(env));
  TRY(file.copy(apk, data.offset, cut->offset, BlobFile::Hash::kYes));
  TRY(file.write(cut->ending));
  Piece piece;
  piece.size = file.size();
  piece.blob = TRY(file.finish(Durability::kLater, env));
  TRY(env.store.state().put("segment", key, piece.blob.hex()));
  out = piece;
  return out;
}

/// Copies pieces into a layer file and hashes what they inflate to.
Result<Layer> write_layer(const std::vector<Piece>& pieces, Durability when, Env& env) {
  BlobFile file = TRY(BlobFile::create(env));
  codec::Hasher hasher;
  codec::GzipReader inflate({[&](std::string_view bytes) {
                               hasher.update(bytes);
                               return Result<>{};
                             },
                             nullptr},
                            kMaxUncompressed);
  const codec::Sink copy = [&](std::string_view bytes) -> Result<> {
    TRY(file.write(bytes));
    return inflate.push(bytes);
  };
  for (const Piece& piece : pieces) {
    const os::Path from = TRY(env.store.local(piece.blob));
    TRY(read_range(from, piece.offset, piece.size, copy));
  }
  if (!pieces.back().ends_with_zeros) TRY(copy(codec::gzip_tar_end()));
  TRY(inflate.finish());
  Layer layer;
  layer.diff_id = hasher.finish_sha256();
  layer.blob.media_type = kLayerType;
  layer.blob.size = file.size();
  layer.blob.digest = TRY(file.finish(when, env));
  return layer;
}

/// A data segment as it stands: what the layer is was known when the package was read. The copy is hashed unless this
/// process wrote the package itself.
Result<> copy_alone(const Piece& piece, Durability when, Env& env) {
  const Sha256& digest = piece.alone->blob.digest;
  const bool wrote = env.store.wrote(piece.blob);
  BlobFile file = TRY(BlobFile::create(env));
  const os::Path from = TRY(env.store.local(piece.blob));
  TRY(file.copy(from, piece.offset, piece.size,
                wrote ? BlobFile::Hash::kNo : BlobFile::Hash::kYes));
  if (!piece.ends_with_zeros) TRY(file.write(codec::gzip_tar_end()));
  if (wrote) return file.finish_as(digest, when, env);
  const Sha256 found = TRY(file.finish(when, env));
  if (found == digest) return {};
  return Error::make(ErrorKind::kDenied, "the store's package {} is damaged: its data segment is not what it was",
                     piece.blob.oci())
      .hint("`nacre gc` takes it away when nothing needs it; then it is fetched again");
}

/// Packages by origin, in the order of the first of each; origins whose packages replace each other are one.
std::vector<std::vector<std::size_t>> origin_units(const std::vector<PackageContents>& packages) {
  std::vector<std::size_t> unit(packages.size());
  std::map<std::string, std::size_t> by_origin, by_name;
  for (std::size_t i = 0; i < packages.size(); ++i) {
    unit[i] = by_origin.try_emplace(packages[i].file.info.origin, i).first->second;
    by_name[packages[i].file.info.name] = i;
  }
  for (std::size_t i = 0; i < packages.size(); ++i) {
    for (const std::string& text : packages[i].file.info.replaces) {
      const auto atom = apk::parse_dependency(text);
      const auto other = by_name.find(atom ? atom->name : text);
      if (!atom || other == by_name.end() || !atom->accepts(packages[other->second].file.info.version)) continue;
      const std::size_t from = unit[other->second], to = unit[i];
      for (std::size_t& of : unit)
        if (of == from) of = to;
    }
  }
  std::map<std::size_t, std::size_t> place;
  std::vector<std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < packages.size(); ++i) {
    const auto [at, fresh] = place.try_emplace(unit[i], out.size());
    if (fresh) out.emplace_back();
    out[at->second].push_back(i);
  }
  return out;
}

int magnitude(std::uint64_t size) {
  int bits = 0;
  for (; size > 0; size >>= 1) ++bits;
  return bits;
}

}  // namespace

Result<BlobFile> BlobFile::create(Env& env) {
  os::AtomicFile file = TRY(os::AtomicFile::create(env.store.partial_path()));
  return BlobFile(std::move(file));
}

Result<> BlobFile::write(std::string_view bytes) {
  hasher_.update(bytes);
  size_ += bytes.size();
  return file_.write(bytes);
}

Result<> BlobFile::copy(const os::Path& from, std::uint64_t offset, std::uint64_t size, Hash hash) {
  const codec::Sink plain = [this](std::string_view bytes) { return file_.write(bytes); };
  const codec::Sink hashed = [this](std::string_view bytes) {
    hasher_.update(bytes);
    return file_.write(bytes);
  };
  size_ += size;
  if (hash == Hash::kYes) return read_range(from, offset, size, hashed);
  const os::Fd fd(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", from.string()));
  while (size > 0) {
    auto at = static_cast<off_t>(offset);
    const ssize_t done = ::copy_file_range(fd.get(), &at, file_.fd(), nullptr, size, 0);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) break;  // some file systems cannot, and say so in several ways
    offset += static_cast<std::uint64_t>(done);
    size -= static_cast<std::uint64_t>(done);
  }
  return size == 0 ? Result<>{} : read_range(from, offset, size, plain);
}

Result<Sha256> BlobFile::finish(Durability when, Env& env) {
  const Sha256 digest = hasher_.finish_sha256();
  TRY(env.store.adopt(std::move(file_), digest, when));
  return digest;
}

Result<> BlobFile::finish_as(const Sha256& digest, Durability when, Env& env) {
  return env.store.adopt(std::move(file_), digest, when);
}

Result<os::TempDir> scratch(Env& env) {
  const os::Path folder = env.store.work_dir() / "image";
  TRY(os::make_dirs(folder));
  return os::TempDir::create(folder);
}

Result<> read_tar_gzip(const os::Path& file, const apk::Segment& range, codec::TarReader::Visitor visitor) {
  codec::TarReader tar(std::move(visitor));
  codec::GzipReader gzip({[&](std::string_view bytes) { return tar.push(bytes); }, nullptr}, kMaxUncompressed);
  TRY(read_range(file, range.offset, range.size, [&](std::string_view bytes) { return gzip.push(bytes); }));
  TRY(gzip.finish());
  return tar.finish();
}

std::vector<std::vector<std::size_t>> group_packages(const std::vector<PackageContents>& packages,
                                                     std::size_t first, int budget, std::string_view strategy,
                                                     Small small) {
  std::vector<std::vector<std::size_t>> units;   // what stays together
  std::size_t first_unit = 0;
  if (strategy == "origin") units = origin_units(packages);
  else if (strategy == "single") units.resize(packages.empty() ? 0 : 1);
  for (std::size_t i = 0; i < packages.size(); ++i) {
    if (strategy == "single") units[0].push_back(i);
    else if (strategy != "origin") units.push_back({i});
  }
  for (std::vector<std::size_t>& unit : units)
    std::erase_if(unit, [&](std::size_t i) { return packages[i].entries.empty(); });
  std::erase_if(units, [](const std::vector<std::size_t>& unit) { return unit.empty(); });
  for (std::size_t u = 0; u < units.size(); ++u)
    if (std::find(units[u].begin(), units[u].end(), first) != units[u].end()) first_unit = u;
  const auto name_of_unit = [&](std::size_t u) { return packages[units[u].front()].file.info.name; };

  const auto room = static_cast<std::size_t>(std::max(budget, 1));
  std::set<std::size_t> alone;
  for (std::size_t u = 0; u < units.size(); ++u) alone.insert(u);
  const auto magnitude_of = [&](std::size_t u) {
    std::uint64_t bytes = 0;
    for (const std::size_t i : units[u]) bytes += packages[i].file.info.installed_bytes;
    return magnitude(bytes);
  };
  std::size_t groups = 0;
  if (units.size() > room) {
    groups = std::max<std::size_t>(1, room / 4);
    std::vector<std::size_t> by_size(alone.begin(), alone.end());
    const auto rank = [&](std::size_t u) { return std::tuple(u != first_unit, -magnitude_of(u), name_of_unit(u)); };
    std::sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    alone =
        std::set<std::size_t>(by_size.begin(), by_size.begin() + static_cast<std::ptrdiff_t>(room - groups));
  } else if (small == Small::kGrouped && units.size() > kFewLayers) {
    groups = kSmallGroups;
    std::erase_if(alone, [&](std::size_t u) { return u != first_unit && magnitude_of(u) <= kSmallBits; });
  }
  std::vector<std::vector<std::size_t>> out;
  std::map<std::size_t, std::vector<std::size_t>> grouped;
  if (alone.contains(first_unit)) out.push_back(units[first_unit]);
  std::vector<std::size_t> order(units.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return magnitude_of(a) > magnitude_of(b); });
  for (const std::size_t u : order) {
    const unsigned char pick = static_cast<unsigned char>(codec::sha256(name_of_unit(u)).view()[0]);
    std::vector<std::size_t>& group = grouped[groups < 2 ? 0 : pick % groups];
    if (!alone.contains(u)) group.insert(group.end(), units[u].begin(), units[u].end());
    else if (u != first_unit) out.push_back(units[u]);
  }
  for (auto& [number, members] : grouped) {
    if (members.empty()) continue;
    std::sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
      return packages[a].file.info.name < packages[b].file.info.name;
    });
    out.push_back(std::move(members));
  }
  return out;
}

std::vector<std::vector<std::size_t>> reference_groups(const std::vector<PackageContents>& packages, int budget) {
  struct Group {
    std::vector<std::size_t> members;
    std::uint64_t bytes = 0;
    std::string last;   ///< The largest name: decides between equal sizes.
  };
  std::vector<Group> groups;
  for (std::vector<std::size_t>& unit : origin_units(packages)) {
    Group group;
    for (const std::size_t i : unit) {
      group.bytes += packages[i].file.info.installed_bytes;
      group.last = std::max(group.last, packages[i].file.info.name);
    }
    group.members = std::move(unit);
    groups.push_back(std::move(group));
  }
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.last < b.last;
  });
  const auto room = static_cast<std::size_t>(std::max(budget, 0));
  if (groups.size() > room) {
    const std::size_t cut = room == 0 ? 0 : room - 1;
    for (std::size_t i = cut + 1; i < groups.size(); ++i)
      groups[cut].members.insert(groups[cut].members.end(), groups[i].members.begin(), groups[i].members.end());
    groups.resize(cut + 1);
  }
  std::vector<std::vector<std::size_t>> out;
  for (Group& group : groups) {
    std::sort(group.members.begin(), group.members.end(), [&](std::size_t a, std::size_t b) {
      return packages[a].file.info.name < packages[b].file.info.name;
    });
    out.push_back(std::move(group.members));
  }
  return out;
}

Result<Piece> piece_of(std::size_t package, const std::vector<PackageContents>& packages,
                       const MergedTree& tree, bool alone, Env& env) {
  const PackageContents& contents = packages[package];
  const bool rewrite = tree.needs_rewrite(package, packages);
  if (!rewrite && contents.ends_with_zeros && !alone) {
    const std::optional<Piece> piece = TRY(stripped(contents, env));
    if (piece) return *piece;
  }
  if (rewrite || (contents.ends_with_zeros && !alone)) {
    Piece piece = TRY(rewritten(contents, tree.plans[package], env));
    return piece;
  }
  const apk::Segment data = contents.data();
  Piece piece{contents.apk, data.offset, data.size, contents.ends_with_zeros, std::nullopt};
  if (contents.file.layer_size > 0) {
    piece.alone.emplace();
    piece.alone->blob = {std::string(kLayerType), contents.file.layer_sha256, contents.file.layer_size};
    piece.alone->diff_id = contents.file.layer_diff_id;
  }
  return piece;
}

Result<Layer> make_layer(const std::vector<Piece>& pieces, std::vector<std::string> packages, Durability when,
                         Env& env) {
  if (pieces.size() == 1 && pieces.front().alone) {
    Layer alone = *pieces.front().alone;
    alone.packages = std::move(packages);
    if (!env.store.has(alone.blob.digest)) TRY(copy_alone(pieces.front(), when, env));
    else if (when == Durability::kNow) TRY(env.store.settle({&alone.blob.digest, 1}));
    return alone;
  }
  Json key = Json::array();
  key.push(kFormat);
  for (const Piece& piece : pieces) key.push(piece.blob.hex());
  const std::string name = codec::sha256(codec::to_canonical_json(key)).hex();
  const std::optional<std::string> kept = TRY(env.store.state().get("layer", name));
  Layer layer;
  if (kept) {
    const Json json = TRY(codec::parse_json(*kept, "kept layer " + name));
    layer.blob.media_type = kLayerType;
    layer.blob.digest = TRY(parse_sha256(json["digest"].as_string()));
    layer.diff_id = TRY(parse_sha256(json["diff_id"].as_string()));
    layer.blob.size = static_cast<std::uint64_t>(json["size"].as_int());
    layer.packages = packages;
    if (env.store.has(layer.blob.digest)) {
      if (when == Durability::kNow) TRY(env.store.settle({&layer.blob.digest, 1}));
      return layer;
    }
  }
  layer = TRY(write_layer(pieces, when, env));
  Json json = Json::object();
  json.set("digest", layer.blob.digest.hex()).set("diff_id", layer.diff_id.hex()).set("size", layer.blob.size);
  TRY(env.store.state().put("layer", name, codec::to_json(json)));
  layer.packages = std::move(packages);
  return layer;
}

Result<std::map<std::string, os::Path>> extract_files(const PackageContents& package,
                                                      const std::vector<std::string>& paths,
                                                      const os::Path& folder, Env& env) {
  const std::set<std::string> wanted(paths.begin(), paths.end());
  std::map<std::string, os::Path> out;
  std::optional<os::AtomicFile> file;
  bool enough = false;
  const auto close = [&]() -> Result<> {
    if (!file) return {};
    TRY(file->commit());
    file.reset();
    return {};
  };
  const auto on_entry = [&](const codec::TarHeader& header) -> Result<> {
    TRY(close());
    enough = out.size() == wanted.size();
    if (enough) return Error::make(ErrorKind::kInternal, "the rest need not be inflated");
    const TreePath path = TRY(TreePath::parse(header.path));
    if ((header.type != '0' && header.type != '7') || !wanted.contains(path.str())) return {};
    const os::Path target = folder / codec::sha256(package.apk.hex() + "/" + path.str()).hex();
    file = TRY(os::AtomicFile::create(target));
    out[path.str()] = target;
    return {};
  };
  const auto on_data = [&](std::string_view bytes) { return file ? file->write(bytes) : Result<>{}; };
  const os::Path apk = TRY(env.store.local(package.apk));
  Result<> read = read_tar_gzip(apk, package.data(), {on_entry, on_data});
  if (!read && !enough) return std::move(read).error();
  TRY(close());
  for (const std::string& path : wanted)
    if (!out.contains(path))
      return Error::make(ErrorKind::kInternal, "package {} holds no file '{}'", package.label(), path);
  return out;
}

}  // namespace nacre::image
