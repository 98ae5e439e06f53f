#include "advisory/components.h"

#include "image/image.h"
#include "image/read.h"

#include <map>

namespace nacre::advisory {
namespace {

/// Origins by "name=version", from an installed database ("P:", "V:", "o:" lines, records parted by blank lines).
std::map<std::string, PackageComponents> installed_packages(std::string_view text) {
  std::map<std::string, PackageComponents> out;
  PackageComponents one;
  const auto finish = [&] {
    if (one.name.empty()) return;
    if (one.origin.empty()) one.origin = one.name;
    std::string label = one.name + "=" + one.version;
    out.emplace(std::move(label), std::move(one));
    one = {};
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty()) finish();
    if (line.size() < 2 || line[1] != ':') continue;
    const std::string value(line.substr(2));
    if (line[0] == 'P') one.name = value;
    if (line[0] == 'V') one.version = value;
    if (line[0] == 'A') one.arch = value;
    if (line[0] == 'o') one.origin = value;
  }
  finish();
  return out;
}

}  // namespace

Result<std::vector<PackageComponents>> read_image_components(const Sha256& manifest, Env& env) {
  const image::ImageParts parts = TRY(image::read_parts(manifest, env));
  const image::FileMap files = TRY(image::read_file_map(parts, env), "reading image {}", manifest.oci());
  std::string database = TRY(image::read_image_file(parts, files, "usr/lib/apk/db/installed", env));
  if (database.empty()) database = TRY(image::read_image_file(parts, files, "lib/apk/db/installed", env));
  std::map<std::string, PackageComponents> packages = installed_packages(database);
  const std::vector<image::ImageFile> list = TRY(image::list_files(manifest, env));
  std::map<std::string_view, std::string_view> owners;
  for (const image::ImageFile& file : list) owners.emplace(file.path, file.package);
  std::map<std::pair<std::size_t, std::size_t>, std::string_view> paths;  // Layer and entry -> where it is seen.
  for (const auto& [path, node] : files.nodes())
    if (node.header.type == '0') paths.emplace(std::pair(node.source.layer, node.source.entry), path);
  PackageComponents loose;
  loose.name = loose.origin = "(files)";
  FileReader reader(loose);
  for (std::size_t layer = 0; layer < parts.layers.size(); ++layer) {
    std::size_t entry = 0;
    codec::TarReader::Visitor visitor;
    visitor.on_entry = [&](const codec::TarHeader&) -> Result<> {
      const auto found = paths.find({layer + 1, entry++});
      reader.finish_file();
      if (found == paths.end()) {
        reader.begin("", false);
        return {};
      }
      const auto owner = packages.find(std::string(owners[found->second]));
      reader.write_to(owner == packages.end() ? loose : owner->second);
      reader.begin(found->second, true);
      return {};
    };
    visitor.on_data = [&](std::string_view piece) -> Result<> {
      reader.data(piece);
      return {};
    };
    TRY(image::read_layer(parts, layer, image::Check::kNo, visitor, env));
    reader.finish_file();
  }
  std::vector<PackageComponents> out;
  for (auto& [label, package] : packages) out.push_back(std::move(package));
  if (!loose.components.empty() || !loose.not_read.empty()) out.push_back(std::move(loose));
  for (PackageComponents& package : out) sort_components(package);
  return out;
}

}  // namespace nacre::advisory
