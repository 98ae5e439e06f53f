#include "attest/cyclonedx.h"

#include "base/text.h"
#include "codec/digest.h"

#include <algorithm>
#include <array>

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::string_view kNone = "NONE", kNoAssertion = "NOASSERTION";

bool is_said(const std::string& text) { return !text.empty() && text != kNone && text != kNoAssertion; }

/// "libc" of "libc>=2.36" or of "so:libc.so.6=6"; empty for a conflict.
std::string name_of_atom(const std::string& atom) {
  if (atom.starts_with('!')) return {};
  return atom.substr(0, atom.find_first_of("=<>~@"));
}

std::string component_type(const std::string& purpose) {
  if (purpose == "CONTAINER") return "container";
  if (purpose == "OPERATING_SYSTEM" || purpose == "OPERATING-SYSTEM") return "operating-system";
  if (purpose == "APPLICATION") return "application";
  if (purpose == "FRAMEWORK") return "framework";
  if (purpose == "FILE") return "file";
  return "library";  // also what apk installs: CycloneDX has no word for a package
}

/// Digests in the algorithms that CycloneDX knows, well-formed ones only.
Json hashes_of(const Json& package) {
  struct Algorithm {
    std::string_view spdx, name;
    std::size_t digits;
  };
  constexpr std::array<Algorithm, 5> kKnown = {{{"MD5", "MD5", 32},
                                                {"SHA1", "SHA-1", 40},
                                                {"SHA256", "SHA-256", 64},
                                                {"SHA384", "SHA-384", 96},
                                                {"SHA512", "SHA-512", 128}}};
  Json out = Json::array();
  for (const Json& row : package["checksums"].items()) {
    const std::string& value = row["checksumValue"].as_string();
    for (const Algorithm& known : kKnown)
      if (row["algorithm"].as_string() == known.spdx && value.size() == known.digits &&
          value.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos)
        out.push(Json::object({{"alg", known.name}, {"content", value}}));
  }
  return out;
}

/// Whether a text can stand as an address (RFC 3987): no blanks, quotes, brackets, controls.
bool is_address(const std::string& text) {
  return is_said(text) && std::none_of(text.begin(), text.end(), [](char c) {
    constexpr std::string_view kForbidden = "\"<>\\^`{|}[]\x7f";
    return static_cast<unsigned char>(c) <= ' ' || kForbidden.find(c) != std::string_view::npos;
  });
}

bool is_cpe(const std::string& text) {
  return text.starts_with("cpe:2.3:") && std::count(text.begin(), text.end(), ':') == 12 && is_address(text);
}

/// The document's elements and relations, looked up by id.
class Converter {
 public:
  Converter(const Json& spdx, const PackageGraph& graph) : spdx_(spdx) {
    for (const Json& row : spdx["hasExtractedLicensingInfos"].items())
      licences_.try_emplace(row["licenseId"].as_string(), &row);
    for (const Json& package : spdx["packages"].items()) packages_.try_emplace(package["SPDXID"].as_string(), &package);
    std::set<std::string> contained;
    for (const Json& row : spdx["relationships"].items()) read(row, contained);
    for (const auto& [from, places] : origins_)
      for (const auto& [id, how] : places)
        if (!contained.contains(id)) folded_.insert(id);
    for (const std::string& id : spdx["documentDescribes"].as_strings()) described_.push_back(id);
    join(graph);
  }

  Json document() const {
    Json components = Json::array(), dependencies = Json::array(), metadata;
    const std::string main = described_.empty() ? std::string() : described_.front();
    for (const auto& package : spdx_["packages"].items()) {
      const std::string& id = package["SPDXID"].as_string();
      if (id.empty() || packages_.at(id) != &package || folded_.contains(id)) continue;
      if (id != main) components.push(component(package));
      Json row = Json::object({{"ref", id}});
      std::vector<std::string> needs;
      if (const auto found = needs_.find(id); found != needs_.end())
        for (const std::string& other : found->second)
          if (!other.empty() && packages_.contains(other) && !folded_.contains(other) && other != id)
            needs.push_back(other);
      if (!needs.empty()) row.set("dependsOn", Json::strings(needs));
      dependencies.push(std::move(row));
    }
    const Json tool = Json::object({{"type", "application"}, {"name", "nacre"}});
    metadata.set("timestamp", spdx_["creationInfo"]["created"]);
    metadata.set("tools", Json::object({{"components", Json::array({tool})}}));
    if (const auto found = packages_.find(main); found != packages_.end() && !main.empty() && !folded_.contains(main))
      metadata.set("component", component(*found->second));
    Json out;
    out.set("$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json").set("bomFormat", "CycloneDX");
    out.set("specVersion", "1.6").set("serialNumber", serial_number()).set("version", 1);
    out.set("metadata", std::move(metadata)).set("components", std::move(components));
    return out.set("dependencies", std::move(dependencies));
  }

