#include "image/erofs.h"

#include "base/encoding.h"
#include "codec/crc.h"
#include "codec/digest.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace nacre::image {
namespace {

constexpr std::uint64_t kBlock = 4096, kSlot = 32, kInodeBytes = 64, kSuperAt = 1024, kEntryBytes = 12;
constexpr std::uint32_t kMagic = 0xe0f5e1e2, kChecksummed = 1, kHasMtime = 2;
constexpr std::uint64_t kMaxWasted = 2048;  ///< A longer end gets a block of its own, not a new block of inodes.
constexpr unsigned kExtended = 1, kPlain = 0, kInline = 2;

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

unsigned file_type(char type) {
  switch (type) {
    case '2': return 7;
    case '3': return 3;
    case '4': return 4;
    case '5': return 2;
    case '6': return 5;
    default: return 1;
  }
}

std::uint32_t device_number(const codec::TarHeader& header) {
  const unsigned major = header.dev_major, minor = header.dev_minor;
  return (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
}

/// Extended attributes behind an inode: a header of 12 bytes, then the entries.
Result<std::string> xattrs_of(const std::string& path, const codec::TarHeader& header) {
  constexpr std::string_view kRecord = "SCHILY.xattr.";
  constexpr std::array<std::pair<std::string_view, unsigned>, 3> kPrefixes = {
      {{"user.", 1}, {"trusted.", 4}, {"security.", 6}}};
  std::string entries;
  for (const auto& [key, value] : header.pax) {
    if (!key.starts_with(kRecord)) continue;
    std::string_view name = std::string_view(key).substr(kRecord.size());
    const auto prefix = std::find_if(kPrefixes.begin(), kPrefixes.end(),
                                     [&](const auto& row) { return name.starts_with(row.first); });
    if (prefix == kPrefixes.end())
      return Error::make(ErrorKind::kInvalid,
                         "'{}' has an extended attribute '{}', expected user., trusted. or security.", path, name);
    name.remove_prefix(prefix->first.size());
    if (name.size() > 255 || value.size() > kBlock)
      return Error::make(ErrorKind::kInvalid, "'{}' has an extended attribute that is too large", path);
    entries += static_cast<char>(name.size());
    entries += static_cast<char>(prefix->second);
    put_little(entries, static_cast<std::uint16_t>(value.size()));
    entries += name;
    entries += value;
    entries.resize(round_up(entries.size(), 4));
  }
  if (entries.empty()) return entries;
  if (kInodeBytes + 12 + entries.size() > kBlock)
    return Error::make(ErrorKind::kInvalid, "'{}' has more extended attributes than fit into a block", path);
  return std::string(12, '\0') + entries;
}

/// Bytes of a directory with these names: records and names never cross blocks.
template <class Entries>
std::uint64_t directory_size(const Entries& entries) {
  std::uint64_t whole = 0, used = 0;
  for (const auto& entry : entries) {
    const std::uint64_t more = kEntryBytes + entry.name.size();
    if (used + more > kBlock) {
      whole += kBlock;
      used = 0;
    }
    used += more;
  }
  return whole + used;
}

}  // namespace

std::string disk_uuid(const RootTree& root, std::string_view what) {
  const auto bytes = from_hex(codec::sha256(fmt::format("{} {}", what, root.manifest().hex())).hex());
  std::string out = bytes->substr(0, 16);
  // Version and variant, wherever the reader looks for the version: disks turn the first three fields around.
  out[6] = static_cast<char>((out[6] & 0x0f) | 0x80);
  out[7] = static_cast<char>((out[7] & 0x0f) | 0x80);
  out[8] = static_cast<char>((out[8] & 0x3f) | 0x80);
  return out;
}

std::uint64_t Erofs::Inode::head() const { return kInodeBytes + xattrs.size(); }
std::uint64_t Erofs::Inode::tail() const { return size % kBlock; }
std::uint64_t Erofs::Inode::blocks() const { return size / kBlock + (tail() != 0 && !tail_inside ? 1 : 0); }

Result<Erofs> Erofs::plan(const RootTree& root) {
  Erofs out(root);
  TRY(out.add_inodes());
  TRY(out.place());
  return out;
}

Result<> Erofs::add_inodes() {
  std::unordered_map<std::string, std::size_t> at = {{"", 0}};
  inodes_.emplace_back();
  inodes_[0].entries = {{".", 0}, {"..", 0}};
  inodes_[0].links = 2;
  for (const auto& [path, node] : root_->nodes()) {
    const std::size_t parent = at.at(parent_of(path));
    const bool file = node.header.type == '0';
    std::size_t number = inodes_.size();
    if (file && root_->names(node).front() != path) {
      number = at.at(root_->names(node).front());
    } else {
      Inode inode;
      inode.node = &node;
      inode.path = path;
      inode.xattrs = TRY(xattrs_of(path, node.header));
      if (file) inode.size = node.header.size;
      if (file) inode.links = static_cast<std::uint32_t>(root_->names(node).size());
      if (node.header.type == '2') inode.size = node.header.link.size();
      if (node.header.type == '5') {
        inode.entries = {{".", number}, {"..", parent}};
        inode.links = 2;
        ++inodes_[parent].links;
      }
      inodes_.push_back(std::move(inode));
    }
    at[path] = number;
    inodes_[parent].entries.push_back({name_of_path(path), number});
  }
  for (Inode& inode : inodes_) {
    if (inode.entries.empty()) continue;
    std::sort(inode.entries.begin(), inode.entries.end(), [](const Name& a, const Name& b) { return a.name < b.name; });
    inode.size = directory_size(inode.entries);
  }
  return {};
}

Result<> Erofs::place() {
  std::uint64_t at = kBlock;
  for (Inode& inode : inodes_) {
    if (inode.node != nullptr && std::max(inode.node->header.uid, inode.node->header.gid) > 0xffffffff)
      return Error::make(ErrorKind::kInvalid, "'{}' has an owner that an EROFS cannot hold", inode.path);
    at = round_up(at, kSlot);
    const std::uint64_t room = kBlock - at % kBlock, with_tail = inode.head() + inode.tail();
    const bool link = inode.node != nullptr && inode.node->header.type == '2';
    inode.tail_inside = inode.tail() != 0 && with_tail <= kBlock &&
                        (with_tail <= room || inode.head() > room || inode.tail() <= kMaxWasted || link);
    const std::uint64_t bytes = inode.tail_inside ? with_tail : inode.head();
    if (bytes > room) at = round_up(at, kBlock);
    inode.at = at;
    at += bytes;
  }
  data_block_ = round_up(at, kBlock) / kBlock;
  blocks_ = data_block_;
  for (Inode& inode : inodes_) {
    if (inode.blocks() == 0) continue;
    inode.first_block = static_cast<std::uint32_t>(blocks_);
    blocks_ += inode.blocks();
    if (blocks_ >= 0xffffffff) return Error::make(ErrorKind::kInvalid, "the image has more than 16 TiB");
  }
  return {};
}

std::uint64_t Erofs::size_bytes() const { return blocks_ * kBlock; }

std::string Erofs::superblock() const {
  std::string out;
  put_little(out, kMagic);
  put_little(out, std::uint32_t{0});                                       // checksum, below
  put_little(out, kChecksummed | kHasMtime);
  put_little(out, std::uint8_t{12});                                       // bits of the block size
  put_little(out, std::uint8_t{0});
  put_little(out, static_cast<std::uint16_t>(inodes_[0].at / kSlot));      // the root directory
  put_little(out, static_cast<std::uint64_t>(inodes_.size()));
  put_little(out, std::uint64_t{0});                                       // date
  put_little(out, std::uint32_t{0});
  put_little(out, static_cast<std::uint32_t>(blocks_));
  put_little(out, std::uint32_t{0});                                       // inodes are counted from block 0
  put_little(out, std::uint32_t{0});                                       // no shared attributes
  out += disk_uuid(*root_, "erofs");
  out.resize(kBlock - kSuperAt);                                           // no name, no further feature
  std::string sum;
  put_little(sum, codec::crc32(codec::Crc::kCastagnoli, out));
  out.replace(4, 4, sum);
  return std::string(kSuperAt, '\0') + out;
}

std::string Erofs::inode_bytes(std::size_t number) const {
  const Inode& inode = inodes_[number];
  const codec::TarHeader root{.type = '5', .mode = 0755};
  const codec::TarHeader& header = inode.node != nullptr ? inode.node->header : root;
  const bool device = header.type == '3' || header.type == '4';
  std::string out;
  put_little(out, static_cast<std::uint16_t>(kExtended | (inode.tail_inside ? kInline : kPlain) << 1));
  put_little(out, static_cast<std::uint16_t>(inode.xattrs.empty() ? 0 : 1 + (inode.xattrs.size() - 12) / 4));
  put_little(out, static_cast<std::uint16_t>(stat_mode(header)));
  put_little(out, std::uint16_t{0});
  put_little(out, inode.size);
  put_little(out, device ? device_number(header) : inode.first_block);
  put_little(out, static_cast<std::uint32_t>(number + 1));
  put_little(out, static_cast<std::uint32_t>(header.uid));
  put_little(out, static_cast<std::uint32_t>(header.gid));
  put_little(out, header.mtime);
  put_little(out, std::uint32_t{0});
  put_little(out, inode.links);
  return out + std::string(16, '\0') + inode.xattrs;
}

/// Blocks of records, the names of each block behind its records. Only the last block is not filled up.
std::string Erofs::directory(const Inode& inode) const {
  std::string out;
  for (std::size_t first = 0, last = 0; first < inode.entries.size(); first = last) {
    std::uint64_t used = 0;
    while (last < inode.entries.size() && used + kEntryBytes + inode.entries[last].name.size() <= kBlock)
      used += kEntryBytes + inode.entries[last++].name.size();
    std::uint64_t name_at = (last - first) * kEntryBytes;
    std::string names;
    out.resize(round_up(out.size(), kBlock));
    for (std::size_t i = first; i < last; ++i) {
      const Inode& target = inodes_[inode.entries[i].inode];
      put_little(out, target.at / kSlot);
      put_little(out, static_cast<std::uint16_t>(name_at));
      put_little(out, static_cast<std::uint8_t>(target.node == nullptr ? 2 : file_type(target.node->header.type)));
      put_little(out, std::uint8_t{0});
      names += inode.entries[i].name;
      name_at += inode.entries[i].name.size();
    }
    out += names;
  }
  return out;
}

Result<> Erofs::content(const Inode& inode, std::uint64_t from, std::uint64_t size, const codec::Sink& sink) const {
  if (!inode.entries.empty()) return sink(std::string_view(directory(inode)).substr(from, size));
  if (inode.node->header.type == '2') return sink(std::string_view(inode.node->header.link).substr(from, size));
  return root_->write_part(*inode.node, from, size, sink);
}

Result<> Erofs::write(const codec::Sink& out) const {
  std::uint64_t at = 0;
  const codec::Sink sink = [&](std::string_view bytes) {
    at += bytes.size();
    return out(bytes);
  };
  const auto fill = [&](std::uint64_t to) { return sink(std::string(to - at, '\0')); };
  TRY(sink(superblock()));
  for (std::size_t i = 0; i < inodes_.size(); ++i) {
    const Inode& inode = inodes_[i];
    TRY(fill(inode.at));
    TRY(sink(inode_bytes(i)));
    if (inode.tail_inside) TRY(content(inode, inode.size - inode.tail(), inode.tail(), sink));
  }
  TRY(fill(data_block_ * kBlock));
  for (const Inode& inode : inodes_) {
    if (inode.blocks() == 0) continue;
    TRY(content(inode, 0, inode.tail_inside ? inode.size - inode.tail() : inode.size, sink));
    TRY(fill(round_up(at, kBlock)));
  }
  return {};
}

Result<> write_root_erofs(const RootTree& root, const codec::Sink& sink) {
  const Erofs image = TRY(Erofs::plan(root));
  return image.write(sink);
}

}  // namespace nacre::image
