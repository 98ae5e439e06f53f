#include "codec/digest.h"
#include "store/artifacts.h"
#include "store/layout.h"
#include "store/store.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>

namespace nacre::store {

using Durability = Store::Durability;

namespace {

constexpr unsigned kBlobMode = 0444;

using OnPiece = std::function<Result<>(std::string_view piece)>;

/// Reads a file from its start to its end, in pieces.
Result<> read_pieces(int fd, const Path& shown, const OnPiece& on_piece) {
  std::string buffer(1u << 20, '\0');
  off_t offset = 0;
  while (true) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", shown.string()));
    if (got == 0) return {};
    offset += got;
    TRY(on_piece(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
  }
}

Result<Sha256> hash_file(int fd, const Path& shown) {
  codec::Hasher hasher;
  TRY(read_pieces(fd, shown, [&](std::string_view piece) -> Result<> {
    hasher.update(piece);
    return {};
  }));
  return hasher.finish_sha256();
}

/// Opens a regular file to read; nothing else can become a blob, and a fifo would block.
Result<os::Fd> open_regular(const Path& file, struct stat& status) {
  os::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd || ::fstat(fd.get(), &status) != 0)
    return os::system_error(errno, fmt::format("open '{}'", file.string()));
  if (!S_ISREG(status.st_mode))
    return Error::make(ErrorKind::kInvalid, "'{}' is not a regular file", file.string());
  return fd;
}

std::optional<std::uint64_t> size_of(const Path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

/// Writes out the name of a blob: the entry in its folder, and the folder's own.
Result<> sync_name(const Path& blob) {
  TRY(os::sync_dir(blob.parent_path()));
  return os::sync_dir(blob.parent_path().parent_path());
}

/// Says that a blob may not have reached the disk, or the artifact store. The mark is made before the blob has its
/// name, and goes after its content is there: file systems with a journal keep that order.
Result<> make_mark(const Path& mark) {
  const os::Fd fd(::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return os::system_error(errno, fmt::format("create '{}'", mark.string()));
  return {};
}

/// So many at once are not synced one by one: the whole file system is.
constexpr std::size_t kManyBlobs = 16;

/// Content, name and then the end of the mark.
Result<> settle_blob(const Path& blob, const Path& mark) {
  if (!os::exists(mark)) return {};
  const os::Fd fd(::open(blob.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) != 0) return os::system_error(errno, fmt::format("sync '{}'", blob.string()));
  if (fd) TRY(sync_name(blob));
  if (::unlink(mark.c_str()) != 0 && errno != ENOENT)
    return os::system_error(errno, fmt::format("remove '{}'", mark.string()));
  return {};
}

/// Makes sure of a blob that is there already: young again for the collector, its name on disk
/// before this returns (whoever renamed it may not have come to that). False when it is absent or
/// of another length, which a crash of the disk can leave; such bytes go to quarantine.
Result<bool> reuse(Store& store, const Path& blob, std::uint64_t size, Durability when, const Path& mark) {
  if (!size_of(blob)) return false;
  const os::Fd folder = TRY(lock_folder(blob.parent_path(), FolderLock::kShared));
  const std::optional<std::uint64_t> there = size_of(blob);
  if (!there) return false;
  if (*there != size) {
    TRY(store.quarantine(blob, fmt::format("expected {} bytes, found {}", size, *there)));
    return false;
  }
  touch(blob);
  if (when == Durability::kLater) return true;
  TRY(settle_blob(blob, mark));
  TRY(sync_name(blob));
  return true;
}

/// Gives a finished file its name. With kNow content reaches the disk before the name, and the name before
/// this returns: a record written afterwards never names a blob that a crash took away.
Result<> give_name(int fd, const Path& from, const Path& blob, Durability when, const Path& mark) {
  if (::fchmod(fd, kBlobMode) != 0 || ::futimens(fd, nullptr) != 0 ||
      (when == Durability::kNow && ::fsync(fd) != 0))
    return os::system_error(errno, fmt::format("sync '{}'", from.string()));
  TRY(os::make_dirs(blob.parent_path()));
  const os::Fd folder = TRY(lock_folder(blob.parent_path(), FolderLock::kShared));
  if (when == Durability::kLater) TRY(make_mark(mark));
  TRY(os::rename(from, blob));
  return when == Durability::kLater ? Result<>{} : sync_name(blob);
}

/// Copies `from` into `out` and returns the digest of what was copied. Shares the blocks where the
/// file system can, and then hashes the clone, which no writer of the original can change any more.
Result<Sha256> copy_hashed(int from, const Path& shown, os::AtomicFile& out) {
  if (::ioctl(out.fd(), FICLONE, from) == 0) {
    const os::Fd clone(::open(out.temporary_path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!clone) return os::system_error(errno, fmt::format("open '{}'", shown.string()));
    return hash_file(clone.get(), shown);
  }
  codec::Hasher hasher;
  TRY(read_pieces(from, shown, [&](std::string_view piece) -> Result<> {
    hasher.update(piece);
    return out.write(piece);
  }));
  return hasher.finish_sha256();
}

Error absent(const Sha256& digest, const Path& home) {
  return Error::make(ErrorKind::kNotFound, "blob {} is not in the store '{}'", digest.oci(),
                     home.string());
}

}  // namespace

Path Store::blob_path(const Sha256& digest) const {
  // One text and one path: joining paths, part by part, costs more than the question that follows.
  const std::string hex = digest.hex();
  std::string out = home_.native();
  out.reserve(out.size() + 100);
  out += "/blobs/sha256/";
  out.append(hex, 0, 2).append("/").append(hex);
  return Path(std::move(out));
}

bool Store::has(const Sha256& digest) const { return size_of(blob_path(digest)).has_value(); }

Result<Sha256> Store::put_bytes(std::string_view bytes, Durability when) {
  const Sha256 digest = codec::sha256(bytes);
  const Path blob = blob_path(digest), mark = unsettled(digest);
  TRY(mark_unshared(digest));
  const bool there = TRY(reuse(*this, blob, bytes.size(), when, mark));
  if (there) return digest;
  os::AtomicFile file = TRY(os::AtomicFile::create(partial_path(), kBlobMode));
  TRY(file.write(bytes));
  TRY(give_name(file.fd(), file.temporary_path(), blob, when, mark));
  return digest;
}

Result<> Store::adopt(os::AtomicFile file, const Sha256& digest, Durability when) {
  return adopt(file.temporary_path(), digest, when);
}

Result<> Store::adopt(const Path& file, const Sha256& digest, Durability when) {
  struct stat status {};
  const os::Fd fd = TRY(open_regular(file, status));
  const Path blob = blob_path(digest), mark = unsettled(digest);
  TRY(mark_unshared(digest));
  const bool there = TRY(reuse(*this, blob, static_cast<std::uint64_t>(status.st_size), when, mark));
  if (there) return os::remove_tree(file);
  TRY(give_name(fd.get(), file, blob, when, mark));
  const std::lock_guard lock(mutex_);
  written_.insert(digest);
  return {};
}

bool Store::wrote(const Sha256& digest) const {
  const std::lock_guard lock(mutex_);
  return written_.contains(digest);
}

Result<> Store::settle(std::span<const Sha256> blobs) {
  std::vector<Sha256> waiting;
  for (const Sha256& digest : blobs)
    if (os::exists(unsettled(digest))) waiting.push_back(digest);
  if (waiting.size() < kManyBlobs) {
    for (const Sha256& digest : waiting) TRY(settle_blob(blob_path(digest), unsettled(digest)));
    return {};
  }
  TRY(os::sync_file_system(home_));
  for (const Sha256& digest : waiting)
    if (::unlink(unsettled(digest).c_str()) != 0 && errno != ENOENT)
      return os::system_error(errno, fmt::format("remove '{}'", unsettled(digest).string()));
  return {};
}

Result<Sha256> Store::put_file(const Path& file, Take take) {
  struct stat status {};
  const os::Fd source = TRY(open_regular(file, status));
  // A file with another name or owner could still be changed through them: it is copied.
  struct stat inside {};
  const bool movable = take == Take::kMove && status.st_nlink == 1 &&
                       status.st_uid == ::geteuid() && ::stat(home_.c_str(), &inside) == 0 &&
                       inside.st_dev == status.st_dev && !std::filesystem::is_symlink(file);
  if (movable) {
    const Sha256 digest = TRY(hash_file(source.get(), file));
    const Path blob = blob_path(digest), mark = unsettled(digest);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    TRY(mark_unshared(digest));
    const bool there = TRY(reuse(*this, blob, size, Durability::kNow, mark));
    if (there)
      TRY(os::remove_tree(file));
    else
      TRY(give_name(source.get(), file, blob, Durability::kNow, mark));
    return digest;
  }
  os::AtomicFile copy = TRY(os::AtomicFile::create(partial_path(), kBlobMode));
  const Sha256 digest = TRY(copy_hashed(source.get(), file, copy));
  struct stat copied {};
  if (::fstat(copy.fd(), &copied) != 0)
    return os::system_error(errno, fmt::format("stat '{}'", file.string()));
  const Path blob = blob_path(digest), mark = unsettled(digest);
  const auto size = static_cast<std::uint64_t>(copied.st_size);
  TRY(mark_unshared(digest));
  const bool there = TRY(reuse(*this, blob, size, Durability::kNow, mark));
  if (!there) TRY(give_name(copy.fd(), copy.temporary_path(), blob, Durability::kNow, mark));
  if (take == Take::kMove) TRY(os::remove_tree(file));
  return digest;
}

Result<> Store::mark_unshared(const Sha256& digest) const {
  if (!artifacts_ || artifacts_->knows(digest)) return {};
  return make_mark(unshared(digest));
}

Result<> Store::share(std::span<const Sha256> blobs) {
  if (!artifacts_) return {};
  std::vector<Artifacts::Blob> files;
  for (const Sha256& digest : blobs)
    if (has(digest)) files.emplace_back(digest, blob_path(digest));
  TRY(artifacts_->put(files));
  for (const Sha256& digest : blobs) {  // what is not here must be there
    if (has(digest)) continue;
    const std::optional<std::uint64_t> there = TRY(artifacts_->size(digest));
    if (!there) return absent(digest, home_);
  }
  return {};
}

Result<bool> Store::holds(const Sha256& digest) const {
  if (!artifacts_ || has(digest)) return has(digest);
  const std::optional<std::uint64_t> size = TRY(artifacts_->size(digest));
  return size.has_value();
}

Result<Path> Store::local(const Sha256& digest) const {
  if (artifacts_ && !has(digest)) TRY(bring(digest));
  return blob_path(digest);
}

Result<> Store::bring(const Sha256& digest) const {
  static std::atomic<unsigned> counter{0};
  const std::lock_guard lock(bringing_[std::hash<Sha256>{}(digest) % bringing_.size()]);
  if (has(digest)) return {};
  const Path partial = home_ / "partial" / fmt::format("blob-{}.{}.{}", digest.hex(), ::getpid(), ++counter);
  const auto drop = [&](Error error) {
    (void)os::remove_tree(partial);
    return error;
  };
  auto there = artifacts_->get(digest, partial);
  if (!there) return drop(std::move(there).error());
  if (!*there)
    return drop(Error::make(ErrorKind::kNotFound, "blob {} is neither in the store '{}' nor in {}", digest.oci(),
                            home_.string(), artifacts_->name()));
  struct stat status {};
  const os::Fd fd = TRY(open_regular(partial, status));
  const Sha256 found = TRY(hash_file(fd.get(), partial));
  if (found != digest) {
    const Path place = TRY(quarantine(partial, fmt::format("{} gave it for {}", artifacts_->name(), digest.oci())));
    return Error::make(ErrorKind::kDenied, "{} gave other bytes for blob {}: their digest is {}", artifacts_->name(),
                       digest.hex(), found.hex())
        .hint(fmt::format("they are kept as '{}'; remove the object, and on a machine that has the blob the file "
                          "NACRE_HOME/shared-with: what the bucket lacks goes up with its next record",
                          place.string()));
  }
  // It can be brought again: nothing waits for the disk.
  return give_name(fd.get(), partial, blob_path(digest), Durability::kLater, unsettled(digest));
}

Result<std::string> Store::read(const Sha256& digest, std::uint64_t max_bytes) const {
  const Path blob = TRY(local(digest));
  Result<std::string> bytes = os::read_file(blob, max_bytes);
  if (!bytes && bytes.error().kind() == ErrorKind::kNotFound) return absent(digest, home_);
  return bytes;
}

Result<std::uint64_t> Store::size(const Sha256& digest) const {
  std::optional<std::uint64_t> size = size_of(blob_path(digest));
  if (!size && artifacts_) size = TRY(artifacts_->size(digest));
  if (!size) return absent(digest, home_);
  return *size;
}

Result<> Store::check(const Sha256& digest) const {
  const Path blob = TRY(local(digest));
  struct stat status {};
  Result<os::Fd> fd = open_regular(blob, status);
  if (!fd && fd.error().kind() == ErrorKind::kNotFound) return absent(digest, home_);
  if (!fd) return std::move(fd).error();
  const Sha256 found = TRY(hash_file(fd->get(), blob));
  if (found == digest) return {};
  return Error::make(ErrorKind::kDenied, "blob '{}' is damaged: expected digest {}, found {}",
                     blob.string(), digest.hex(), found.hex())
      .hint("quarantine it and fetch or build it again");
}

}  // namespace nacre::store
