#include "cli/cut_off.h"

#include "apk/index_file.h"
#include "base/text.h"
#include "plan/keys.h"
#include "plan/root_kinds.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view kKind = "cut-off";  ///< Definition -> JSON.

bool is_ours(const build::RootPackage& package) { return package.edition == name_of(Edition::kCommunity); }

Result<std::map<std::string, plan::EdgeKind>> kinds_of(const build::BuildRequest& request) {
  std::vector<plan::RootMember> members;
  for (const build::RootPackage& package : request.root) {
    const std::vector<apk::IndexRecord> records = TRY(apk::parse_index(package.record, package.name));
    for (const apk::IndexRecord& record : records) members.push_back({record.name, record.depends, record.provides});
  }
  std::vector<std::string> atoms = request.definition->environment.packages;
  atoms.insert(atoms.end(), kAlwaysInBuildRoot.begin(), kAlwaysInBuildRoot.end());
  return plan::kinds_in_root(atoms, members, plan::EdgePolicy::usual());
}

std::string found_in(const std::map<std::string, std::string>& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? std::string() : found->second;
}

}  // namespace

Result<std::map<std::string, std::string>> abis_of(Workshop& shop, const std::vector<build::RootPackage>& root) {
  std::map<std::string, std::string> out;
  std::map<std::string, std::optional<BuildRecord>> records;
  for (const build::RootPackage& package : root) {
    if (!is_ours(package)) continue;
    const definition::Definition* maker = shop.os.maker_of(package.name);
    if (maker == nullptr) continue;
    auto found = records.find(maker->name);
    if (found == records.end()) found = records.emplace(maker->name, TRY(latest_build(shop.env(), maker->name))).first;
    if (!found->second) continue;
    const BuildRecord& record = *found->second;
    const bool made_these = std::any_of(record.packages.begin(), record.packages.end(),
                                        [&](const auto& made) { return made.apk == package.content; });
    const auto abi = record.abi.find(package.name);
    if (made_these && abi != record.abi.end()) out[package.name] = abi->second.digest.hex();
  }
  return out;
}

Result<std::vector<build::RootPackage>> root_of(Workshop& shop, const BuildRecord& build) {
  std::vector<build::RootPackage> out;
  for (const PinnedPackage& pin : build.pinned_root) {
    build::RootPackage package;
    package.name = pin.name;
    package.version = pin.version;
    package.edition = pin.edition;
    package.content = pin.content;
    if (!shop.env().store.has_tree(tree_key(pin.content)) && !shop.env().store.has(pin.content))
      return Error::make(ErrorKind::kNotFound, "{}-{}, which stood in the root of {}, is no longer in the store",
                         pin.name, pin.version, build.definition)
          .hint("`nacre build --force` builds it with what there is now");
    package.tree = TRY(unpacked_tree(shop.env(), pin.content), "unpacking '{}-{}'", pin.name, pin.version);
    out.push_back(std::move(package));
  }
  return out;
}

Result<std::optional<CutOff>> cut_off(Workshop& shop, const build::BuildRequest& request, const BuildRecord& before) {
  std::optional<CutOff> none;
  if (before.pinned_root.empty()) return none;
  // With the root that it had, the key must be the one that it had: then nothing but the root differs.
  build::BuildRequest as_before = request;
  as_before.root.clear();
  for (const PinnedPackage& pin : before.pinned_root) {
    build::RootPackage& package = as_before.root.emplace_back();
    package.name = pin.name;
    package.content = pin.content;
  }
  const Sha256 key = TRY(package_key(as_before));
  if (key != before.action_key || request.root.size() != before.pinned_root.size()) return none;
  const std::map<std::string, plan::EdgeKind> kinds = TRY(kinds_of(request));
  const std::map<std::string, std::string> abis = TRY(abis_of(shop, request.root));
  CutOff out{before.definition, before.action_key, {}, {}};
  for (const build::RootPackage& package : request.root) {
    out.root[package.name] = package.content.hex();
    const std::string was = found_in(before.from.root, package.name);
    if (was == package.content.hex()) continue;
    const auto kind = kinds.find(package.name);
    if (was.empty() || !is_ours(package) || kind == kinds.end()) return none;
    const std::string abi = found_in(abis, package.name), abi_was = found_in(before.from.abis, package.name);
    const bool differs = abi.empty() || abi != abi_was;
    const plan::KeyChange change{true, differs, differs};
    if (plan::follows(plan::KeyPolicy::kAbi, {0, 0, kind->second, 0, false}, change)) return none;
    out.reasons.push_back(plan::cut_off_reason(package.name, kind->second, change));
  }
  if (out.reasons.empty()) return none;  // another order, or the same: not for this to judge
  return std::optional<CutOff>(std::move(out));
}

Result<> keep_cut_off(Env& env, const CutOff& cut) {
  Json root = Json::object(), out;
  for (const auto& [name, content] : cut.root) root.set(name, content);
  out.set("build", cut.build.hex()).set("root", std::move(root)).set("reasons", Json::strings(cut.reasons));
  return env.store.state().put(kKind, cut.definition, codec::to_json(out));
}

Result<std::optional<CutOff>> kept_cut_off(Env& env, const BuildRecord& build) {
  const std::optional<std::string> text = TRY(env.store.state().get(kKind, build.definition));
  if (!text) return std::optional<CutOff>();
  const Json json = TRY(codec::parse_json(*text, "record of a cut-off"));
  if (json["build"].as_string() != build.action_key.hex()) return std::optional<CutOff>();
  CutOff out{build.definition, build.action_key, {}, json["reasons"].as_strings()};
  for (const auto& [name, content] : json["root"].members()) out.root[name] = content.as_string();
  return std::optional<CutOff>(std::move(out));
}

}  // namespace nacre::cli
