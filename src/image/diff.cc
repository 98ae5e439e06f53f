#include "image/diff.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "image/export.h"
#include "image/read.h"

#include <algorithm>
#include <optional>
#include <set>

namespace nacre::image {
namespace {

using codec::Json;

constexpr std::string_view kCapability = "SCHILY.xattr.security.capability";
constexpr unsigned kSpecial = 06000;  ///< setuid and setgid.
const std::set<std::string> kDatabases = {"usr/lib/apk/db/installed", "lib/apk/db/installed"};

void read_packages(const std::string& text, ImageView& view) {
  std::string name;
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with("P:")) name = line.substr(2);
    else if (line.starts_with("V:")) view.packages[name] = line.substr(2);
    else if (line.starts_with("L:")) view.licences[name] = line.substr(2);
  }
}

/// Digests of regular files by where their content stands.
Result<std::map<FileMap::Source, Sha256>> hash_contents(const ImageParts& parts, Env& env) {
  std::map<FileMap::Source, Sha256> out;
  for (std::size_t layer = 0; layer < parts.layers.size(); ++layer) {
    FileMap::Source source{layer + 1, 0};
    std::optional<codec::Hasher> hasher;
    const auto close = [&] {
      if (hasher) out[source] = hasher->finish_sha256();
      hasher.reset();
    };
    bool first = true;
    const auto on_entry = [&](const codec::TarHeader& header) -> Result<> {
      close();
      if (!first) ++source.entry;
      first = false;
      if (header.type == '0' || header.type == '7') hasher.emplace();
      return {};
    };
    const auto on_data = [&](std::string_view bytes) -> Result<> {
      if (hasher) hasher->update(bytes);
      return {};
    };
    TRY(read_layer(parts, layer, Check::kYes, {on_entry, on_data}, env));
    close();
  }
  return out;
}

Json change(const std::string& before, const std::string& after) {
  return Json::object({{"before", before}, {"after", after}});
}

/// {added: {k: v}, removed: {k: v}, changed: {k: {before, after}}} of two maps of texts.
Json diff_texts(const std::map<std::string, std::string>& a, const std::map<std::string, std::string>& b) {
  Json added, removed, changed, out;
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (other == b.end()) removed.set(key, value);
    else if (other->second != value) changed.set(key, change(value, other->second));
  }
  for (const auto& [key, value] : b)
    if (!a.contains(key)) added.set(key, value);
  for (auto& [name, part] : std::initializer_list<std::pair<const char*, Json&>>{
           {"added", added}, {"removed", removed}, {"changed", changed}})
    if (!part.is_null()) out.set(name, part);
  return out;
}

std::string text_of(const ViewedFile& file) {
  std::string out = fmt::format("{} {:04o} {}:{}", file.type, file.mode, file.uid, file.gid);
  if (file.type == '0') out += fmt::format(" {} bytes {}", file.size, file.digest.substr(0, 12));
  if (file.type == '3' || file.type == '4') out += fmt::format(" device {}:{}", file.dev_major, file.dev_minor);
  if (!file.link.empty()) out += " -> " + file.link;
  return out;
}

std::map<std::string, std::string> config_texts(const Json& config) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : config.members()) {
    if (key == "Env") {
      for (const std::string& line : value.as_strings()) out["Env " + line.substr(0, line.find('='))] = line;
    } else if (key == "Labels") {
      for (const auto& [label, text] : value.members()) out["Label " + label] = text.as_string();
    } else {
      out[key] = codec::to_json(value);
    }
  }
  return out;
}

/// What gives rights: setuid, setgid, capabilities.
std::map<std::string, std::string> special(const ImageView& view) {
  std::map<std::string, std::string> out;
  for (const auto& [path, file] : view.files) {
    if (file.type != '0') continue;
    std::string text;
    if ((file.mode & kSpecial) != 0) text = fmt::format("{:04o} {}:{}", file.mode, file.uid, file.gid);
    if (!file.capability.empty()) text += (text.empty() ? "" : " ") + ("capability " + file.capability);
    if (!text.empty()) out[path] = text;
  }
  return out;
}

}  // namespace