 private:
  void read(const Json& row, std::set<std::string>& contained) {
    const std::string &from = row["spdxElementId"].as_string(), &to = row["relatedSpdxElement"].as_string(),
                      &how = row["relationshipType"].as_string();
    if (how == "CONTAINS" || how == "DEPENDS_ON" || how == "VARIANT_OF") needs_[from].insert(to);
    if (how == "DEPENDENCY_OF" || how == "CONTAINED_BY") needs_[to].insert(from);
    if (how == "CONTAINS" || how == "VARIANT_OF" || how == "DEPENDS_ON") contained.insert(to);
    if (how == "GENERATED_FROM" || how == "DESCRIBED_BY") origins_[from].emplace_back(to, how);
  }

  /// Packages are found by name and version.
  void join(const PackageGraph& graph) {
    std::map<std::string, std::string> ids;
    for (const auto& [id, package] : packages_)
      if (!folded_.contains(id))
        ids.try_emplace((*package)["name"].as_string() + "=" + (*package)["versionInfo"].as_string(), id);
    for (const auto& [label, needs] : graph) {
      const auto from = ids.find(label);
      if (from == ids.end()) continue;
      for (const std::string& other : needs)
        if (const auto to = ids.find(other); to != ids.end()) needs_[from->second].insert(to->second);
    }
  }

  Json component(const Json& package) const {
    const std::string& id = package["SPDXID"].as_string();
    Json out = Json::object({{"type", component_type(package["primaryPackagePurpose"].as_string())},
                             {"bom-ref", id}});
    std::string supplier = package["supplier"].as_string();
    for (const std::string_view kind : {"Organization: ", "Person: "})
      if (supplier.starts_with(kind)) supplier.erase(0, kind.size());
    if (is_said(supplier)) out.set("supplier", Json::object({{"name", supplier}}));
    out.set("name", package["name"].as_string());
    set_if(out, "version", package["versionInfo"].as_string());
    set_if(out, "description", package["description"].as_string());
    if (Json hashes = hashes_of(package); !hashes.items().empty()) out.set("hashes", std::move(hashes));
    add_licences(out, package["licenseDeclared"].as_string());
    set_if(out, "copyright", package["copyrightText"].as_string());
    for (const Json& row : package["externalRefs"].items()) {
      const std::string &type = row["referenceType"].as_string(), &locator = row["referenceLocator"].as_string();
      if (type == "purl" && out.find("purl") == nullptr) out.set("purl", locator);
      if (type == "cpe23Type" && out.find("cpe") == nullptr && is_cpe(locator)) out.set("cpe", locator);
    }
    if (Json references = references_of(package); !references.items().empty())
      out.set("externalReferences", std::move(references));
    return out;
  }

  static void set_if(Json& out, const char* key, const std::string& value) {
    if (is_said(value)) out.set(key, value);
  }

  /// A licence of SPDX's list or an expression as it stands; one that stands in the document alone, with its text.
  void add_licences(Json& out, const std::string& declared) const {
    if (!is_said(declared)) return;
    const auto own = licences_.find(declared);
    if (own != licences_.end()) {
      const std::string& name = (*own->second)["name"].as_string();
      Json licence = Json::object({{"name", is_said(name) ? name : declared}, {"acknowledgement", "declared"}});
      licence.set("text", Json::object({{"contentType", "text/plain"}, {"content", (*own->second)["extractedText"]}}));
      out.set("licenses", Json::array({Json::object({{"license", std::move(licence)}})}));
      return;
    }
    out.set("licenses", Json::array({Json::object({{"expression", declared}, {"acknowledgement", "declared"}})}));
    Json properties = Json::array();
    for (const auto& [id, row] : licences_)
      if (declared.find(id) != std::string::npos)
        properties.push(Json::object({{"name", "nacre:license-text:" + id}, {"value", (*row)["extractedText"]}}));
    if (!properties.items().empty()) out.set("properties", std::move(properties));
  }

