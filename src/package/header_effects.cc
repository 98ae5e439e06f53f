#include "package/header_effects.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

#include "package/name_text.h"

namespace nacre::package {
namespace {

using Id = HeaderGraph::Id;
using Kind = HeaderItem::Kind;
using Header = RootHeaders::Header;

Origin origin_at(Id header, Weight weight) { return {header, header, {}, Moves::kNo, {}, weight}; }

void sort_unique(std::vector<Id>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

void EffectFinder::add(Id header, const HeaderItem& item, std::string_view how, Weight weight) {
  changed_item(header, item, How{how, {}, {}}, origin_at(header, weight));
}

void EffectFinder::add_loose(Id header, std::string_view how) {
  out_.loose.emplace(origin_at(header, Weight::kSight), how);
}

HeaderEffects EffectFinder::finish() {
  close();
  find_meddling();
  out_.names = names_.take();
  return std::move(out_);
}

const std::vector<EffectFinder::Declared>& EffectFinder::declared_by(const HeaderItem& item) {
  const auto [found, made] = declared_.emplace(&item, std::vector<Declared>());
  if (made)
    for (const std::string_view name : declared_names(item, root_.known()))
      found->second.push_back({word_hash(name), name, name == kEveryName || !is_plain(name)});
  if (made && item.call && !item.names.empty()) add_by_macro(item.names.front().text, found->second);
  return found->second;
}

/// What else a piece may declare that is nothing but that name, if that is a macro's.
void EffectFinder::add_by_macro(const std::string& name, std::vector<Declared>& to) {
  const std::uint64_t hash = word_hash(name);
  if (!root_.known().is_macro(hash)) return;
  const std::string& what = texts_.emplace_back(fmt::format("what {} says", name));
  const std::optional<std::vector<std::uint64_t>> words = root_.declared_by_macro(hash);
  if (!words) to.push_back({hash, what, true});
  else
    for (const std::uint64_t word : *words) to.push_back({word, what, false});
}

/// Whether what seems to declare one of a compiler's own macros does so for other compilers, or not at all: a standard
/// header, or a piece that is no #define.
bool EffectFinder::is_for_others(Id where, Kind kind) const {
  if (where == HeaderGraph::kNone) return false;
  return root_.graph().order_free(where) || (kind != Kind::kMacro && root_.is_understood(where));
}

void EffectFinder::change(const Declared& what, const How& how, Origin origin, Kind kind) {
  if (what.all) {
    out_.loose.emplace(std::move(origin), how.str());
    return;
  }
  if (is_predefined(what.name) && is_for_others(origin.where, kind)) return;
  names_.add(what.hash, what.name, how, std::move(origin), kind);
}

/// All that a changed piece means for others.
void EffectFinder::changed_item(Id header, const HeaderItem& item, const How& how, const Origin& origin) {
  // Once, and again when it holds for more.
  const auto [seen, made] = done_.emplace(std::pair(&item, origin.changed), origin);
  if (!made && !seen->second.join(origin)) return;
  if (item.kind == Kind::kInclude && !item.included.empty()) {
    changed_include(header, item, how, origin);
    return;
  }
  for (const Declared& declared : declared_by(item)) change(declared, how, origin, item.kind);
  if (item.loose || root_.calls_pasting(item)) out_.loose.emplace(origin, how.str());
}

/// Who includes this header sees other names: those of the one that it includes, and what that includes, but for what
/// it brought and brings without them.
void EffectFinder::changed_include(Id header, const HeaderItem& item, const How& how, const Origin& origin) {
  const BroughtHeaders::Brought& brought = brought_.by(header, item);
  if (!brought.found) {
    out_.loose.emplace(origin, how.str());
    return;
  }
  const Id first = first_meant(item.included_path);
  for (const std::size_t at : brought.headers) {
    const Header& its = root_.all()[at];
    const Origin its_origin = brought_origin(its.id, first, origin, {});
    const auto [place, made] = brought_in_.emplace(std::pair(at, origin.changed), BroughtIn{its_origin, {}, {}});
    BroughtIn& in = place->second;
    if (!made && !in.origin.join(its_origin)) continue;
    if (made) in.how = how.str();
    if (in.reasons.empty()) brought_open_.push_back(place->first);
    in.reasons.emplace_back(first, origin);
  }
}

void EffectFinder::brought_header(const Header& header, const BroughtIn& in) {
  const Origin& its_origin = in.origin;
  const How how{in.how, {}, {}};
  const bool standard = root_.graph().order_free(its_origin.where);
  if (its_origin.moves == Moves::kRead) note_mentions(*header.items);
  for (const HeaderItem& item : header.items->items) {
    if (item.kind == Kind::kInclude) {
      if (item.included.empty()) out_.loose.emplace(its_origin, in.how);
      continue;
    }
    for (const Declared& declared : declared_by(item)) {
      // Defined for other compilers alone.
      if (declared.name.starts_with("__") && is_language_word(declared.name) && standard) continue;
      const std::vector<Id> also = also_defined_by(declared.name, its_origin.where);
      if (also.empty()) change(declared, how, its_origin, item.kind);
      else
        for (const auto& [first, reason] : in.reasons)
          change(declared, how, brought_origin(header.id, first, reason, also), item.kind);
    }
    // One of C does nothing to who takes nothing of it; one of C++ may hold an object that begins before main.
    if (item.loose && !(standard && !is_of_cxx(header.path))) out_.loose.emplace(its_origin, in.how);
  }
}

/// Whether that changed header is surely none that standard headers may be made with.
bool EffectFinder::is_of_others(Id changed) const {
  return changed != HeaderGraph::kNone && !root_.graph().of_system(changed);
}

EffectFinder::Via EffectFinder::via(std::uint64_t word, const ChangedNames::Seen& changed) const {
  Via out;
  const bool macro = root_.known().is_macro(word);
  out.macro = changed.macro;
  out.number = macro || root_.known().numbers.contains(word);
  out.customized = is_customized(changed.name);
  out.apart = !macro && !out.customized &&
              std::all_of(changed.ways.begin(), changed.ways.end(),
                          [&](const Origin& way) { return is_of_others(way.changed); });
  return out;
}

/// The same change, by way of what stands in another header. A macro that changed means something there when it is
/// read, but for macros, which mean something where they are used.
Origin EffectFinder::by_way(const Origin& origin, Id where, const HeaderItem& item, const Via& via) const {
  Origin out{origin.changed, where, origin.gates, origin.moves, {}, origin.weight};
  // A number in code or in a condition around it makes other code of it; a function or a type that is another there is
  // what the soname stands for. A macro in a declaration makes another declaration.
  if (origin.weight != Weight::kSight && item.kind == Kind::kOther) {
    if (!root_.puts_code(item)) out.weight = Weight::kValue;
    else if (via.number) out.weight = Weight::kCode;
  }
  // A standard header depends on no name of others that is no macro.
  if (origin.moves == Moves::kRead || origin.moves == Moves::kName) {
    const bool stands_apart = root_.graph().order_free(where) && is_of_others(origin.changed) && !via.customized;
    out.moves = stands_apart ? Moves::kOrder : Moves::kNo;
  }
  if (!via.macro || item.kind == Kind::kMacro || where == origin.changed) return out;
  Gates gates;
  for (std::vector<Id> set : origin.gates) {
    if (const auto place = std::lower_bound(set.begin(), set.end(), where); place == set.end() || *place != where)
      set.insert(place, where);
    gates.insert(std::move(set));
  }
  if (gates.empty()) gates.insert({where});
  out.gates = std::move(gates);
  return out;
}

/// The header that is read whenever an #include of this path stands somewhere; kNone: it may be one of many.
Id EffectFinder::first_meant(std::string_view include) const {
  const HeaderGraph& graph = root_.graph();
  const std::vector<Id> all = graph.surely_meant(include);
  for (const Id id : all)
    if (all.size() > 1 && is_of_cxx(graph.path_of(id))) return id;
  for (const Id id : all)
    if (all.size() == 1 || graph.path_of(id).starts_with("usr/include/")) return id;
  return HeaderGraph::kNone;
}

/// Standard headers that define a name of <stddef.h>, which gives others a part of what it says.
std::vector<Id> EffectFinder::also_defined_by(std::string_view name, Id where) const {
  const HeaderGraph& graph = root_.graph();
  std::vector<Id> out;
  if (!graph.order_free(where) || base_of(graph.path_of(where)) != "stddef.h") return out;
  for (const std::string_view header : headers_that_define(name)) {
    const Id id = graph.id_of(fmt::format("usr/include/{}", header));
    if (id != HeaderGraph::kNone && graph.order_free(id)) out.push_back(id);
  }
  return out;
}

/// Of a header that an #include brings for that reason. `also`: headers that have what it says, too.
Origin EffectFinder::brought_origin(Id header, Id first, const Origin& reason, const std::vector<Id>& also) const {
  // Who has read it before has what it says, whatever lets it be included.
  std::vector<Id> gate = also;
  gate.push_back(header);
  if (first != HeaderGraph::kNone) gate.push_back(first);
  sort_unique(gate);
  Origin out = reason;
  out.weight = Weight::kSight;
  // Or the change that is the reason is none for them.
  out.gates.clear();
  for (std::vector<Id> set : reason.gates) {
    set.insert(set.end(), gate.begin(), gate.end());
    sort_unique(set);
    out.gates.insert(std::move(set));
  }
  if (out.gates.empty()) out.gates.insert(gate);
  // Who gets its names reads it, whichever way it comes.
  out.where = header;
  out.anyway.clear();
  if (reason.moves == Moves::kOrder) return out;
  out.moves = Moves::kNo;
  if (root_.graph().order_free(out.where)) {
    std::erase_if(gate, [&](Id id) { return !root_.graph().order_free(id); });
    out.moves = Moves::kRead;
    out.anyway.insert(std::move(gate));
  }
  return out;
}

/// What may be defined behind a standard header that is not read there must not be one of these.
void EffectFinder::note_mentions(const HeaderItems& of) {
  std::unordered_set<std::uint64_t>& words = out_.meddling.words;
  for (const HeaderItem& item : of.items) {
    for (const std::uint64_t word : item.mentions)
      if (!is_language_word(word)) words.insert(word);
    for (const DeclaredName& name : item.names)
      if (name.sure || !is_language_word(name.text)) words.insert(word_hash(name.text));
  }
}

/// First all headers that came with #includes, by as many ways at once as there are, then a name.
void EffectFinder::close() {
  do
    while (close_brought()) continue;
  while (close_name());
}

bool EffectFinder::close_brought() {
  if (brought_open_.empty()) return false;
  const std::pair<std::size_t, Id> key = brought_open_.front();
  brought_open_.pop_front();
  BroughtIn& in = brought_in_.at(key);
  brought_header(root_.all()[key.first], in);
  in.reasons.clear();
  return true;
}

/// What names a changed name is changed, in all headers of the root.
bool EffectFinder::close_name() {
  const std::optional<std::uint64_t> word = names_.next();
  if (!word) return false;
  const std::span<const RootHeaders::Mention> mentions = root_.mentions_of(*word);
  if (mentions.empty()) return true;
  const ChangedNames::Seen changed = names_.see(*word);
  const Via its = via(*word, changed);
  for (const auto& [at, item] : mentions) {
    const Header& header = root_.all()[at];
    if (its.apart && root_.graph().order_free(header.id)) continue;
    const bool include = item->kind == Kind::kInclude && !item->included.empty();
    // Of an #include: its condition; what it includes is there or not.
    if (include && word_hash(item->included) == *word) continue;
    const How how{{}, include ? std::string_view() : base_of(header.path), changed.name};
    for (const Origin& origin : changed.ways)
      // Its own guard, which nobody else defines.
      if (header.items->guard != *word || header.id != origin.where)
        changed_item(header.id, *item, how, by_way(origin, header.id, *item, its));
  }
  return true;
}

void EffectFinder::find_meddling() {
  Meddling& meddling = out_.meddling;
  if (meddling.words.empty()) return;
  for (const std::string_view word : kReachesOn) meddling.words.insert(word_hash(word));
  std::set<Id> found;
  for (const Header& header : root_.all()) {
    if (root_.graph().order_free(header.id)) continue;
    const std::vector<HeaderItem>& items = header.items->items;
    const bool defines = std::any_of(items.begin(), items.end(), [&](const HeaderItem& item) {
      return item.kind == Kind::kMacro && meddling.words.contains(word_hash(item.names[0].text));
    });
    if (defines || !header.items->understood) found.insert(header.id);
  }
  meddling.headers.assign(found.begin(), found.end());
}

}  // namespace nacre::package
