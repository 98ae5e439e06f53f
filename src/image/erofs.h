#pragma once

#include "image/root_tree.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nacre::image {

/// A number as disks have it, least byte first, appended to `out`.
template <class Number>
void put_little(std::string& out, Number number) {
  for (std::size_t i = 0; i < sizeof(Number); ++i)
    out += static_cast<char>((static_cast<std::uint64_t>(number) >> (8 * i)) & 0xff);
}

/// 16 bytes of a random-looking UUID (version 8) that depends on the image and on `what` alone, in the order of disks.
std::string disk_uuid(const RootTree& root, std::string_view what);

/// An EROFS (Linux: fs/erofs/erofs_fs.h) of 4 KiB blocks, not compressed: a block with the superblock, then inodes,
/// each with extended attributes and the end of its content where that fits into the same block, then whole blocks of
/// content. Linux 5.4 and later read it.
class Erofs {
 public:
  /// Decides where everything lies. kInvalid for what the format cannot hold.
  static Result<Erofs> plan(const RootTree& root);
  std::uint64_t size_bytes() const;
  Result<> write(const codec::Sink& sink) const;

 private:
  struct Name {
    std::string name;
    std::size_t inode;
  };
  struct Inode {
    const FileMap::Node* node = nullptr;   ///< Of the root directory nothing.
    std::string path;
    std::string xattrs;                    ///< As they stand behind the inode.
    std::vector<Name> entries;             ///< Of directories, "." and ".." too, bytewise.
    std::uint64_t size = 0, at = 0;        ///< `at`: bytes from the start.
    std::uint32_t links = 1, first_block = 0xffffffff;
    bool tail_inside = false;              ///< What exceeds whole blocks stands behind the inode.

    std::uint64_t head() const;            ///< Bytes before the tail.
    std::uint64_t tail() const;
    std::uint64_t blocks() const;          ///< Outside the inode.
  };

  explicit Erofs(const RootTree& root) : root_(&root) {}
  Result<> add_inodes();
  Result<> place();
  std::string superblock() const;
  std::string inode_bytes(std::size_t number) const;
  std::string directory(const Inode& inode) const;
  Result<> content(const Inode& inode, std::uint64_t from, std::uint64_t size, const codec::Sink& sink) const;

  const RootTree* root_;
  std::vector<Inode> inodes_;              ///< The root directory first.
  std::uint64_t data_block_ = 0, blocks_ = 0;
};

}  // namespace nacre::image
