#include "image/contents.h"

#include "base/encoding.h"
#include "codec/digest.h"
#include "crypto/signer.h"
#include "image/kept_contents.h"
#include "image/layer.h"
#include "os/file.h"
#include "store/store.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <unordered_map>

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::string_view kChecksum = "APK-TOOLS.checksum.SHA1";
constexpr std::string_view kKind = "image-contents";     ///< State: apk digest -> blob of contents.
constexpr std::string_view kDigests = "file-digests";    ///< State: apk digest -> blob of file digests.
constexpr std::uint64_t kMaxContentsBytes = std::uint64_t{1} << 30;
constexpr std::size_t kSha1Bytes = 20;

/// A checksum record: 40 digits, in some packages of the field "Q1" + base64; "" for anything else.
std::string checksum_of(const std::string& text) {
  const auto raw = text.starts_with("Q1") ? from_base64(text.substr(2)) : from_hex(text);
  return raw && raw->size() == kSha1Bytes ? *raw : std::string();
}

/// Gathers entries while read_package() checks the file.
class Collector {
 public:
  codec::TarReader::Visitor visitor() {
    return {[this](const codec::TarHeader& header) { return on_entry(header); },
            [this](std::string_view bytes) {
              if (probing_) probe_.push(bytes);
              return Result<>{};
            }};
  }
  std::vector<ContentEntry> take() {
    close();
    return std::move(entries_);
  }

 private:
  Result<> on_entry(const codec::TarHeader& header) {
    close();
    const TreePath path = TRY(TreePath::parse(header.path));
    if (path.is_root()) return {};
    if (path.name().starts_with(".wh."))
      return Error::make(ErrorKind::kInvalid, "'{}' has a name that image layers take for a deletion",
                         path.str());
    // apk's database has a line for each name, and what runs an image would open what a device leads to.
    if (path.str().find_first_of("\n\r") != std::string::npos)
      return Error::make(ErrorKind::kInvalid, "a name beginning with '{}' holds a line end",
                         path.str().substr(0, path.str().find_first_of("\n\r")));
    if (header.type == '3' || header.type == '4' || header.type == '6')
      return Error::make(ErrorKind::kInvalid, "'{}' is a device or a pipe, which packages of images may not hold",
                         path.str());
    ContentEntry entry;
    entry.path = path.str();
    if (header.path != entry.path) entry.written = header.path;
    entry.type = header.type == '7' ? '0' : header.type;
    entry.mode = header.mode;
    entry.uid = header.uid;
    entry.gid = header.gid;
    entry.size = header.size;
    entry.mtime = header.mtime;
    entry.link = header.link;
    if (entry.type == '1') {
      const TreePath target = TRY(TreePath::parse(header.link));
      // A link to a link is one to its file.
      const auto [at, fresh] = links_.try_emplace(entry.path, target.str());
      if (const auto over = links_.find(target.str()); fresh && over != links_.end()) at->second = over->second;
      entry.link = at->second;
    }
    entry.pax = header.pax;
    if (const auto found = entry.pax.find(std::string(kChecksum)); found != entry.pax.end()) {
      entry.sha1 = checksum_of(found->second);
      entry.pax.erase(found);
    }
    probing_ = entry.type == '0' && !library_stem(path.name()).empty();
    if (probing_) probe_.begin(entry.size);
    entries_.push_back(std::move(entry));
    return {};
  }

  void close() {
    if (!std::exchange(probing_, false)) return;
    entries_.back().library = probe_.finish();
  }

  std::vector<ContentEntry> entries_;
  std::unordered_map<std::string, std::string> links_;   ///< Hard link -> the file that it is.
  LibraryProbe probe_;
  bool probing_ = false;
};

/// What was kept, or nothing when the package was never read (or that was collected).
Result<std::optional<PackageContents>> kept_contents(const Sha256& apk, store::Store& store) {
  std::optional<PackageContents> out;
  const std::optional<std::string> kept = TRY(store.state().get(kKind, apk.hex()));
  if (!kept) return out;
  const Sha256 blob = TRY(parse_sha256(*kept));
  if (!store.has(blob)) return out;
  const std::string bytes = TRY(store.read(blob, kMaxContentsBytes));
  out = unpack_contents(bytes);
  if (out) out->apk = apk;
  return out;
}

