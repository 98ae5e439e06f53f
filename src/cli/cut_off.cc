#include "cli/cut_off.h"

#include "apk/index_file.h"
#include "base/text.h"
#include "cli/offers.h"
#include "os/clock.h"
#include "package/touch.h"
#include "plan/keys.h"
#include "plan/root_kinds.h"
#include "store/store.h"

#include <algorithm>
#include <memory>
#include <set>

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

struct Untouched {
  bool stands = false;
  std::string why;  ///< That it does, or what it takes; empty: cannot be judged.
  bool urgent = true;  ///< What it takes cannot wait.
};

/// What a build is said to use: its words, and the symbols that its packages import. nullopt: it was made before that
/// was kept.
Result<std::optional<package::Use>> use_of(Env& env, const BuildRecord& build) {
  std::optional<package::Use> out;
  if (!build.use || !env.store.has(*build.use)) return out;
  const std::string bytes = TRY(env.store.read(*build.use, std::uint64_t{256} << 20));
  out = TRY(package::use_from_bytes(bytes), "reading what {} uses", build.definition);
  for (const auto& [name, abi] : build.abi) {
    if (!env.store.has(abi.symbols)) return std::optional<package::Use>();
    const std::string text = TRY(env.store.read(abi.symbols));
    const Json symbols = TRY(codec::parse_json(text, "symbols of " + name));
    for (const Json& file : symbols["files"].items()) {
      for (const std::string& needed : file["needed"].as_strings()) out->needed.insert(needed);
      for (const auto& [library, names] : file["imports"].members())
        for (const std::string& symbol : names.as_strings()) out->imports.insert(symbol.substr(0, symbol.find('@')));
    }
  }
  return out;
}

std::string_view release_of(std::string_view version) { return version.substr(0, version.rfind("-r")); }

/// Whether what `names`, packages of the root, now offer differs in nothing that the build can have taken.
Result<Untouched> judge_offers(Workshop& shop, const build::BuildRequest& request, const BuildRecord& before,
                               const std::set<std::string>& names) {
  Env& env = shop.env();
  const std::optional<package::Use> use = TRY(use_of(env, before));
  if (!use) return Untouched{};
  std::vector<std::shared_ptr<const package::Offer>> kept;
  std::vector<const package::Offer*> was, is, rest;
  std::map<std::string, std::string_view> releases;
  for (const PinnedPackage& pin : before.pinned_root) {
    if (!names.contains(pin.name)) continue;
    releases[pin.name] = release_of(pin.version);
    if (!env.store.has_tree(tree_key(pin.content)) && !env.store.has(pin.content)) return Untouched{};
    const Path tree = TRY(unpacked_tree(env, pin.content), "unpacking '{}-{}'", pin.name, pin.version);
    std::shared_ptr<const package::Offer> offer = TRY(shop.offers->of(pin.content, pin.version, tree));
    was.push_back(offer.get());
    kept.push_back(std::move(offer));
  }
  bool fix = false;  // one of them has new bytes in the same release: somebody mended it, or built it anew
  for (const build::RootPackage& package : request.root) {
    std::shared_ptr<const package::Offer> offer = TRY(shop.offers->of(package.content, package.version, package.tree));
    const bool changed = names.contains(package.name);
    fix = fix || (changed && releases[package.name] == release_of(package.version));
    (changed ? is : rest).push_back(offer.get());
    kept.push_back(std::move(offer));
  }
  const package::OfferChanges changes(was, is, rest);
  const std::string which = join(std::vector<std::string>(names.begin(), names.end()), ", ");
  if (const std::optional<package::Touch> touch = changes.touches(*use)) {
    const std::string& urgent = fix ? touch->in_fix : touch->urgent;
    return Untouched{false, which + ": " + (urgent.empty() ? touch->why : urgent), !urgent.empty()};
  }
  const std::size_t count = changes.size();
  if (count == 0) return Untouched{true, fmt::format("{} changed, and nothing of that is used", which)};
  std::vector<std::string> some = changes.some_names(3);
  if (some.size() < count) some.push_back("…");
  return Untouched{true, fmt::format("{} changed in {} name{} ({}), and nothing of that is used", which, count,
                                     count == 1 ? "" : "s",
                                     join(some, ", "))};
}

/// Until when the build may be put off, which takes of `names` nothing urgent by itself; 0: not at all.
Result<std::int64_t> put_off_until(Workshop& shop, const BuildRecord& before, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    const definition::Definition* maker = shop.os.maker_of(name);
    if (maker != nullptr && shop.urgent.contains(maker->name)) return 0;
  }
  const std::int64_t now = shop.env().clock.now_seconds();
  // What was put off before is not put off for longer by a second change.
  const std::optional<CutOff> kept = TRY(kept_cut_off(shop.env(), before));
  const std::int64_t until = kept && kept->postponed_until > 0 ? kept->postponed_until : now + shop.postpone_seconds;
  return until > now && !shop.postponed_too ? until : 0;
}