Result<ImageView> view_image(const Sha256& manifest, Env& env) {
  ImageView out;
  const Json document = TRY(read_document(manifest, env));
  const Sha256 config = TRY(parse_sha256(document["config"]["digest"].as_string()));
  const Json whole = TRY(read_document(config, env));
  out.config = whole["config"];
  const ImageParts parts = TRY(read_parts(manifest, env));
  const FileMap files = TRY(read_file_map(parts, env));
  const auto digests = TRY(hash_contents(parts, env));
  for (const Descriptor& layer : parts.layers) {
    out.layers.push_back(layer.digest.oci());
    out.layer_bytes += layer.size;
  }
  for (const auto& [path, node] : files.nodes()) {
    ViewedFile file;
    file.type = node.header.type;
    file.mode = node.header.mode;
    file.uid = node.header.uid;
    file.gid = node.header.gid;
    file.link = node.header.type == '2' ? node.header.link : "";
    if (file.type == '3' || file.type == '4') {
      file.dev_major = node.header.dev_major;
      file.dev_minor = node.header.dev_minor;
    }
    if (file.type == '0') {
      file.size = node.header.size;
      const auto digest = digests.find(node.source);
      if (digest != digests.end()) file.digest = digest->second.hex();
      out.file_bytes += file.size;
    }
    const auto capability = node.header.pax.find(std::string(kCapability));
    if (capability != node.header.pax.end()) file.capability = to_hex(capability->second);
    out.files[path] = std::move(file);
  }
  const auto databases = TRY(read_files(manifest, kDatabases, env));
  for (const auto& [path, text] : databases) read_packages(text, out);
  return out;
}

Json diff_images(const ImageView& before, const ImageView& after) {
  Json out = Json::object();
  const auto add = [&out](const char* name, Json part) {
    if (!part.is_null()) out.set(name, std::move(part));
  };
  add("packages", diff_texts(before.packages, after.packages));
  add("licences", diff_texts(before.licences, after.licences));
  std::map<std::string, std::string> a, b;
  for (const auto& [path, file] : before.files) a[path] = text_of(file);
  for (const auto& [path, file] : after.files) b[path] = text_of(file);
  add("files", diff_texts(a, b));
  add("special", diff_texts(special(before), special(after)));
  add("configuration", diff_texts(config_texts(before.config), config_texts(after.config)));
  if (before.layers != after.layers) {
    Json layers;
    const std::set<std::string> old(before.layers.begin(), before.layers.end());
    const auto kept = std::count_if(after.layers.begin(), after.layers.end(),
                                    [&](const std::string& layer) { return old.contains(layer); });
    layers.set("before", static_cast<std::int64_t>(before.layers.size()));
    layers.set("after", static_cast<std::int64_t>(after.layers.size())).set("kept", static_cast<std::int64_t>(kept));
    layers.set("bytesBefore", before.layer_bytes).set("bytesAfter", after.layer_bytes);
    out.set("layers", std::move(layers));
  }
  if (before.file_bytes != after.file_bytes)
    out.set("size", Json::object({{"before", before.file_bytes}, {"after", after.file_bytes}}));
  return out;
}

std::string render_diff(const Json& diff) {
  std::string out;
  for (const char* part : {"packages", "licences", "files", "special", "configuration"}) {
    const Json& of = diff[part];
    if (of.is_null()) continue;
    out += fmt::format("{}:\n", part);
    for (const auto& [key, value] : of["removed"].members()) out += fmt::format("  - {} {}\n", key, value.as_string());
    for (const auto& [key, value] : of["added"].members()) out += fmt::format("  + {} {}\n", key, value.as_string());
    for (const auto& [key, value] : of["changed"].members())
      out += fmt::format("  ~ {} {} => {}\n", key, value["before"].as_string(), value["after"].as_string());
  }
  if (const Json& layers = diff["layers"]; !layers.is_null())
    out += fmt::format("layers: {} ({}) => {} ({}), {} the same\n", layers["before"].as_int(),
                       human_bytes(static_cast<std::uint64_t>(layers["bytesBefore"].as_int())),
                       layers["after"].as_int(),
                       human_bytes(static_cast<std::uint64_t>(layers["bytesAfter"].as_int())), layers["kept"].as_int());
  if (const Json& size = diff["size"]; !size.is_null())
    out += fmt::format("files: {} => {}\n", human_bytes(static_cast<std::uint64_t>(size["before"].as_int())),
                       human_bytes(static_cast<std::uint64_t>(size["after"].as_int())));
  return out;
}

}  // namespace nacre::image
