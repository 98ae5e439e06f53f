#include "farm/facts.h"

#include "apk/package_file.h"
#include "base/encoding.h"
#include "codec/digest.h"
#include "image/read.h"
#include "os/file.h"
#include "package/abi.h"
#include "package/lint.h"
#include "store/store.h"

#include <algorithm>
#include <set>

namespace nacre::farm {
namespace {

using codec::Json;
using codec::TarHeader;

/// What the headers of the data segment say.
void look_at(const TarHeader& header, PackageFacts& out) {
  const auto special = [&](std::string_view kind, std::string detail) {
    out.special.push_back({header.path, std::string(kind), std::move(detail)});
  };
  const std::string mode = fmt::format("mode {:04o}, owner {}:{}", header.mode & 07777, header.uid, header.gid);
  const bool file = header.type == '0', folder = header.type == '5';
  if (!folder) out.files.push_back(header.path);
  if (header.type == '3' || header.type == '4')
    special("device", fmt::format("{} {}:{}", header.type == '3' ? 'c' : 'b', header.dev_major, header.dev_minor));
  if (file && (header.mode & 04000) != 0) special("setuid", mode);
  if (file && (header.mode & 02000) != 0) special("setgid", mode);
  if ((file && (header.mode & 02) != 0) || (folder && (header.mode & 01002) == 02)) special("world-writable", mode);
  if (const auto set = header.pax.find("SCHILY.xattr.security.capability"); set != header.pax.end())
    special("capability", to_hex(set->second));
  if (file) out.installed_bytes += header.size;
}

/// Checks that the definition inside the package disables, for this package.
std::set<std::string> disabled_checks(const std::vector<std::pair<std::string, std::string>>& control,
                                      std::string_view package) {
  std::vector<std::string> out;
  for (const auto& [name, text] : control) {
    if (name != ".melange.yaml") continue;
    const auto json = codec::parse_json(text, name);
    if (!json) break;  // a foreign package's, in YAML: it disables nothing here
    const Json* body = &(*json)["package"];
    for (const Json& sub : (*json)["subpackages"].items())
      if (sub["name"].as_string() == package) body = &sub;
    out = (*body)["checks"]["disabled"].as_strings();
  }
  return {out.begin(), out.end()};
}

/// What the files themselves say.
Result<> look_into(const os::Path& folder, const std::set<std::string>& disabled, PackageFacts& out) {
  const package::PackageTree tree = TRY(package::PackageTree::walk(folder));
  const package::PackageAbi abi = TRY(package::read_abi(tree));
  out.abi = abi.digest;
  const std::vector<package::Finding> findings = TRY(package::check_hardening(tree, out.name));
  for (const package::Finding& finding : findings)
    if (finding.fatal && !disabled.contains(finding.rule))
      out.weak.push_back({finding.path.str(), finding.rule, finding.text});
  std::set<std::uint64_t> seen;
  for (const os::TreeEntry& entry : tree.entries) {
    if (entry.type != os::FileType::kRegular || !seen.insert(entry.inode).second) continue;
    const package::MappedFile mapped = TRY(package::MappedFile::open(tree.root, entry.path));
    std::optional<BinaryFacts> binary = read_binary(entry.path.str(), mapped.bytes());
    const bool plain_text = binary && binary->kind == BinaryFacts::Kind::kScript && (entry.mode & 0111) == 0;
    if (binary && !plain_text) out.binaries.push_back(*std::move(binary));
  }
  return {};
}

/// Bytes that a client pulls for one manifest.
Result<std::uint64_t> pulled_bytes(const Sha256& manifest, Env& env) {
  const Json json = TRY(image::read_document(manifest, env));
  std::int64_t out = json["config"]["size"].as_int();
  for (const Json& layer : json["layers"].items()) out += layer["size"].as_int();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(out, 0));
}

}  // namespace

std::vector<std::string> PackageFacts::sonames() const {
  std::set<std::string> out;
  for (const BinaryFacts& binary : binaries)
    if (const std::string library = library_name(binary); !library.empty()) out.insert(library);
  return {out.begin(), out.end()};
}

