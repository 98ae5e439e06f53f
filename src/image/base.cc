#include "image/base.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/field_archs.h"
#include "base/number.h"
#include "base/text.h"
#include "codec/digest.h"
#include "image/oci.h"
#include "image/read.h"
#include "store/store.h"

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxDocument = 8u << 20, kMaxDatabase = std::uint64_t{256} << 20;
constexpr std::size_t kSha1Bytes = 20, kMaxLine = 1u << 20, kMaxEntries = 2'000'000;
constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";

os::Path blob_file(const os::Path& folder, const Sha256& digest) { return folder / "blobs" / "sha256" / digest.hex(); }

/// A document of the layout, checked and taken into the store.
Result<Json> take_document(const os::Path& folder, const Sha256& digest, Env& env) {
  const std::string text = TRY(os::read_file(blob_file(folder, digest), kMaxDocument));
  if (codec::sha256(text) != digest)
    return Error::make(ErrorKind::kDenied, "'{}' does not hold what its name says", blob_file(folder, digest).string());
  TRY(env.store.put_bytes(text));
  return read_document(digest, env);
}

/// Manifests of index.json, or of the first index that it names.
Result<std::vector<Descriptor>> manifests_of(const os::Path& folder, Env& env) {
  const std::string file = (folder / "index.json").string();
  const std::string text = TRY(os::read_file(file, kMaxDocument), "reading the base image's layout");
  Json index = TRY(codec::parse_json(text, file));
  for (const Json& row : index["manifests"].items()) {
    const std::string& type = row["mediaType"].as_string();
    if (type != kIndexType && type != kDockerList) continue;
    const Sha256 digest = TRY(parse_sha256(row["digest"].as_string()), "reading '{}'", file);
    Json inner = TRY(take_document(folder, digest, env));
    index = std::move(inner);
    break;
  }
  std::vector<Descriptor> out;
  for (const Json& row : index["manifests"].items()) {
    Descriptor descriptor = TRY(read_descriptor(row), "reading '{}'", file);
    out.push_back(std::move(descriptor));
  }
  return out;
}

Result<> read_image(BaseImage& out, const Arch& arch, Env& env) {
  const std::vector<Descriptor> manifests = TRY(manifests_of(out.folder, env));
  std::vector<std::string> known;
  for (const Descriptor& manifest : manifests) {
    const Json json = TRY(take_document(out.folder, manifest.digest, env));
    const Descriptor config = TRY(read_descriptor(json["config"]), "reading manifest {}", manifest.digest.oci());
    Json found = TRY(take_document(out.folder, config.digest, env));
    const std::string& variant = found["variant"].as_string();
    known.push_back(found["architecture"].as_string() + (variant.empty() ? "" : "/" + variant));
    if (found["architecture"].as_string() != arch.oci || !is_variant_of(arch, variant)) continue;
    const ImageParts parts = TRY(read_parts(manifest.digest, env));
    for (std::size_t i = 0; i < parts.layers.size(); ++i)
      out.layers.push_back({parts.layers[i], parts.diff_ids[i], {}});
    out.manifest = manifest;
    out.config = std::move(found);
    out.annotations = json["annotations"];
    return {};
  }
  return Error::make(ErrorKind::kNotFound, "the base image '{}' is not there for {}", out.folder.string(),
                     oci_platform(arch))
      .hint(known.empty() ? "its index.json names no manifest" : "it is there for " + join(known, ", "));
}

/// Reads the lines of an installed database one by one.
class DatabaseReader {
 public:
  explicit DatabaseReader(std::string_view source) : source_(source) {}

