#include "cli/records.h"

#include "codec/json.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kByKey = "build";
constexpr std::string_view kLatest = "latest-build";

/// Packages travel in the form that serials have.
Json packages_to_json(const std::vector<index::SerialPackage>& packages) {
  index::Serial serial;
  serial.packages = packages;
  return index::serial_to_json(serial);
}

Json to_json(const BuildRecord& record) {
  Json sources = Json::array(), root = Json::object();
  for (const std::string& source : record.from.sources) sources.push(source);
  for (const auto& [name, content] : record.from.root) root.set(name, content);
  Json pinned = Json::array(), abis = Json::object();
  for (const PinnedPackage& pin : record.pinned_root)
    pinned.push(Json::array({Json(pin.name), Json(pin.version), Json(pin.edition), Json(pin.content.hex())}));
  for (const auto& [name, digest] : record.from.abis) abis.set(name, digest);
  Json out;
  out.set("definition", record.definition).set("version", record.version);
  out.set("actionKey", record.action_key.hex()).set("definitionDigest", record.definition_digest.hex());
  out.set("log", record.log.hex()).set("recipe", record.from.recipe.hex());
  out.set("sideFiles", record.from.side_files);
  out.set("sources", std::move(sources)).set("root", std::move(root));
  out.set("pinnedRoot", std::move(pinned)).set("rootAbis", std::move(abis));
  out.set("packages", packages_to_json(record.packages));
  Json abi = Json::object();
  for (const auto& [name, digests] : record.abi)
    abi.set(name, Json::object({{"digest", digests.digest.hex()}, {"symbols", digests.symbols.hex()}}));
  out.set("abi", std::move(abi));
  if (record.use) out.set("use", record.use->hex());
  return out.set("seconds", record.seconds).set("finished", record.finished);
}

Result<Sha256> digest_at(const Json& json, std::string_view key) {
  const std::string text = TRY(json.string_at(key));
  const Sha256 digest = TRY(parse_sha256(text));
  return digest;
}

Result<BuildRecord> from_json(const Json& json) {
  BuildRecord out;
  out.definition = TRY(json.string_at("definition"));
  out.version = TRY(json.string_at("version"));
  out.action_key = TRY(digest_at(json, "actionKey"));
  out.definition_digest = TRY(digest_at(json, "definitionDigest"));
  out.log = TRY(digest_at(json, "log"));
  out.from.recipe = TRY(digest_at(json, "recipe"));
  for (const std::string& source : json["sources"].as_strings()) out.from.sources.insert(source);
  for (const auto& [name, content] : json["root"].members()) out.from.root[name] = content.as_string();
  for (const auto& [name, digest] : json["rootAbis"].members()) out.from.abis[name] = digest.as_string();
  for (const Json& row : json["pinnedRoot"].items()) {
    const std::vector<std::string> parts = row.as_strings();
    if (parts.size() != 4) return Error::make(ErrorKind::kInvalid, "a pinned package of {} parts, not 4", parts.size());
    const Sha256 content = TRY(parse_sha256(parts[3]));
    out.pinned_root.push_back({parts[0], parts[1], parts[2], content});
  }
  index::Serial serial = TRY(index::serial_from_json(json["packages"]));
  out.packages = std::move(serial.packages);
  for (const auto& [name, digests] : json["abi"].members()) {
    BuildRecord::Abi& abi = out.abi[name];
    abi.digest = TRY(digest_at(digests, "digest"));
    abi.symbols = TRY(digest_at(digests, "symbols"));
  }
  if (!json["use"].is_null()) out.use = TRY(digest_at(json, "use"));
  out.from.side_files = json["sideFiles"].as_string();
  out.seconds = json["seconds"].as_double();
  out.finished = json["finished"].as_int();
  return out;
}

Result<bool> is_whole(const BuildRecord& record, const store::Store& store) {
  for (const index::SerialPackage& package : record.packages)
    for (const Sha256& blob : {package.apk, package.sbom, package.provenance}) {
      const bool there = TRY(store.holds(blob));
      if (!there) return false;
    }
  return true;
}

}  // namespace

std::vector<std::string> settled_reasons(std::vector<std::string> planned, const BuildRecord& before,
                                         const BuildRecord& after) {
  constexpr std::string_view kOpen = " may change";
  const auto content = [](const BuildRecord& record, const std::string& name) {
    const auto found = record.from.root.find(name);
    return found == record.from.root.end() ? std::string() : found->second;
  };
  std::vector<std::string> out;
  for (std::string& reason : planned) {
    if (!reason.ends_with(kOpen)) {
      out.push_back(std::move(reason));
      continue;
    }
    const std::string name = reason.substr(0, reason.size() - kOpen.size());
    const std::string old = content(before, name), now = content(after, name);
    if (old == now) continue;
    out.push_back(name + (old.empty()   ? " is new in its build root"
                          : now.empty() ? " left its build root"
                                        : " changed"));
  }
  return out;
}

Result<std::optional<BuildRecord>> find_build(Env& env, const Sha256& action_key) {
  const std::optional<std::string> text = TRY(env.store.state().get(kByKey, action_key.hex()));
  if (!text) return std::optional<BuildRecord>();
  const Json json = TRY(codec::parse_json(*text, "record of a build"));
  BuildRecord record = TRY(from_json(json), "reading the record of build {}", action_key.hex());
  const bool whole = TRY(is_whole(record, env.store));
  if (!whole) return std::optional<BuildRecord>();
  return std::optional<BuildRecord>(std::move(record));
}

Result<std::optional<BuildRecord>> latest_build(Env& env, std::string_view definition) {
  const std::optional<std::string> key = TRY(env.store.state().get(kLatest, definition));
  if (!key) return std::optional<BuildRecord>();
  const Sha256 digest = TRY(parse_sha256(*key));
  return find_build(env, digest);
}

Result<std::vector<BuildRecord>> list_builds(Env& env) {
  const auto rows = TRY(env.store.state().list(kByKey));
  std::vector<BuildRecord> out;
  for (const auto& [key, text] : rows) {
    const Json json = TRY(codec::parse_json(text, "record of a build"));
    BuildRecord record = TRY(from_json(json), "reading the record of build {}", key);
    const bool whole = TRY(is_whole(record, env.store));
    if (whole) out.push_back(std::move(record));
  }
  return out;
}

Result<> keep_build(Env& env, const BuildRecord& record) {
  store::State& state = env.store.state();
  return state.transaction([&]() -> Result<> {
    TRY(state.put(kByKey, record.action_key.hex(), codec::to_json(to_json(record))));
    return state.put(kLatest, record.definition, record.action_key.hex());
  });
}

Result<> choose_build(Env& env, std::string_view definition, const Sha256& action_key) {
  return env.store.state().put(kLatest, definition, action_key.hex());
}

}  // namespace nacre::cli
