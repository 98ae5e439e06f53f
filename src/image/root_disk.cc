#include "codec/crc.h"
#include "image/erofs.h"

namespace nacre::image {
namespace {

constexpr std::uint64_t kSector = 512, kFirst = 2048, kEntries = 128, kEntryBytes = 128;
constexpr std::uint64_t kTableSectors = kEntries * kEntryBytes / kSector;
constexpr std::uint64_t kUnit = 2048;  ///< Partitions and the disk's end are at whole MiB.

/// "Linux filesystem data", 0FC63DAF-8483-4772-8E79-3D69D8477DE4, in the order of disks.
constexpr std::string_view kLinuxData("\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4", 16);
constexpr std::uint64_t kReadOnly = std::uint64_t{1} << 60;

/// The partition table of a disk (UEFI 2.10, section 5) with one partition.
class PartitionTable {
 public:
  PartitionTable(const RootTree& root, std::uint64_t bytes) : disk_(disk_uuid(root, "disk")) {
    const std::uint64_t sectors = (bytes + kSector - 1) / kSector;
    last_ = kFirst + sectors - 1;
    end_ = (last_ + 1 + kTableSectors + 1 + kUnit - 1) / kUnit * kUnit;
    entries_ = std::string(kLinuxData) + disk_uuid(root, "root");
    put_little(entries_, kFirst);
    put_little(entries_, last_);
    put_little(entries_, kReadOnly);
    for (const char c : std::string_view("root")) entries_ += std::string{c, '\0'};
    entries_.resize(kEntries * kEntryBytes);
  }

  /// Everything before the partition.
  std::string front() const {
    std::string out = protective() + header(1, end_ - 1, 2) + entries_;
    out.resize(kFirst * kSector);
    return out;
  }
  /// Everything behind it.
  std::string back(std::uint64_t written) const {
    std::string out((end_ - 1 - kTableSectors) * kSector - written, '\0');
    return out + entries_ + header(end_ - 1, 1, end_ - 1 - kTableSectors);
  }

 private:
  /// What programs see that know nothing of GPT: one partition of type 0xee.
  std::string protective() const {
    std::string out(446, '\0');
    out += std::string("\x00\x00\x02\x00\xee\xff\xff\xff", 8);
    put_little(out, std::uint32_t{1});
    put_little(out, static_cast<std::uint32_t>(std::min<std::uint64_t>(end_ - 1, 0xffffffff)));
    out.resize(510);
    return out + "\x55\xaa";
  }

  std::string header(std::uint64_t here, std::uint64_t other, std::uint64_t table) const {
    std::string out = "EFI PART";
    put_little(out, std::uint32_t{0x00010000});
    put_little(out, std::uint32_t{92});
    put_little(out, std::uint64_t{0});                           // checksum, below; and zeros
    put_little(out, here);
    put_little(out, other);
    put_little(out, 2 + kTableSectors);                          // first and last sector that partitions may use
    put_little(out, end_ - 2 - kTableSectors);
    out += disk_;
    put_little(out, table);
    put_little(out, static_cast<std::uint32_t>(kEntries));
    put_little(out, static_cast<std::uint32_t>(kEntryBytes));
    put_little(out, ~codec::crc32(codec::Crc::kIeee, entries_));
    std::string sum;
    put_little(sum, ~codec::crc32(codec::Crc::kIeee, out));
    out.replace(16, 4, sum);
    out.resize(kSector);
    return out;
  }

  std::string disk_, entries_;
  std::uint64_t last_ = 0, end_ = 0;
};

}  // namespace

Result<> write_root_disk(const RootTree& root, const codec::Sink& sink) {
  const Erofs image = TRY(Erofs::plan(root));
  const PartitionTable table(root, image.size_bytes());
  TRY(sink(table.front()));
  TRY(image.write(sink));
  return sink(table.back(kFirst * kSector + image.size_bytes()));
}

}  // namespace nacre::image