  Result<> line(std::string_view line) {
    ++line_;
    if (line.empty()) return finish();
    if (line.size() > kMaxLine) return fault("a line of {} bytes is longer than {}", line.size(), kMaxLine);
    if (line.size() < 2 || line[1] != ':') return fault("expected 'K:value', got '{}'", line.substr(0, 100));
    if (std::any_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; }))
      return fault("the line holds control characters");
    open_ = true;
    const std::string_view value = line.substr(2);
    if (std::string_view("FMRaZ").find(line[0]) != std::string_view::npos) return file_line(line[0], value);
    return head_line(line[0], value);
  }

  Result<> finish() {
    if (!open_) return {};
    const apk::PackageInfo& info = package_.file.info;
    if (info.name.empty() || info.version.empty()) return fault("the record above has no name (P) or no version (V)");
    auto fit = apk::check_package_info(info);
    if (!fit) return std::move(fit).error().at(here());
    packages_.push_back(std::move(package_));
    package_ = {};
    folder_.reset();
    open_ = file_ = false;
    return {};
  }

  std::vector<PackageContents> take() { return std::move(packages_); }

 private:
  Place here() const { return {std::string(source_), line_, 0}; }

  template <class... T>
  Error fault(fmt::format_string<T...> text, T&&... values) const {
    return Error::make(ErrorKind::kInvalid, text, std::forward<T>(values)...).at(here());
  }

  template <class Number>
  Result<> number(std::string_view text, Number& out) const {
    const auto value = whole_number<Number>(text);
    if (!value) return fault("expected a decimal number, got '{}'", text);
    out = *value;
    return {};
  }

  Result<> head_line(char key, std::string_view value) {
    apk::PackageInfo& info = package_.file.info;
    switch (key) {
      case 'P': info.name = value; break;
      case 'V': info.version = value; break;
      case 'A': info.arch = value; break;
      case 'L': info.licenses = {std::string(value)}; break;
      case 'T': info.description = value; break;
      case 'o': info.origin = value; break;
      case 'm': info.maintainer = value; break;
      case 'U': info.url = value; break;
      case 'c': info.commit = value; break;
      case 'D': info.depends = split(value, ' '); break;
      case 'p': info.provides = split(value, ' '); break;
      case 'r': info.replaces = split(value, ' '); break;
      case 'i': info.install_if = split(value, ' '); break;
      case 't': return number(value, info.build_date);
      case 'S': return number(value, package_.file.file_size);
      case 'I': return number(value, info.installed_bytes);
      case 'k': return number(value, info.provider_priority);
      case 'C': {
        const auto raw = value.starts_with("Q1") ? from_base64(value.substr(2)) : from_base64("?");
        if (!raw) return fault("'{}' is no checksum of the form 'Q1…'", value);
        if (raw->size() == kSha1Bytes) package_.file.control_sha1 = *raw;
        break;
      }
      default:
        if (key >= 'A' && key <= 'Z') return fault("unknown mandatory key '{}'", key);
    }
    return {};
  }

  /// Modes, owners and checksums of files stand in the base's layers; here only names count.
  Result<> file_line(char key, std::string_view value) {
    if (key == 'F') {
      auto path = TreePath::parse(value);
      if (!path) return std::move(path).error().at(here());
      folder_ = *std::move(path);
      file_ = false;
      if (!folder_->is_root()) TRY(add({.path = folder_->str(), .type = '5', .mode = 0755}));
      return {};
    }
    if (!folder_) return fault("a '{}' line before any 'F:' line", key);
    if (key == 'R') {
      auto path = value.empty() ? TreePath::parse("..") : folder_->join(value);
      if (!path || path->parent() != *folder_) return fault("'{}' is no name of a file", value);
      file_ = true;
      return add({.path = path->str(), .type = '0', .mode = 0644});
    }
    if (key != 'M' && !file_) return fault("a '{}' line before any 'R:' line", key);
    return {};
  }

  Result<> add(ContentEntry entry) {
    if (++entries_ > kMaxEntries) return fault("more than {} files", kMaxEntries);
    package_.entries.push_back(std::move(entry));
    return {};
  }

  std::string_view source_;
  PackageContents package_;
  std::vector<PackageContents> packages_;
  std::optional<TreePath> folder_;
  std::size_t entries_ = 0;
  int line_ = 0;
  bool open_ = false, file_ = false;
};

}  // namespace

std::vector<std::string> BaseImage::labels() const {
  std::vector<std::string> out;
  for (const PackageContents& package : packages) out.push_back(package.label());
  return out;
}

bool BaseImage::has(std::string_view package) const {
  return std::any_of(packages.begin(), packages.end(),
                     [&](const PackageContents& one) { return one.file.info.name == package; });
}

Result<std::vector<PackageContents>> parse_database(std::string_view text, std::string_view source) {
  DatabaseReader reader(source);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    TRY(reader.line(text.substr(at, end - at)));
    at = end + 1;
  }
  TRY(reader.finish());
  return reader.take();
}

Result<BaseImage> read_base_image(const Contents::BaseImage& base, const std::vector<std::string>& include_paths,
                                  const Arch& arch, Env& env) {
  const auto placed = [&](auto result) {
    if (!result) result = std::move(result).error().at(base.place);
    return result;
  };
  BaseImage out;
  const std::string folder = TRY(placed(find_input(base.image, include_paths)), "looking for the base image");
  const std::string index = TRY(placed(find_input(base.index, include_paths)), "looking for the base image's packages");
  out.folder = folder;
  TRY(placed(read_image(out, arch, env)));
  const std::string file = (os::Path(index) / std::string(arch.apk) / "APKINDEX").string();
  const std::string text = TRY(os::read_file(file, kMaxDatabase), "reading what the base image has installed");
  out.packages = TRY(parse_database(text, file));
  out.database = codec::sha256(text);
  return out;
}

Result<> bring_layers(const BaseImage& base, Env& env) {
  for (const Layer& layer : base.layers) {
    if (env.store.has(layer.blob.digest)) continue;
    const os::Path file = blob_file(base.folder, layer.blob.digest);
    const Sha256 found = TRY(env.store.put_file(file, store::Store::Take::kCopy), "reading the base image");
    if (found != layer.blob.digest)
      return Error::make(ErrorKind::kDenied, "'{}' does not hold what its name says", file.string());
  }
  return {};
}

}  // namespace nacre::image
