#include "advisory/components.h"

#include "apk/package_file.h"
#include "base/text.h"
#include "package/elf.h"

#include <algorithm>
#include <cctype>

namespace nacre::advisory {
namespace {

using codec::Json;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;  ///< Programs and archives that are held whole to be read.
constexpr std::size_t kMaxSmallBytes = 16u << 20;            ///< Metadata.

/// What a file is to be read for, by its path; programs show by their first bytes.
enum class FileUse { kNone, kProgram, kSbom, kPython, kNpm, kJar };

FileUse use_of(std::string_view path) {
  if (path.find("/db/sbom/") != std::string_view::npos && path.ends_with(".spdx.json")) return FileUse::kSbom;
  if (path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO") || path.ends_with(".egg-info"))
    return FileUse::kPython;
  if (path.ends_with("/package.json") && path.find("node_modules/") != std::string_view::npos) return FileUse::kNpm;
  for (const std::string_view end : {".jar", ".war", ".ear"})
    if (path.ends_with(end)) return FileUse::kJar;
  return FileUse::kProgram;
}

/// Reads the files of one package as they come.
class Reader {
 public:
  explicit Reader(PackageComponents& out) : out_(out) {}

  Result<> begin(const codec::TarHeader& header) {
    finish_file();
    path_ = header.path;
    if (const std::string_view path = path_; path.starts_with("./")) path_.erase(0, 2);
    use_ = header.type == '0' ? use_of("/" + path_) : FileUse::kNone;
    content_.clear();
    too_large_ = false;
    if (auto gem = gem_component("/" + path_); gem && header.type == '0') add(*std::move(gem));
    return {};
  }

  Result<> data(std::string_view piece) {
    if (use_ == FileUse::kNone) return {};
    if (use_ == FileUse::kProgram && content_.size() + piece.size() >= 4 && content_.size() < 4) {
      const std::string head = content_ + std::string(piece.substr(0, 4));
      if (!package::is_elf(head)) use_ = FileUse::kNone;
      if (use_ == FileUse::kNone) return {};
    }
    const bool small = use_ != FileUse::kProgram && use_ != FileUse::kJar;
    if (content_.size() + piece.size() > (small ? kMaxSmallBytes : kMaxFileBytes)) too_large_ = true;
    if (!too_large_) content_ += piece;
    return {};
  }

  void finish_file() {
    if (use_ == FileUse::kNone || content_.empty()) return;
    if (too_large_) {
      out_.not_read.push_back(path_ + ": larger than can be read");
    } else if (auto read = read_file(); !read) {
      out_.not_read.push_back(path_ + ": " + read.error().render());
    }
    use_ = FileUse::kNone;
  }

 private:
  void add(Component component) {
    if (component.path.empty()) component.path = path_;
    out_.components.push_back(std::move(component));
  }

  Result<> read_file() {
    std::optional<Component> one;
    switch (use_) {
      case FileUse::kSbom: return read_sbom();
      case FileUse::kPython: one = python_component(content_); break;
      case FileUse::kNpm: one = npm_component(content_); break;
      case FileUse::kJar: {
        const std::vector<Component> found = TRY(jar_components(content_, path_));
        for (const Component& each : found) add(each);
        return {};
      }
      case FileUse::kProgram: return read_program();
      case FileUse::kNone: break;
    }
    if (one) add(*std::move(one));
    return {};
  }

  Result<> read_program() {
    // What is no whole ELF file (an object of another tool, a test's data) holds nothing that can be asked.
    const auto elf = package::read_elf(content_, package::ElfParts::kDynamic);
    if (!elf) return {};
    for (Component& each : go_components(elf->go_build_info)) add(std::move(each));
    if (elf->cargo_audit.empty()) return {};
    const std::vector<Component> crates = TRY(cargo_components(elf->cargo_audit));
    for (const Component& each : crates) add(each);
    return {};
  }

  Result<> read_sbom() {
    const Json json = TRY(codec::parse_json(content_, path_));
    for (const Json& package : json["packages"].items())
      for (const Json& reference : package["externalRefs"].items()) {
        if (reference["referenceType"].as_string() != "purl") continue;
        const std::string& purl = reference["referenceLocator"].as_string();
        constexpr std::string_view kApk = "pkg:apk/";
        if (purl.starts_with(kApk) && out_.distribution.empty())
          out_.distribution = purl.substr(kApk.size(), purl.find('/', kApk.size()) - kApk.size());
        // The definition's own repository is no part of what was built.
        if (purl.find('#') != std::string::npos) continue;
        if (auto component = component_of_purl(purl)) out_.components.push_back(*std::move(component));
      }
    return {};
  }

  PackageComponents& out_;
  std::string path_, content_;
  FileUse use_ = FileUse::kNone;
  bool too_large_ = false;
};

}  // namespace

Result<PackageComponents> read_package_components(const os::Path& file) {
  PackageComponents out;
  Reader reader(out);
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) { return reader.begin(header); };
  visitor.on_data = [&](std::string_view piece) { return reader.data(piece); };
  apk::ReadLimits limits;
  limits.check_entries = false;
  const apk::PackageFile package = TRY(apk::read_package(file, &visitor, limits));
  reader.finish_file();
  out.name = package.info.name;
  out.version = package.info.version;
  out.arch = package.info.arch;
  out.origin = package.info.origin.empty() ? package.info.name : package.info.origin;
  std::sort(out.components.begin(), out.components.end());
  out.components.erase(std::unique(out.components.begin(), out.components.end()), out.components.end());
  std::sort(out.not_read.begin(), out.not_read.end());
  return out;
}

Json to_json(const PackageComponents& package) {
  Json out, list = Json::array();
  out.set("name", package.name).set("origin", package.origin).set("version", package.version);
  out.set("arch", package.arch).set("distribution", package.distribution);
  for (const Component& component : package.components) {
    Json row;
    row.set("ecosystem", component.ecosystem).set("name", component.name).set("version", component.version);
    if (!component.path.empty()) row.set("path", component.path);
    list.push(std::move(row));
  }
  return out.set("components", std::move(list)).set("notRead", Json::strings(package.not_read));
}

Result<PackageComponents> components_from_json(const Json& json) {
  PackageComponents out;
  out.name = TRY(json.string_at("name"));
  out.origin = TRY(json.string_at("origin"));
  out.version = TRY(json.string_at("version"));
  out.arch = json["arch"].as_string();
  out.distribution = json["distribution"].as_string();
  for (const Json& row : json["components"].items())
    out.components.push_back(
        {row["ecosystem"].as_string(), row["name"].as_string(), row["version"].as_string(), row["path"].as_string()});
  out.not_read = json["notRead"].as_strings();
  return out;
}

}  // namespace nacre::advisory
