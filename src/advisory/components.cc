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

}  // namespace

FileReader::Use FileReader::use_of(std::string_view path) {
  if (path.find("/db/sbom/") != std::string_view::npos && path.ends_with(".spdx.json")) return Use::kSbom;
  if (path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO") || path.ends_with(".egg-info"))
    return Use::kPython;
  if (path.ends_with("/package.json") && path.find("node_modules/") != std::string_view::npos) return Use::kNpm;
  for (const std::string_view end : {".jar", ".war", ".ear"})
    if (path.ends_with(end)) return Use::kJar;
  return Use::kProgram;
}

void FileReader::begin(std::string_view path, bool regular) {
  finish_file();
  if (path.starts_with("./")) path.remove_prefix(2);
  path_ = path;
  use_ = regular ? use_of("/" + path_) : Use::kNone;
  content_.clear();
  too_large_ = false;
  if (!regular) return;
  if (auto gem = gem_component("/" + path_)) add(*std::move(gem));
}

void FileReader::data(std::string_view piece) {
  if (use_ == Use::kNone) return;
  if (use_ == Use::kProgram && content_.size() < 4 && content_.size() + piece.size() >= 4) {
    const std::string head = content_ + std::string(piece.substr(0, 4));
    if (!package::is_elf(head)) use_ = Use::kNone;
    if (use_ == Use::kNone) return;
  }
  const bool small = use_ != Use::kProgram && use_ != Use::kJar;
  if (content_.size() + piece.size() > (small ? kMaxSmallBytes : kMaxFileBytes)) too_large_ = true;
  if (!too_large_) content_ += piece;
}

void FileReader::finish_file() {
  if (use_ == Use::kNone || content_.empty()) return;
  if (too_large_) out_->not_read.push_back(path_ + ": larger than can be read");
  else if (const auto read = read_file(); !read) out_->not_read.push_back(path_ + ": " + read.error().render());
  use_ = Use::kNone;
}

void FileReader::add(Component component) {
  if (component.path.empty()) component.path = path_;
  out_->components.push_back(std::move(component));
}

Result<> FileReader::read_file() {
  std::optional<Component> one;
  switch (use_) {
    case Use::kSbom: return read_sbom();
    case Use::kPython: one = python_component(content_); break;
    case Use::kNpm: one = npm_component(content_); break;
    case Use::kJar: {
      const std::vector<Component> found = TRY(jar_components(content_, path_));
      for (const Component& each : found) add(each);
      return {};
    }
    case Use::kProgram: return read_program();
    case Use::kNone: break;
  }
  if (one) add(*std::move(one));
  return {};
}

Result<> FileReader::read_program() {
  // What is no whole ELF file (an object of another tool, a test's data) holds nothing that can be asked.
  const auto elf = package::read_elf(content_, package::ElfParts::kDynamic);
  if (!elf) return {};
  for (Component& each : go_components(elf->go_build_info)) add(std::move(each));
  if (elf->cargo_audit.empty()) return {};
  const std::vector<Component> crates = TRY(cargo_components(elf->cargo_audit));
  for (const Component& each : crates) add(each);
  return {};
}

Result<> FileReader::read_sbom() {
  const Json json = TRY(codec::parse_json(content_, path_));
  for (const Json& package : json["packages"].items())
    for (const Json& reference : package["externalRefs"].items()) {
      if (reference["referenceType"].as_string() != "purl") continue;
      const std::string& purl = reference["referenceLocator"].as_string();
      constexpr std::string_view kApk = "pkg:apk/";
      if (purl.starts_with(kApk) && out_->distribution.empty())
        out_->distribution = purl.substr(kApk.size(), purl.find('/', kApk.size()) - kApk.size());
      // The definition's own repository is no part of what was built.
      if (purl.find('#') != std::string::npos) continue;
      if (auto component = component_of_purl(purl)) out_->components.push_back(*std::move(component));
    }
  return {};
}

void sort_components(PackageComponents& package) {
  std::sort(package.components.begin(), package.components.end());
  package.components.erase(std::unique(package.components.begin(), package.components.end()), package.components.end());
  std::sort(package.not_read.begin(), package.not_read.end());
}

Result<PackageComponents> read_package_components(const os::Path& file) {
  PackageComponents out;
  FileReader reader(out);
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    reader.begin(header.path, header.type == '0');
    return {};
  };
  visitor.on_data = [&](std::string_view piece) -> Result<> {
    reader.data(piece);
    return {};
  };
  apk::ReadLimits limits;
  limits.check_entries = false;
  const apk::PackageFile package = TRY(apk::read_package(file, &visitor, limits));
  reader.finish_file();
  out.name = package.info.name;
  out.version = package.info.version;
  out.arch = package.info.arch;
  out.origin = package.info.origin.empty() ? package.info.name : package.info.origin;
  sort_components(out);
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
