#include "index/kept_index.h"

#include "base/text.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace nacre::index {
namespace {

constexpr std::string_view kKind = "mapped-index";  ///< Digest of an index -> its segments, in order.
constexpr std::size_t kMaxSegments = 16;

}  // namespace

/// A blob in memory for as long as anybody holds it. Blobs are never written again, so that no page goes missing.
class KeptIndex::Mapping {
 public:
  static Result<std::shared_ptr<const Mapping>> of(const os::Path& path) {
    const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0)
      return os::system_error(errno, fmt::format("open '{}'", path.string()));
    if (status.st_size <= 0) return Error::make(ErrorKind::kInvalid, "'{}' is empty", path.string());
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd.get(), 0);
    if (memory == MAP_FAILED) return os::system_error(errno, fmt::format("map '{}'", path.string()));
    return std::shared_ptr<const Mapping>(new Mapping(memory, size));
  }
  ~Mapping() { ::munmap(memory_, size_); }
  Mapping(const Mapping&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(memory_), size_}; }

 private:
  Mapping(void* memory, std::size_t size) : memory_(memory), size_(size) {}
  void* memory_;
  std::size_t size_;
};

/// What the functions below do to the inside of a KeptIndex.
struct KeptIndexParts {
  static Result<KeptIndex> open(store::Store& store, std::vector<Sha256> blobs) {
    KeptIndex out;
    std::vector<std::string_view> segments;
    for (const Sha256& blob : blobs) {
      out.mappings_.push_back(TRY(KeptIndex::Mapping::of(store.blob_path(blob))));
      segments.push_back(out.mappings_.back()->bytes());
    }
    out.index_ = TRY(apk::MappedIndex::open(segments));
    out.blobs_ = std::move(blobs);
    return out;
  }

  static Result<KeptIndex> record(store::Store& store, std::vector<Sha256> blobs, std::string_view segment,
                                  const Sha256& index) {
    // Not waited for: what a crash takes is made again from the text.
    blobs.push_back(TRY(store.put_bytes(segment, store::Store::Durability::kLater)));
    KeptIndex out = TRY(open(store, blobs));
    std::vector<std::string> names;
    for (const Sha256& blob : blobs) names.push_back(blob.hex());
    store::State::Deferred record(store.state());  // nor is this
    TRY(store.state().put(kKind, index.hex(), join(names, " ")));
    TRY(record.finish());
    return out;
  }

  static const std::vector<Sha256>& blobs(const KeptIndex& index) { return index.blobs_; }
};

Result<std::optional<KeptIndex>> find_kept_index(store::Store& store, const Sha256& index) {
  std::optional<KeptIndex> out;
  const auto names = TRY(store.state().get(kKind, index.hex()));
  if (!names) return out;
  std::vector<Sha256> blobs;
  for (const std::string& name : split_words(*names)) {
    const auto blob = parse_sha256(name);
    if (!blob || !store.has(*blob)) return out;
    blobs.push_back(*blob);
  }
  auto opened = KeptIndexParts::open(store, std::move(blobs));
  if (opened && (*opened)->describes() == index) out = *std::move(opened);
  return out;
}

Result<KeptIndex> keep_index(store::Store& store, const Sha256& index, std::string_view text, std::string_view source) {
  apk::SegmentWriter writer(index);
  writer.expect(text.size());
  TRY(apk::scan_index(text, source, [&](const apk::RecordView& record) { return writer.add(record); }));
  const std::string segment = TRY(writer.finish());
  return KeptIndexParts::record(store, {}, segment, index);
}

Result<KeptIndex> extend_kept_index(store::Store& store, const KeptIndex& before, const Sha256& index,
                                    std::span<const apk::RecordView> added,
                                    std::span<const apk::PackageNumber> removed) {
  const bool whole = before->segment_count() >= kMaxSegments;
  apk::SegmentWriter writer(index, whole ? nullptr : &*before);
  if (whole) {
    const std::vector<apk::PackageNumber> gone(removed.begin(), removed.end());
    for (apk::PackageNumber package = 0; package < before->package_count(); ++package)
      if (before->has(package) && std::find(gone.begin(), gone.end(), package) == gone.end())
        TRY(writer.add(before->record(package)));
  } else {
    for (const apk::PackageNumber package : removed) writer.remove(package);
  }
  for (const apk::RecordView& record : added) TRY(writer.add(record));
  const std::string segment = TRY(writer.finish());
  return KeptIndexParts::record(store, whole ? std::vector<Sha256>() : KeptIndexParts::blobs(before), segment, index);
}

}  // namespace nacre::index