  /// Home page, where the bytes are, and what it was made from.
  Json references_of(const Json& package) const {
    Json out = Json::array();
    if (const std::string& url = package["homepage"].as_string(); is_address(url))
      out.push(Json::object({{"type", "website"}, {"url", url}}));
    if (const std::string& url = package["downloadLocation"].as_string(); is_address(url))
      out.push(Json::object({{"type", url.starts_with("git+") ? "vcs" : "distribution"}, {"url", url}}));
    const auto origins = origins_.find(package["SPDXID"].as_string());
    if (origins == origins_.end()) return out;
    for (const auto& [id, how] : origins->second) {
      const auto found = packages_.find(id);
      if (found == packages_.end()) continue;
      const Json& source = *found->second;
      const std::string& url = source["downloadLocation"].as_string();
      if (!is_address(url)) continue;
      const bool vcs = url.starts_with("git+");
      Json row = Json::object({{"type", how == "DESCRIBED_BY" ? "build-meta" : vcs ? "vcs" : "source-distribution"},
                               {"url", url}});
      std::vector<std::string> notes = {source["name"].as_string() + " " + source["versionInfo"].as_string()};
      for (const Json& note : source["annotations"].items()) notes.push_back(note["comment"].as_string());
      row.set("comment", nacre::join(notes, "; "));
      if (Json hashes = hashes_of(source); !vcs && !hashes.items().empty()) row.set("hashes", std::move(hashes));
      out.push(std::move(row));
    }
    return out;
  }

  /// From the namespace, which is the document's own.
  std::string serial_number() const {
    std::string hex = codec::sha256("cyclonedx " + spdx_["documentNamespace"].as_string()).hex();
    hex[12] = '8';
    hex[16] = 'a';
    return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                       hex.substr(16, 4), hex.substr(20, 12));
  }

  const Json& spdx_;
  std::map<std::string, const Json*> packages_, licences_;
  std::map<std::string, std::set<std::string>> needs_;
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> origins_;  ///< Element -> (source, relation).
  std::set<std::string> folded_;   ///< Sources and definitions: references of what was made from them, no components.
  std::vector<std::string> described_;
};

}  // namespace

PackageGraph package_graph(const std::vector<apk::IndexRecord>& packages) {
  std::map<std::string, std::set<std::string>> providers;
  const auto label = [](const apk::IndexRecord& record) { return record.name + "=" + record.version; };
  for (const apk::IndexRecord& record : packages) {
    providers[record.name].insert(label(record));
    for (const std::string& atom : record.provides) providers[name_of_atom(atom)].insert(label(record));
  }
  PackageGraph out;
  for (const apk::IndexRecord& record : packages) {
    std::set<std::string>& needs = out[label(record)];
    for (const std::string& atom : record.depends) {
      const auto found = providers.find(name_of_atom(atom));
      if (found != providers.end() && !found->first.empty()) needs.insert(found->second.begin(), found->second.end());
    }
    needs.erase(label(record));
  }
  return out;
}

std::vector<apk::IndexRecord> installed_records(std::string_view database) {
  std::vector<apk::IndexRecord> out;
  bool open = false;
  for (const std::string& line : split(database, '\n')) {
    if (line.size() < 2 || line[1] != ':') {
      open = false;
      continue;
    }
    const std::string value = line.substr(2);
    if (!open) out.emplace_back();
    open = true;
    switch (line[0]) {
      case 'P': out.back().name = value; break;
      case 'V': out.back().version = value; break;
      case 'D': out.back().depends = split_words(value); break;
      case 'p': out.back().provides = split_words(value); break;
      default: break;
    }
  }
  std::erase_if(out, [](const apk::IndexRecord& record) { return record.name.empty() || record.version.empty(); });
  return out;
}

Json cyclonedx_of(const Json& spdx, const PackageGraph& graph) { return Converter(spdx, graph).document(); }

}  // namespace nacre::attest