Result<> keep(const PackageContents& contents, store::Store& store) {
  const Sha256 blob = TRY(store.put_bytes(pack_contents(contents), store::Store::Durability::kLater));
  return store.state().put(kKind, contents.apk.hex(), blob.hex());
}

Result<PackageContents> read_whole(const os::Path& file, const codec::Sink& copy, apk::ReadLimits limits) {
  limits.check_entries = false;
  Collector collector;
  const codec::TarReader::Visitor visitor = collector.visitor();
  apk::TakenPackage taken = TRY(apk::take_package(file, &visitor, copy, limits));
  PackageContents out;
  out.file = std::move(taken.file);
  out.control = std::move(taken.control);
  out.control_attributes = std::move(taken.control_attributes);
  out.entries = collector.take();
  out.apk = out.file.file_sha256;
  out.ends_with_zeros = out.file.data_ends_with_zeros;
  out.diff_id = out.file.data_diff_id;
  return out;
}

Result<> check_signature(const PackageContents& package, const ComposeRequest& request, store::Store& store) {
  const std::string expected = crypto::public_key_name(request.edition, crypto::Purpose::kPackage);
  if (package.file.key_name.empty())
    return Error::make(ErrorKind::kDenied,
                       "package {} is not signed; an image of edition '{}' needs the signature of {}",
                       package.label(), name_of(request.edition), expected);
  if (package.file.key_name != expected)
    return Error::make(ErrorKind::kDenied,
                       "package {} is signed by {}, and an image of edition '{}' takes only {}",
                       package.label(), package.file.key_name, name_of(request.edition), expected)
        .hint("content of two editions never mixes; build the package in this edition");
  const crypto::PublicKey key = TRY(crypto::PublicKey::from_pem(request.public_key),
                                    "reading the package key of edition '{}'", name_of(request.edition));
  std::string control;
  const os::Path apk = TRY(store.local(package.apk));
  TRY(read_range(apk, package.file.control.offset, package.file.control.size,
                 [&](std::string_view bytes) {
                   control.append(bytes);
                   return Result<>{};
                 }));
  TRY(key.verify(control, package.file.signature_bytes), "checking the signature of package {}",
      package.label());
  return {};
}

Result<> check_identity(const PackageContents& package, const index::SerialPackage& wanted, const Arch& arch) {
  const apk::PackageInfo& info = package.file.info;
  if (info.name != wanted.record.name || info.version != wanted.record.version)
    return Error::make(ErrorKind::kInvalid, "the serial says that blob {} is {}={}, and it is {}",
                       package.apk.oci(), wanted.record.name, wanted.record.version, package.label());
  if (package.file.checksum() != wanted.record.checksum)
    return Error::make(ErrorKind::kDenied, "package {} has checksum {}, and the index says {}", package.label(),
                       package.file.checksum(), wanted.record.checksum);
  if (info.arch != arch.apk && info.arch != "noarch")
    return Error::make(ErrorKind::kInvalid, "package {} is for {}, and the image for {}", package.label(),
                       info.arch, arch.apk);
  return {};
}

}  // namespace

apk::Segment PackageContents::data() const {
  const std::uint64_t offset = file.control.offset + file.control.size;
  return {offset, file.file_size - offset};
}

