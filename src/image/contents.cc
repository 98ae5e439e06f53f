#include "image/contents.h"

#include "base/encoding.h"
#include "codec/digest.h"
#include "crypto/signer.h"
#include "os/file.h"
#include "store/store.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::string_view kChecksum = "APK-TOOLS.checksum.SHA1";
constexpr std::string_view kKind = "image-contents";  ///< State: apk digest -> blob of entries.
constexpr int kFormat = 4;
constexpr std::uint64_t kMaxEntriesBytes = std::uint64_t{1} << 30;

Json to_json(const ContentEntry& entry) {
  Json out = Json::object();
  out.set("p", entry.path).set("t", std::string(1, entry.type)).set("m", static_cast<int>(entry.mode));
  if (!entry.written.empty()) out.set("w", entry.written);
  if (entry.uid != 0) out.set("u", entry.uid);
  if (entry.gid != 0) out.set("g", entry.gid);
  if (entry.size != 0) out.set("s", entry.size);
  if (entry.mtime != 0) out.set("d", entry.mtime);
  if (!entry.link.empty()) out.set("l", entry.link);
  if (entry.type == '0') out.set("c", entry.content.hex());
  if (!entry.sha1.empty()) out.set("k", entry.sha1);
  if (entry.pax.empty()) return out;
  Json records = Json::object();
  for (const auto& [key, value] : entry.pax) records.set(key, to_base64(value));
  out.set("x", std::move(records));
  return out;
}

Result<ContentEntry> entry_from(const Json& json) {
  ContentEntry out;
  out.path = json["p"].as_string();
  out.written = json["w"].as_string();
  const std::string& type = json["t"].as_string();
  if (type.size() != 1) return Error::make(ErrorKind::kInternal, "kept entry '{}' has no type", out.path);
  out.type = type.front();
  out.mode = static_cast<unsigned>(json["m"].as_int());
  out.uid = static_cast<std::uint64_t>(json["u"].as_int());
  out.gid = static_cast<std::uint64_t>(json["g"].as_int());
  out.size = static_cast<std::uint64_t>(json["s"].as_int());
  out.mtime = json["d"].as_int();
  out.link = json["l"].as_string();
  if (out.type == '0') out.content = TRY(parse_sha256(json["c"].as_string()));
  out.sha1 = json["k"].as_string();
  for (const auto& [key, value] : json["x"].members()) {
    const std::string bytes = TRY(from_base64(value.as_string()));
    out.pax[key] = bytes;
  }
  return out;
}

/// 40 digits of a checksum record, which some packages of the field have as "Q1" + base64; "" for anything else.
std::string checksum_of(const std::string& text) {
  if (text.size() == 40) return text;
  const auto raw = text.starts_with("Q1") ? from_base64(text.substr(2)) : Result<std::string>(std::string());
  return raw && raw->size() == 20 ? to_hex(*raw) : std::string();
}

/// Gathers entries while read_package() checks the file.
class Collector {
 public:
  codec::TarReader::Visitor visitor() {
    return {[this](const codec::TarHeader& header) { return on_entry(header); },
            [this](std::string_view bytes) {
              hasher_.update(bytes);
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
      entry.link = target.str();
    }
    entry.pax = header.pax;
    if (const auto found = entry.pax.find(std::string(kChecksum)); found != entry.pax.end()) {
      entry.sha1 = checksum_of(found->second);
      entry.pax.erase(found);
    }
    entries_.push_back(std::move(entry));
    open_ = true;
    return {};
  }

  void close() {
    if (!open_) return;
    open_ = false;
    const Sha256 digest = std::exchange(hasher_, codec::Hasher()).finish_sha256();
    if (entries_.back().type == '0') entries_.back().content = digest;
  }

  std::vector<ContentEntry> entries_;
  codec::Hasher hasher_;
  bool open_ = false;
};

/// The kept entries, or nothing when the package was never read (or its list was collected).
Result<bool> load_entries(PackageContents& package, store::Store& store) {
  const std::optional<std::string> kept = TRY(store.state().get(kKind, package.apk.hex()));
  if (!kept) return false;
  const Sha256 blob = TRY(parse_sha256(*kept));
  if (!store.has(blob)) return false;
  const std::string text = TRY(store.read(blob, kMaxEntriesBytes));
  codec::JsonLimits limits;
  limits.max_bytes = kMaxEntriesBytes;
  limits.max_values = 40'000'000;
  const Json json = TRY(codec::parse_json(text, "list of a package's entries", limits));
  if (json["format"].as_int() != kFormat) return false;
  package.ends_with_zeros = json["ends_with_zeros"].as_bool();
  package.diff_id = TRY(parse_sha256(json["diff_id"].as_string()));
  for (const Json& item : json["entries"].items()) {
    ContentEntry entry = TRY(entry_from(item));
    package.entries.push_back(std::move(entry));
  }
  return true;
}

Result<> read_entries(PackageContents& package, store::Store& store) {
  Collector collector;
  const codec::TarReader::Visitor visitor = collector.visitor();
  const apk::PackageFile file = TRY(apk::read_package(store.blob_path(package.apk), &visitor));
  package.entries = collector.take();
  package.ends_with_zeros = file.data_ends_with_zeros;
  package.diff_id = file.data_diff_id;
  Json entries = Json::array();
  for (const ContentEntry& entry : package.entries) entries.push(to_json(entry));
  Json json = Json::object();
  json.set("format", kFormat)
      .set("ends_with_zeros", package.ends_with_zeros)
      .set("diff_id", package.diff_id.hex())
      .set("entries", std::move(entries));
  const Sha256 blob = TRY(store.put_bytes(codec::to_json(json)));
  TRY(store.state().put(kKind, package.apk.hex(), blob.hex()));
  return {};
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
  TRY(read_range(store.blob_path(package.apk), package.file.control.offset, package.file.control.size,
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
  PackageContents out;
  out.apk = package.apk;
  if (!env.store.has(package.apk))
    return Error::make(ErrorKind::kNotFound, "the store has no blob {} of package {}={}", package.apk.oci(),
                       package.record.name, package.record.version);
  const os::Path path = env.store.blob_path(package.apk);
  out.file = TRY(apk::read_package_header(path), "reading package {}={}", package.record.name,
                 package.record.version);
  out.file.file_size = TRY(env.store.size(package.apk));
  TRY(check_identity(out, package, request.arch));
  if (!request.foreign) TRY(check_signature(out, request, env.store));
  const bool kept = TRY(load_entries(out, env.store));
  if (!kept) TRY(read_entries(out, env.store), "reading package {}", out.label());
  out.control = TRY(apk::read_control_files(path), "reading package {}", out.label());
  return out;
}

}  // namespace nacre::image
