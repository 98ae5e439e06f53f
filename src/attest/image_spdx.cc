#include "attest/image_spdx.h"

#include "base/encoding.h"
#include "base/field_archs.h"
#include "base/text.h"
#include "image/export.h"
#include "image/read.h"
#include "os/clock.h"
#include "os/rfc3339.h"
#include "store/store.h"

#include <time.h>

#include <algorithm>
#include <map>
#include <set>

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json",
                           kIndex = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kDatabase = "usr/lib/apk/db/installed", kRelease = "etc/os-release",
                           kReleaseTarget = "usr/lib/os-release";   ///< Where the other usually leads.
constexpr const char* kNoAssertion = "NOASSERTION";

/// Letters, digits, '.' and '-'; ':' becomes '-', any other byte "C" and its number.
std::string identifier(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool plain = letter || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (plain) out += c;
    else if (c == ':') out += '-';
    else out += fmt::format("C{}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

/// "web" of "registry.example.org/team/web:1".
std::string purl_name(const std::string& tag) {
  std::string out = tag.substr(0, tag.find('@'));
  out = out.substr(out.rfind('/') + 1);
  return out.substr(0, out.find(':'));
}

std::string purl(const std::string& name, const std::string& digest, const std::map<std::string, std::string>& more) {
  std::string out = fmt::format("pkg:oci/{}@{}", name, digest);
  char mark = '?';
  for (const auto& [key, value] : more) {
    out += fmt::format("{}{}={}", mark, key, percent_encode(value));
    mark = '&';
  }
  return out;
}

Json reference(const std::string& locator) {
  return Json::array({Json::object(
      {{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceLocator", locator}, {"referenceType", "purl"}})});
}

Json sha256(const std::string& digest) {
  return Json::array({Json::object({{"algorithm", "SHA256"}, {"checksumValue", digest.substr(7)}})});
}

/// The fields of a package object in the order of the reference, empty ones left out.
struct Package {
  std::string id, name, version, description, supplier, source_info, purl;
  std::string purpose = "CONTAINER", download = kNoAssertion;
  Json checksums;

  Json json() const {
    Json out = Json::object({{"SPDXID", id}, {"name", name}});
    const auto set = [&out](const char* key, const std::string& value) {
      if (!value.empty()) out.set(key, value);
    };
    set("versionInfo", version);
    out.set("filesAnalyzed", false);
    set("description", description);
    out.set("downloadLocation", download);
    set("supplier", supplier);
    set("sourceInfo", source_info);
    set("primaryPackagePurpose", purpose);
    if (!checksums.is_null()) out.set("checksums", checksums);
    if (!purl.empty()) out.set("externalRefs", reference(purl));
    return out;
  }
};

struct Document {
  std::string name, space, described;
  std::int64_t created = 0;
  std::vector<Json> packages, relations;
  std::map<std::string, Json> licences;

  void relate(const std::string& from, const std::string& how, const std::string& to) {
    relations.push_back(
        Json::object({{"spdxElementId", from}, {"relationshipType", how}, {"relatedSpdxElement", to}}));
  }
  std::string text() const {
    Json list = Json::array(), relation_list = Json::array(), infos = Json::array();
    std::set<std::string> seen;
    for (const Json& package : packages)
      if (seen.insert(package["SPDXID"].as_string()).second) list.push(package);
    for (const Json& relation : relations) relation_list.push(relation);
    for (const auto& [id, info] : licences) infos.push(info);
    Json out = Json::object({{"SPDXID", "SPDXRef-DOCUMENT"}, {"name", name}, {"spdxVersion", "SPDX-2.3"}});
    out.set("creationInfo", Json::object({{"created", os::rfc3339(created)},
                                          {"creators", Json::strings({"Tool: nacre", "Organization: nacre"})},
                                          {"licenseListVersion", "3.27"}}));
    out.set("dataLicense", "CC0-1.0").set("documentNamespace", space);
    out.set("documentDescribes", Json::strings({described}));
    out.set("packages", std::move(list)).set("relationships", std::move(relation_list));
    if (!infos.items().empty()) out.set("hasExtractedLicensingInfos", std::move(infos));
    return codec::to_pretty_json(out, 2, codec::EscapeHtml::kYes);
  }
};

struct Release {
  std::string id = "unknown", name = "apko-generated image", version = "unknown";
};

Release release_of(const std::map<std::string, std::string>& files) {
  Release out;
  auto text = files.find(std::string(kRelease));
  if (text == files.end()) text = files.find(std::string(kReleaseTarget));
  if (text == files.end()) return out;
  out = {"", "", ""};
  for (const std::string& line : split(text->second, '\n')) {
    const std::size_t at = line.find('=');
    if (at == std::string::npos || line.starts_with('#')) continue;
    std::string value = line.substr(at + 1);
    while (!value.empty() && value.front() == '"') value.erase(0, 1);
    while (!value.empty() && value.back() == '"') value.pop_back();
    const std::string key = line.substr(0, at);
    if (key == "ID") out.id = value;
    else if (key == "NAME") out.name = value;
    else if (key == "VERSION_ID") out.version = value;
  }
  return out;
}

struct Installed {
  std::string name, version;
};

std::vector<Installed> installed_of(std::string_view text) {
  std::vector<Installed> out;
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with("P:")) out.push_back({line.substr(2), ""});
    else if (line.starts_with("V:") && !out.empty()) out.back().version = line.substr(2);
  }
  return out;
}

/// Where a package's own SBOM may lie, the likeliest first.
std::vector<std::string> sbom_paths(const Installed& package) {
  const std::size_t revision = package.version.rfind("-r");
  const bool digits = revision != std::string::npos && revision + 2 < package.version.size() &&
                      package.version.find_first_not_of("0123456789", revision + 2) == std::string::npos;
  const std::string bare = digits ? package.version.substr(0, revision) : package.version;
  const std::string folder = "var/lib/db/sbom/";
  return {fmt::format("{}{}-{}.spdx.json", folder, package.name, package.version),
          fmt::format("{}{}-{}.spdx.json", folder, package.name, bare),
          fmt::format("{}{}.spdx.json", folder, package.name)};
}

/// A package of a package's SBOM in the order of the reference's fields: files are left out, who made it is filled in.
Json tidy(const Json& in, const std::string& supplier) {
  static const std::vector<std::string> kFields = {
      "SPDXID",           "name",       "versionInfo", "filesAnalyzed", "licenseConcluded", "licenseDeclared",
      "description",      "downloadLocation", "originator", "supplier", "sourceInfo",       "copyrightText",
      "attributionText",  "primaryPackagePurpose", "checksums", "externalRefs"};
  Json full = in;
  full.set("filesAnalyzed", false);
  if (in["originator"].as_string().empty()) full.set("originator", supplier);
  if (in["supplier"].as_string().empty()) full.set("supplier", full["originator"]);
  Json out = Json::object();
  for (const std::string& key : kFields) {
    const Json* value = full.find(key);
    const bool empty = value == nullptr || (value->is_string() && value->as_string().empty()) ||
                       (value->is_array() && value->items().empty()) || value->is_null();
    const bool always = key == "SPDXID" || key == "name" || key == "filesAnalyzed" || key == "downloadLocation";
    if (!empty || always) out.set(key, value == nullptr ? Json("") : *value);
  }
  return out;
}

bool is_file(const std::string& id) { return id.starts_with("SPDXRef-File-"); }

/// Takes over what a package's SBOM describes and all that can be reached from it. A broken SBOM adds nothing.
void join_sbom(Document& doc, const std::string& text, const std::string& source, const std::string& supplier) {
  const auto json = codec::parse_json(text, source);
  if (!json) return;
  std::set<std::string> described, roots;
  for (const std::string& id : (*json)["documentDescribes"].as_strings()) described.insert(id);
  const codec::Json::Array& relations = (*json)["relationships"].items();
  for (const Json& relation : relations)
    if (relation["spdxElementId"].as_string() == "SPDXRef-DOCUMENT" &&
        relation["relationshipType"].as_string() == "DESCRIBES")
      described.insert(relation["relatedSpdxElement"].as_string());
  std::set<std::string> known;
  for (const Json& package : (*json)["packages"].items()) {
    known.insert(package["SPDXID"].as_string());
    if (described.contains(package["SPDXID"].as_string())) roots.insert(package["SPDXID"].as_string());
  }
  std::map<std::string_view, std::vector<std::string_view>> leads_to;
  for (const Json& relation : relations)
    if (const std::string& to = relation["relatedSpdxElement"].as_string(); !is_file(to))
      leads_to[relation["spdxElementId"].as_string()].push_back(to);
  std::set<std::string> wanted = roots;
  std::vector<std::string_view> next(roots.begin(), roots.end());
  while (!next.empty()) {
    const auto found = leads_to.find(next.back());
    next.pop_back();
    if (found == leads_to.end()) continue;
    for (const std::string_view to : found->second)
      if (wanted.emplace(to).second) next.push_back(to);
  }
  for (const Json& package : (*json)["packages"].items())
    if (wanted.contains(package["SPDXID"].as_string())) doc.packages.push_back(tidy(package, supplier));
  for (const Json& relation : relations) {
    const std::string &from = relation["spdxElementId"].as_string(), &to = relation["relatedSpdxElement"].as_string();
    if (wanted.contains(from) && known.contains(to)) doc.relate(from, relation["relationshipType"].as_string(), to);
  }
  for (const Json& info : (*json)["hasExtractedLicensingInfos"].items())
    doc.licences.try_emplace(info["licenseId"].as_string(), info);
  for (const std::string& root : roots) doc.relate(doc.described, "CONTAINS", root);
}

void add_source(Document& doc, const std::string& vcs_url, const std::string& supplier) {
  if (vcs_url.empty()) return;
  const std::size_t at = vcs_url.find('@');
  Package source;
  source.id = "SPDXRef-Package-" + identifier(vcs_url);
  source.name = vcs_url.substr(0, at);
  for (const std::string_view scheme : {"git+ssh://", "git://", "https://"})
    if (source.name.starts_with(scheme)) source.name.erase(0, scheme.size());
  if (at != std::string::npos) {
    source.version = vcs_url.substr(at + 1);
    source.checksums = Json::array({Json::object({{"algorithm", "SHA1"}, {"checksumValue", source.version}})});
  }
  source.supplier = supplier;
  source.purpose = "SOURCE";
  source.description = "Image configuration source";
  source.download = vcs_url;
  if (source.name.starts_with("github.com/")) {
    std::string slug = source.name.substr(11);
    if (slug.ends_with(".git")) slug.resize(slug.size() - 4);
    if (slug.find('/') != std::string::npos) source.purl = "pkg:github/" + slug;
    if (!source.purl.empty() && !source.version.empty()) source.purl += "@" + source.version;
  }
  doc.packages.push_back(source.json());
  doc.relate(doc.described, "GENERATED_FROM", source.id);
}

Result<std::vector<apk::IndexRecord>> records_of_image(const Sha256& manifest, Env& env) {
  const std::map<std::string, std::string> files = TRY(image::read_files(manifest, {std::string(kDatabase)}, env));
  const auto database = files.find(std::string(kDatabase));
  return installed_records(database == files.end() ? std::string_view() : std::string_view(database->second));
}

std::string space_of(const std::string& digest) { return "https://nacre.dev/spdx/image/" + digest.substr(7); }

}  // namespace

Result<std::string> reference_image_spdx(const image::ImageSpec& spec, const image::Image& image,
                                         const std::string& tag, Env& env) {
  std::set<std::string> paths = {std::string(kRelease), std::string(kReleaseTarget), std::string(kDatabase)};
  for (const std::string& label : image.packages) {
    const std::size_t at = label.find('=');
    for (std::string& path : sbom_paths({label.substr(0, at), label.substr(at + 1)})) paths.insert(std::move(path));
  }
  const std::map<std::string, std::string> files = TRY(image::read_files(image.manifest.digest, paths, env));
  const Release release = release_of(files);
  const std::string supplier = release.name.empty() ? kNoAssertion : "Organization: " + release.name;
  const std::string digest = image.manifest.digest.oci(), name = purl_name(tag), oci(image.arch.oci);
  const auto qualifiers = [&](std::string_view type) {
    return std::map<std::string, std::string>{{"arch", oci}, {"mediaType", std::string(type)}, {"os", "linux"}};
  };

  Document doc;
  doc.name = "sbom-" + image.layers.front().blob.digest.oci();
  doc.space = space_of(digest);
  doc.created = image.created;
  Package whole;
  whole.id = doc.described = "SPDXRef-Package-Image-" + identifier(digest);
  whole.name = whole.version = digest;
  whole.description = "apko container image";
  whole.supplier = supplier;
  whole.checksums = sha256(digest);
  whole.purl = purl(name, digest, qualifiers(kManifest));
  doc.packages.push_back(whole.json());
  for (const image::Layer& layer : image.layers) {
    Package part;
    part.name = layer.blob.digest.oci();
    part.id = "SPDXRef-Package-ImageLayer-" + identifier(part.name);
    part.version = release.version;
    part.description = "apko operating system layer";
    part.supplier = supplier;
    part.purl = purl(name, part.name, qualifiers(layer.blob.media_type));
    doc.relate(whole.id, "CONTAINS", part.id);
    doc.packages.push_back(part.json());
  }
  Package system;
  system.id = "SPDXRef-OperatingSystem-" + identifier(release.id);
  system.name = release.id;
  system.version = release.version;
  system.description = "Operating System";
  system.supplier = supplier;
  system.purpose = "OPERATING_SYSTEM";
  doc.packages.push_back(system.json());
  doc.relate(whole.id, "CONTAINS", system.id);
  add_source(doc, spec.vcs_url, supplier);
  const auto database = files.find(std::string(kDatabase));
  if (database != files.end()) {
    for (const Installed& package : installed_of(database->second)) {
      for (const std::string& path : sbom_paths(package)) {
        const auto found = files.find(path);
        if (found == files.end()) continue;
        join_sbom(doc, found->second, path, supplier);
        break;
      }
    }
  }
  return doc.text();
}

std::string reference_index_spdx(const image::ImageSpec& spec, const std::vector<image::Image>& images,
                                 const image::Descriptor& index, const std::string& tag, const std::string& supplier) {
  const std::string digest = index.digest.oci(), name = purl_name(tag);
  Document doc;
  doc.name = "sbom-" + digest;
  doc.space = space_of(digest);
  Package whole;
  whole.id = doc.described = "SPDXRef-Package-" + identifier(digest);
  whole.name = whole.version = digest;
  whole.description = "Multi-arch image index";
  whole.source_info = "Generated at image build time by nacre";
  whole.supplier = supplier;
  whole.checksums = sha256(digest);
  whole.purl = purl(name == "image" ? "index" : name, digest, {{"mediaType", std::string(kIndex)}});
  doc.packages.push_back(whole.json());
  for (const image::Image& image : images) {
    doc.created = std::max(doc.created, image.created);
    Package one;
    const std::string of = image.manifest.digest.oci();
    one.id = "SPDXRef-Package-" + identifier(of);
    one.name = one.version = of;
    one.supplier = supplier;
    one.checksums = sha256(of);
    one.purl = purl(name, of,
                    {{"arch", std::string(image.arch.oci)}, {"mediaType", std::string(kManifest)}, {"os", "linux"}});
    doc.packages.push_back(one.json());
    doc.relate(whole.id, "VARIANT_OF", one.id);
    doc.relate(whole.id, "CONTAINS", one.id);   // readers that do not follow VARIANT_OF would drop it
  }
  add_source(doc, spec.vcs_url, supplier);
  return doc.text();
}

std::string supplier_of(const Json& spdx) {
  const std::vector<std::string> described = spdx["documentDescribes"].as_strings();
  for (const Json& package : spdx["packages"].items())
    if (!described.empty() && package["SPDXID"].as_string() == described.front())
      return package["supplier"].as_string();
  return kNoAssertion;
}

Result<image::Image> stored_image(const Sha256& manifest, Env& env) {
  image::Image out;
  const image::ImageParts parts = TRY(image::read_parts(manifest, env));
  const Json document = TRY(image::read_document(manifest, env));
  const Sha256 config_digest = TRY(parse_sha256(document["config"]["digest"].as_string()));
  const Json config = TRY(image::read_document(config_digest, env));
  const std::string& variant = config["variant"].as_string();
  const std::string platform = config["architecture"].as_string() + (variant.empty() ? "" : "/" + variant);
  out.arch = TRY(find_field_arch(platform), "reading image {}", manifest.oci());
  out.created = os::parse_rfc3339(config["created"].as_string()).value_or(0);
  const std::uint64_t size = TRY(env.store.size(manifest));
  out.manifest = {std::string(kManifest), manifest, size};
  for (const image::Descriptor& layer : parts.layers) {
    image::Layer one;
    one.blob = layer;
    out.layers.push_back(std::move(one));
  }
  const std::vector<apk::IndexRecord> records = TRY(records_of_image(manifest, env));
  for (const apk::IndexRecord& record : records) out.packages.push_back(record.name + "=" + record.version);
  return out;
}

Result<PackageGraph> graph_of_image(const Sha256& manifest, Env& env) {
  const std::vector<apk::IndexRecord> records = TRY(records_of_image(manifest, env));
  return package_graph(records);
}

}  // namespace nacre::attest