CutOff cut_off_from(const std::string& definition, const Json& json) {
  CutOff out;
  out.definition = definition;
  out.reasons = json["reasons"].as_strings();
  out.postponed_until = json["postponedUntil"].as_int();
  for (const auto& [name, content] : json["root"].members()) out.root[name] = content.as_string();
  return out;
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
    bool there = shop.env().store.has_tree(tree_key(pin.content));
    if (!there) there = TRY(shop.env().store.holds(pin.content));
    if (!there)
      return Error::make(ErrorKind::kNotFound, "{}-{}, which stood in the root of {}, is no longer in the store",
                         pin.name, pin.version, build.definition)
          .hint("`nacre build --force` builds it with what there is now");
    package.tree = TRY(unpacked_tree(shop.env(), pin.content), "unpacking '{}-{}'", pin.name, pin.version);
    out.push_back(std::move(package));
  }
  return out;
}

Result<CutOffAnswer> cut_off(Workshop& shop, const build::BuildRequest& request, const BuildRecord& before) {
  CutOffAnswer none;
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
  CutOff out{before.definition, before.action_key, {}, {}, 0};
  std::set<std::string> others;  // linked with, and with another ABI
  for (const build::RootPackage& package : request.root) {
    out.root[package.name] = package.content.hex();
    const std::string was = found_in(before.from.root, package.name);
    if (was == package.content.hex()) continue;
    const auto kind = kinds.find(package.name);
    if (was.empty() || !is_ours(package) || kind == kinds.end()) return none;
    const std::string abi = found_in(abis, package.name), abi_was = found_in(before.from.abis, package.name);
    const bool differs = abi.empty() || abi != abi_was;
    const plan::KeyChange change{true, differs, false, differs};
    if (plan::follows(plan::KeyPolicy::kUsed, {0, 0, kind->second, 0, false}, change)) return none;
    if (differs && kind->second == plan::EdgeKind::kLink) others.insert(package.name);
    else out.reasons.push_back(plan::cut_off_reason(package.name, kind->second, change));
  }
  if (!others.empty()) {
    const Untouched judged = TRY(judge_offers(shop, request, before, others));
    if (!judged.stands) {
      if (!judged.urgent) out.postponed_until = TRY(put_off_until(shop, before, others));
      if (out.postponed_until == 0) return CutOffAnswer{std::nullopt, judged.why};
      out.reasons.clear();  // why it waits says more than why others would not make it
    }
    out.reasons.push_back(judged.why);
  }
  if (out.reasons.empty()) return none;  // another order, or the same: not for this to judge
  return CutOffAnswer{std::move(out), {}};
}

Result<> keep_cut_off(Env& env, const CutOff& cut) {
  Json root = Json::object(), out;
  for (const auto& [name, content] : cut.root) root.set(name, content);
  out.set("build", cut.build.hex()).set("root", std::move(root)).set("reasons", Json::strings(cut.reasons));
  if (cut.postponed_until > 0) out.set("postponedUntil", cut.postponed_until);
  return env.store.state().put(kKind, cut.definition, codec::to_json(out));
}

Result<std::optional<CutOff>> kept_cut_off(Env& env, const BuildRecord& build) {
  const std::optional<std::string> text = TRY(env.store.state().get(kKind, build.definition));
  if (!text) return std::optional<CutOff>();
  const Json json = TRY(codec::parse_json(*text, "record of a cut-off"));
  if (json["build"].as_string() != build.action_key.hex()) return std::optional<CutOff>();
  CutOff out = cut_off_from(build.definition, json);
  out.build = build.action_key;
  return std::optional<CutOff>(std::move(out));
}

Result<std::vector<CutOff>> postponed_builds(Env& env) {
  std::vector<CutOff> out;
  const std::vector<std::pair<std::string, std::string>> kept = TRY(env.store.state().list(kKind));
  for (const auto& [definition, text] : kept) {
    const Json json = TRY(codec::parse_json(text, "record of a cut-off"));
    if (json["postponedUntil"].as_int() == 0) continue;
    const std::optional<BuildRecord> build = TRY(latest_build(env, definition));
    if (!build || build->action_key.hex() != json["build"].as_string()) continue;
    CutOff cut = cut_off_from(definition, json);
    cut.build = build->action_key;
    out.push_back(std::move(cut));
  }
  return out;
}

Result<> forget_postponed(Env& env, const std::set<std::string>& definitions) {
  const std::vector<CutOff> postponed = TRY(postponed_builds(env));
  for (const CutOff& cut : postponed)
    if (definitions.contains(cut.definition)) TRY(env.store.state().erase(kKind, cut.definition));
  return {};
}

}  // namespace nacre::cli
