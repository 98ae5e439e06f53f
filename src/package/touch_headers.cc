#include "package/touch_headers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "package/name_text.h"
#include "package/pasting.h"

namespace nacre::package {
namespace {

using Id = HeaderGraph::Id;

/// All headers that somebody asks a Sight about.
std::vector<Id> asked(const HeaderChanges& changes) {
  std::set<Id> out;
  const auto put = [&](const Origin& origin) {
    if (origin.changed != HeaderGraph::kNone) out.insert(origin.changed);
    if (origin.where != HeaderGraph::kNone) out.insert(origin.where);
  };
  for (const auto& [hash, changed] : changes.effects.names)
    for (const Origin& origin : changed.origins) put(origin);
  for (const auto& [origin, how] : changes.effects.loose) put(origin);
  for (const auto& [id, how] : changes.files) out.insert(id);
  out.insert(changes.other_bytes.begin(), changes.other_bytes.end());
  return {out.begin(), out.end()};
}

}  // namespace

HeaderTouch::HeaderTouch(const RootHeaders& root, const HeaderChanges& changes, const Use& use)
    : root_(root), changes_(changes), use_(use), sight_(root.graph(), use, asked(changes), changes.effects.meddling) {}

/// Whether a change of that origin is one where the file is read.
/// `word`: the name that the file has; nullopt: it makes it of others.
bool HeaderTouch::meets(std::uint32_t file, const Origin& origin, std::optional<std::uint64_t> word) {
  if (origin.changed != HeaderGraph::kNone && !sight_.sees(file, origin.changed)) return false;
  if (origin.where != HeaderGraph::kNone && !sight_.sees(file, origin.where)) return false;
  if (origin.changed == HeaderGraph::kNone) return true;
  const auto let_stand = [](const Gates& sets, auto&& by) {
    return !sets.empty() && std::all_of(sets.begin(), sets.end(), by);
  };
  if (let_stand(origin.gates, [&](const auto& set) { return sight_.had_before(file, origin.changed, set); }))
    return false;
  if (origin.moves == Moves::kOrder) return sight_.is_meddled(file, origin.changed);
  return origin.moves != Moves::kRead || !word || !let_stand(origin.anyway, [&](const auto& set) {
           return sight_.has_anyway(file, origin.changed, set, *word);
         });
}

bool HeaderTouch::meets(std::uint32_t file, const ChangedName& changed, std::uint64_t word, Weight least) {
  return changed.everywhere ||
         std::any_of(changed.origins.begin(), changed.origins.end(), [&](const Origin& origin) {
           return origin.weight >= least && meets(file, origin, word);
         });
}

/// Of a program that reads headers as a whole: what it may be given are headers and scripts, and for some sources.
std::optional<std::string> HeaderTouch::as_a_whole(Weight least) const {
  if (use_.whole.empty() || (least > Weight::kSight && changes_.weight() < least)) return std::nullopt;
  const bool sources = use_.whole == "g-ir-scanner" || use_.whole == "-dM";
  for (std::uint32_t file = 0; file < use_.files.size(); ++file) {
    const UseFile& its = use_.files[file];
    if (its.asks || (its.unit && !its.script && !sources)) continue;
    for (const Id id : changes_.other_bytes)
      if (sight_.includes(file, id)) return fmt::format("it names {}, which reads headers as a whole", use_.whole);
  }
  return std::nullopt;
}

std::optional<std::string> HeaderTouch::by_names(Weight least) {
  const ChangedNames::ByHash& names = changes_.effects.names;
  // The least name, so that the answer is the same on every machine.
  const auto before_in_order = [](const ChangedName& one, const ChangedName& other) {
    return std::pair(one.how.find("by way") != std::string::npos, std::string_view(one.name)) <
           std::pair(other.how.find("by way") != std::string::npos, std::string_view(other.name));
  };
  const ChangedName* first = nullptr;
  const auto look = [&](std::uint64_t hash, const ChangedName& changed) {
    if (first != nullptr && !before_in_order(changed, *first)) return;
    for (const std::uint32_t file : use_.files_of(hash))
      if (!use_.files[file].asks && meets(file, changed, hash, least)) {
        first = &changed;
        return;
      }
  };
  if (names.size() < use_.words.size()) {
    for (const auto& [hash, changed] : names) look(hash, changed);
  } else {
    for (const std::uint64_t word : use_.words)
      if (const auto found = names.find(word); found != names.end()) look(word, found->second);
  }
  if (first != nullptr) return fmt::format("it names {} {}", first->name, first->how);
  for (const auto& [id, how] : changes_.files)
    if (least == Weight::kSight && names_header(id)) return how;
  return std::nullopt;
}

/// By an #include, or a script by its name.
bool HeaderTouch::names_header(Id id) const {
  const std::string_view path = root_.graph().path_of(id);
  const std::span<const std::uint32_t> named = use_.files_of(word_hash(base_of(path)));
  for (const std::uint32_t file : named)
    if (use_.files[file].script && !use_.files[file].asks) return true;
  for (const UseFile& file : use_.files) {
    if (file.computed) return true;
    for (const UseInclude& include : file.includes) {
      if (include.own) continue;
      const std::vector<Id> meant = root_.graph().meant(use_.includes[include.path]);
      if (std::find(meant.begin(), meant.end(), id) != meant.end()) return true;
    }
  }
  return false;
}

std::optional<std::string> HeaderTouch::by_headers(Weight least) {
  for (const auto& [origin, how] : changes_.effects.loose)
    for (std::uint32_t file = 0; file < use_.files.size(); ++file)
      if (origin.weight >= least && meets(file, origin, std::nullopt))
        return "it may include " + (how.starts_with("of ") ? how.substr(3) : how);
  return std::nullopt;
}

HeaderTouch::Pastes HeaderTouch::pastes() const {
  Pastes out;
  out.patterns = out.own = use_.paste_patterns;
  std::unordered_set<std::uint64_t> makers;  // names of macros of headers that put names together
  for (const RootHeaders::PastingMacro& macro : root_.pasting_macros())
    if (std::any_of(macro.by.begin(), macro.by.end(), [&](std::uint64_t name) { return use_.has(name); })) {
      out.patterns.insert(out.patterns.end(), macro.patterns.begin(), macro.patterns.end());
      if (!macro.standard) out.own.insert(out.own.end(), macro.patterns.begin(), macro.patterns.end());
      makers.insert(macro.by.begin(), macro.by.end());
    }
  for (std::uint32_t i = 0; i < use_.files.size(); ++i)
    if (use_.files[i].pastes) out.files.push_back(i);
  for (const std::uint64_t maker : makers)
    for (const std::uint32_t file : use_.files_of(maker)) out.files.push_back(file);
  return out;
}

/// Files whose words a name of that origin may be made of.
const HeaderTouch::FileSet& HeaderTouch::parts_for(const Origin& origin, const Pastes& pastes) {
  const auto [found, made] = parts_.emplace(origin, FileSet());
  FileSet& in = found->second;
  if (!made) return in;
  FileSet units(use_.files.size(), 0);
  in.assign(use_.files.size(), 0);
  for (const std::uint32_t paster : pastes.files) {
    if (!meets(paster, origin, std::nullopt)) continue;
    for (const std::uint32_t unit : sight_.units_of(paster)) {
      if (std::exchange(units[unit], 1) != 0) continue;
      for (const std::uint32_t file : sight_.reach_of(unit)) in[file] = 1;
      for (std::uint32_t i = 0; i < use_.files.size(); ++i)
        if (use_.files[i].script) in[i] = 1;  // -DNAME=WORD
    }
  }
  return in;
}

bool HeaderTouch::may_paste(const ChangedName& changed, const Pastes& pastes, Weight least) {
  // What standard headers put together of their own names is theirs.
  const bool moved =
      !changed.everywhere && std::all_of(changed.origins.begin(), changed.origins.end(),
                                         [](const Origin& origin) { return origin.moves <= Moves::kRead; });
  const std::vector<std::string>& by = moved ? pastes.own : pastes.patterns;
  if (!fits_any(changed.name, by)) return false;
  for (const Origin& origin : changed.ways()) {
    if (origin.weight < least) continue;
    const FileSet& in = parts_for(origin, pastes);
    const auto has = [&](std::uint64_t word) {
      const std::span<const std::uint32_t> files = use_.files_of(word);
      return root_.is_pasted(word) ||
             std::any_of(files.begin(), files.end(), [&](std::uint32_t file) { return in[file] != 0; });
    };
    if (std::find(in.begin(), in.end(), 1) != in.end() && can_paste(changed.name, by, has)) return true;
  }
  return false;
}

std::optional<std::string> HeaderTouch::by_pasting(Weight least) {
  const Pastes all = pastes();
  if (all.patterns.empty()) return std::nullopt;
  std::vector<const ChangedName*> sorted;
  for (const auto& [hash, changed] : changes_.effects.names) sorted.push_back(&changed);
  std::sort(sorted.begin(), sorted.end(), [](auto a, auto b) { return a->name < b->name; });
  for (const ChangedName* changed : sorted)
    if (may_paste(*changed, all, least)) return fmt::format("it may put together {} {}", changed->name, changed->how);
  return std::nullopt;
}

}  // namespace nacre::package