std::string library_name(const BinaryFacts& binary) {
  if (!binary.soname.empty()) return binary.soname;
  static constexpr std::string_view kFolders[] = {"usr/lib", "lib", "usr/lib64", "lib64"};
  const std::size_t slash = binary.path.rfind('/');
  if (slash == std::string::npos || binary.kind != BinaryFacts::Kind::kDynamic) return {};
  const std::string_view folder = std::string_view(binary.path).substr(0, slash);
  const std::string name = binary.path.substr(slash + 1);
  const bool searched = std::find(std::begin(kFolders), std::end(kFolders), folder) != std::end(kFolders);
  return searched && package::is_library_name(name) ? name : std::string();
}

Result<PackageFacts> read_facts(const Sha256& apk, Env& env) {
  const os::Path file = TRY(env.store.local(apk));
  PackageFacts out;
  const codec::TarReader::Visitor visitor = {[&](const TarHeader& header) -> Result<> {
                                               look_at(header, out);
                                               return {};
                                             },
                                             nullptr};
  const apk::TakenPackage taken = TRY(apk::take_package(file, &visitor, {}));
  const apk::IndexRecord record = taken.file.record();
  out.apk = apk;
  out.name = record.name;
  out.version = record.version;
  out.arch = record.arch;
  out.origin = record.origin.empty() ? record.name : record.origin;
  out.license = record.license;
  out.package_bytes = taken.file.file_size;
  out.replaces = taken.file.info.replaces;
  TRY(os::make_dirs(env.store.work_dir()));
  const os::TempDir folder = TRY(os::TempDir::create(env.store.work_dir(), "facts-"));
  TRY(apk::unpack_package(file, folder.path(), apk::Owners::kIgnore));
  TRY(look_into(folder.path(), disabled_checks(taken.control, out.name), out), "reading the files of '{}'", out.name);
  std::sort(out.files.begin(), out.files.end());
  std::sort(out.special.begin(), out.special.end(), [](const SpecialFile& a, const SpecialFile& b) {
    return std::tie(a.path, a.kind) < std::tie(b.path, b.kind);
  });
  return out;
}

Result<PackageFacts> facts_of(const Sha256& apk, Env& env) {
  const std::string key = apk.hex();
  const std::optional<std::string> kept = TRY(env.store.state().get("facts", key));
  if (kept) {
    // What is kept can be made again: whatever is wrong with it, it is read anew.
    const auto blob = parse_sha256(*kept);
    bool there = static_cast<bool>(blob);
    if (there) there = TRY(env.store.holds(*blob));
    if (there) {
      const auto text = env.store.read(*blob);
      const auto json = text && codec::sha256(*text) == *blob ? codec::parse_json(*text, "facts/" + key) : Json();
      auto facts = json ? facts_from_json(*json) : Error::make(ErrorKind::kInvalid, "no JSON");
      if (facts && facts->apk == apk) return facts;
    }
  }
  PackageFacts facts = TRY(read_facts(apk, env), "reading the package {}", apk.oci());
  const Sha256 blob = TRY(env.store.put_bytes(codec::to_json(facts_to_json(facts)), store::Store::Durability::kLater));
  TRY(env.store.state().put("facts", key, blob.hex()));
  return facts;
}

Result<ImageFacts> image_facts(const index::SerialImage& image, Env& env) {
  ImageFacts out;
  out.name = image.name;
  out.digest = image.index_digest;
  const Json json = TRY(image::read_document(image.index_digest, env), "reading the image '{}'", image.name);
  if (json.find("manifests") == nullptr) {
    out.bytes = TRY(pulled_bytes(image.index_digest, env), "reading the image '{}'", image.name);
    return out;
  }
  for (const Json& manifest : json["manifests"].items()) {
    const Sha256 digest = TRY(parse_sha256(manifest["digest"].as_string()), "reading the image '{}'", image.name);
    const std::uint64_t bytes = TRY(pulled_bytes(digest, env), "reading the image '{}'", image.name);
    out.bytes = std::max(out.bytes, bytes);
  }
  return out;
}

}  // namespace nacre::farm
