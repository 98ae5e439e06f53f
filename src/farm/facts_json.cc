#include "farm/facts.h"

namespace nacre::farm {
namespace {

using codec::Json;

/// Of the form and of what is read: facts kept under another number are read anew.
constexpr std::int64_t kFactsVersion = 1;

Json lists_json(const std::map<std::string, std::vector<std::string>>& lists) {
  Json out = Json::object();
  for (const auto& [name, items] : lists) out.set(name, Json::strings(items));
  return out;
}

Json binary_json(const BinaryFacts& binary) {
  Json out = Json::object();
  out.set("path", binary.path).set("kind", name_of(binary.kind));
  if (!binary.soname.empty()) out.set("soname", binary.soname);
  if (!binary.interpreter.empty()) out.set("interpreter", binary.interpreter);
  if (!binary.needed.empty()) out.set("needed", Json::strings(binary.needed));
  if (!binary.exports.empty()) out.set("exports", Json::strings(binary.exports));
  if (!binary.imports.empty()) out.set("imports", lists_json(binary.imports));
  std::map<std::string, std::vector<std::string>> abilities;
  for (const auto& [ability, functions] : binary.abilities) abilities[std::string(name_of(ability))] = functions;
  if (!abilities.empty()) out.set("abilities", lists_json(abilities));
  return out;
}

Result<BinaryFacts> binary_from(const Json& json) {
  BinaryFacts out;
  out.path = TRY(json.string_at("path"));
  const std::string kind = TRY(json.string_at("kind"));
  bool known = false;
  for (const auto each :
       {BinaryFacts::Kind::kDynamic, BinaryFacts::Kind::kStatic, BinaryFacts::Kind::kGo, BinaryFacts::Kind::kScript}) {
    if (name_of(each) != kind) continue;
    out.kind = each;
    known = true;
  }
  if (!known) return Error::make(ErrorKind::kInvalid, "'{}' is no kind of program", kind);
  out.soname = json["soname"].as_string();
  out.interpreter = json["interpreter"].as_string();
  out.needed = json["needed"].as_strings();
  out.exports = json["exports"].as_strings();
  for (const auto& [library, names] : json["imports"].members()) out.imports[library] = names.as_strings();
  for (const Ability ability : kAbilities)
    if (const Json* functions = json["abilities"].find(name_of(ability)))
      out.abilities[ability] = functions->as_strings();
  return out;
}

Result<std::uint64_t> bytes_at(const Json& json, std::string_view key) {
  const std::int64_t bytes = TRY(json.int_at(key));
  if (bytes < 0) return Error::make(ErrorKind::kInvalid, "'{}' is below zero", key);
  return static_cast<std::uint64_t>(bytes);
}

Result<Sha256> digest_at(const Json& json, std::string_view key) {
  const std::string text = TRY(json.string_at(key));
  return parse_sha256(text);
}

}  // namespace

Json facts_to_json(const PackageFacts& facts) {
  Json out = Json::object();
  out.set("facts", kFactsVersion).set("apk", facts.apk.hex()).set("name", facts.name).set("version", facts.version);
  out.set("arch", facts.arch).set("origin", facts.origin).set("license", facts.license);
  out.set("packageBytes", facts.package_bytes).set("installedBytes", facts.installed_bytes);
  out.set("replaces", Json::strings(facts.replaces)).set("abi", facts.abi.hex());
  Json special = Json::array(), weak = Json::array(), binaries = Json::array();
  for (const SpecialFile& file : facts.special)
    special.push(Json::object({{"path", file.path}, {"kind", file.kind}, {"detail", file.detail}}));
  for (const WeakFile& file : facts.weak)
    weak.push(Json::object({{"path", file.path}, {"rule", file.rule}, {"text", file.text}}));
  for (const BinaryFacts& binary : facts.binaries) binaries.push(binary_json(binary));
  out.set("special", std::move(special)).set("weak", std::move(weak)).set("binaries", std::move(binaries));
  return out.set("files", Json::strings(facts.files));
}

Result<PackageFacts> facts_from_json(const Json& json) {
  const std::int64_t version = TRY(json.int_at("facts"));
  if (version != kFactsVersion)
    return Error::make(ErrorKind::kInvalid, "facts of version {}, expected {}", version, kFactsVersion);
  PackageFacts out;
  out.apk = TRY(digest_at(json, "apk"));
  out.name = TRY(json.string_at("name"));
  out.version = TRY(json.string_at("version"));
  out.arch = TRY(json.string_at("arch"));
  out.origin = TRY(json.string_at("origin"));
  out.license = TRY(json.string_at("license"));
  out.package_bytes = TRY(bytes_at(json, "packageBytes"));
  out.installed_bytes = TRY(bytes_at(json, "installedBytes"));
  out.replaces = json["replaces"].as_strings();
  out.abi = TRY(digest_at(json, "abi"));
  for (const Json& file : json["special"].items())
    out.special.push_back({file["path"].as_string(), file["kind"].as_string(), file["detail"].as_string()});
  for (const Json& file : json["weak"].items())
    out.weak.push_back({file["path"].as_string(), file["rule"].as_string(), file["text"].as_string()});
  for (const Json& item : json["binaries"].items()) {
    BinaryFacts binary = TRY(binary_from(item));
    out.binaries.push_back(std::move(binary));
  }
  out.files = json["files"].as_strings();
  return out;
}

}  // namespace nacre::farm