Result<> read_range(const os::Path& file, std::uint64_t offset, std::uint64_t size, const codec::Sink& sink) {
  const os::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os::system_error(errno, fmt::format("open '{}'", file.string()));
  std::string buffer(std::size_t{1} << 20, '\0');
  while (size > 0) {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size()));
    const ssize_t got = ::pread(fd.get(), buffer.data(), want, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os::system_error(errno, fmt::format("read '{}'", file.string()));
    if (got == 0)
      return Error::make(ErrorKind::kUnavailable, "'{}' ends {} bytes early", file.string(), size);
    TRY(sink(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<PackageContents> read_contents(const index::SerialPackage& package, const ComposeRequest& request,
                                      Env& env) {
  const bool there = TRY(env.store.holds(package.apk));
  if (!there)
    return Error::make(ErrorKind::kNotFound, "the store has no blob {} of package {}={}", package.apk.oci(),
                       package.record.name, package.record.version);
  std::optional<PackageContents> kept = TRY(kept_contents(package.apk, env.store));
  PackageContents out;
  if (kept) {
    out = *std::move(kept);
    const std::uint64_t size = TRY(env.store.size(package.apk));
    if (size != out.file.file_size)
      return Error::make(ErrorKind::kDenied, "the store's blob {} of package {} has {} bytes, and had {}",
                         package.apk.oci(), out.label(), size, out.file.file_size);
  } else {
    const os::Path apk = TRY(env.store.local(package.apk));
    out = TRY(read_whole(apk, {}, {}), "reading package {}={}", package.record.name,
              package.record.version);
    if (out.apk != package.apk)
      return Error::make(ErrorKind::kDenied, "the store's blob {} of package {} is damaged: it has the digest {}",
                         package.apk.oci(), out.label(), out.apk.oci());
    TRY(keep(out, env.store));
  }
  TRY(check_identity(out, package, request.arch));
  if (!request.foreign) TRY(check_signature(out, request, env.store));
  return out;
}

Result<apk::PackageFile> read_new_package(const os::Path& file, const codec::Sink& copy, const apk::ReadLimits& limits,
                                          store::Store& store) {
  PackageContents contents = TRY(read_whole(file, copy, limits));
  TRY(keep(contents, store));
  return std::move(contents.file);
}

Result<Sha256> FileDigests::of(std::size_t package, const ContentEntry& entry) {
  auto at = known_.find(package);
  if (at == known_.end()) {
    OfPackage made = TRY(read(packages_[package]), "reading package {}", packages_[package].label());
    at = known_.emplace(package, std::move(made)).first;
  }
  const auto found = at->second.find(entry.path);
  if (found != at->second.end()) return found->second;
  return Error::make(ErrorKind::kInternal, "package {} holds no file '{}'", packages_[package].label(), entry.path);
}

Result<FileDigests::OfPackage> FileDigests::read(const PackageContents& package) const {
  OfPackage out;
  store::Store& store = env_.store;
  if (const auto kept = TRY(store.state().get(kDigests, package.apk.hex()))) {
    const Sha256 blob = TRY(parse_sha256(*kept));
    if (store.has(blob)) {
      const std::string text = TRY(store.read(blob, kMaxContentsBytes));
      const Json json = TRY(codec::parse_json(text, "digests of files"));
      for (const auto& [path, digest] : json.members()) out[path] = TRY(parse_sha256(digest.as_string()));
      return out;
    }
  }
  std::optional<codec::Hasher> hasher;
  std::string path;
  const auto close = [&] {
    if (hasher) out[path] = hasher->finish_sha256();
    hasher.reset();
  };
  const auto on_entry = [&](const codec::TarHeader& header) -> Result<> {
    close();
    if (header.type != '0' && header.type != '7') return {};
    const TreePath at = TRY(TreePath::parse(header.path));
    path = at.str();
    hasher.emplace();
    return {};
  };
  const auto on_data = [&](std::string_view bytes) {
    if (hasher) hasher->update(bytes);
    return Result<>{};
  };
  const os::Path apk = TRY(store.local(package.apk));
  TRY(read_tar_gzip(apk, package.data(), {on_entry, on_data}));
  close();
  Json json = Json::object();
  for (const auto& [at, digest] : out) json.set(at, digest.hex());
  const Sha256 blob = TRY(store.put_bytes(codec::to_json(json), store::Store::Durability::kLater));
  TRY(store.state().put(kDigests, package.apk.hex(), blob.hex()));
  return out;
}

}  // namespace nacre::image
