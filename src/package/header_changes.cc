#include "package/header_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "package/name_text.h"

namespace nacre::package {
namespace {

using Id = HeaderGraph::Id;
using Kind = HeaderItem::Kind;
using ByPath = std::map<std::string_view, std::vector<const HeaderItems*>>;

ByPath by_path(std::span<const Offer* const> offers) {
  ByPath out;
  for (const Offer* offer : offers)
    for (const auto& [path, items] : offer->headers) out[path].push_back(&items);
  return out;
}

using Texts = std::unordered_set<std::string_view>;

/// Of the names that its pieces may declare.
Texts texts_of(const HeaderItems& of) {
  Texts out;
  for (const HeaderItem& item : of.items)
    for (const DeclaredName& name : item.names) out.insert(name.text);
  return out;
}

bool none_in(const HeaderItem& item, const Texts& texts) {
  return !item.names.empty() && std::none_of(item.names.begin(), item.names.end(),
                                             [&](const DeclaredName& name) { return texts.contains(name.text); });
}

class Comparison {
 public:
  Comparison(const RootHeaders& root, const RootStates& states) : root_(root), states_(states), effects_(root) {}

  HeaderChanges run() {
    const ByPath was = by_path(states_.before), is = by_path(states_.after);
    for (const auto& [path, items] : was) {
      const auto found = is.find(path);
      if (found != is.end() && items.size() == 1 && found->second.size() == 1 &&
          items.front()->text == found->second.front()->text)
        continue;
      const Id id = root_.graph().id_of(path);
      out_.other_bytes.insert(id);
      if (found == is.end()) whole(id, *items.front(), "is gone");
      else compare(id, *items.front(), *found->second.front());
      if (items.size() > 1 || (found != is.end() && found->second.size() > 1))
        out_.for_all.push_back(fmt::format("two packages have {}", path));
    }
    for (const auto& [path, items] : is)
      if (!was.contains(path)) {
        const Id id = root_.graph().id_of(path);
        out_.other_bytes.insert(id);
        whole(id, *items.front(), "is new");
      }
    out_.effects = effects_.finish();
    return std::move(out_);
  }

 private:
  /// A header that came or went.
  void whole(Id header, const HeaderItems& items, std::string_view what) {
    const std::string_view base = base_of(root_.graph().path_of(header));
    const std::string how = fmt::format("of {}, which {}", base, what);
    // Who names the file finds it, or no longer, or another in its place.
    out_.files.emplace(header, fmt::format("it names {}, which {}", base, what));
    for (const HeaderItem& item : items.items)
      if (item.kind != Kind::kInclude) effects_.add(header, item, how, Weight::kSight);
    for (const auto& [at, item] : root_.mentions_of(word_hash(base)))
      if (item->kind == Kind::kInclude && item->included == base && is_of_others(root_.all()[at].path))
        effects_.add_loose(root_.all()[at].id, how);
  }

  /// Of what changed itself, an #include is compared by itself.
  bool is_of_others(std::string_view path) const {
    return std::any_of(states_.others.begin(), states_.others.end(),
                       [&](const Offer* offer) { return offer->headers.contains(std::string(path)); });
  }

  using Counts = std::unordered_map<std::uint64_t, int>;  ///< By digest: how many more the header had than it has.

  void compare(Id header, const HeaderItems& was, const HeaderItems& is) {
    Counts left;
    for (const HeaderItem& item : was.items) ++left[root_.digest_of(item)];
    for (const HeaderItem& item : is.items) --left[root_.digest_of(item)];
    const std::string_view base = base_of(root_.graph().path_of(header));
    const std::string changed = fmt::format("of {}, which changed", base);
    const std::string gone = fmt::format("of {}, which is gone", base);
    const std::string made = fmt::format("of {}, which is new", base);
    const Texts there = texts_of(was), here = texts_of(is);
    const auto add = [&](const HeaderItem& item, const Texts& other_state, const std::string& how_alone) {
      const bool alone = none_in(item, other_state);
      const bool sight = item.kind == Kind::kInclude || (alone && !item.loose);
      effects_.add(header, item, alone ? how_alone : changed,
                   sight ? Weight::kSight : root_.puts_code(item) ? Weight::kCode : Weight::kValue);
    };
    for (const HeaderItem& item : was.items)
      if (left[root_.digest_of(item)] > 0) add(item, here, gone);
    for (const HeaderItem& item : is.items)
      if (left[root_.digest_of(item)] < 0) add(item, there, made);
    compare_order(header, was, is, left);
  }

  /// What the header has in both states: its #includes, and all else, each with how many of those stand before it.
  struct Order {
    std::vector<std::uint64_t> includes;
    std::vector<std::pair<const HeaderItem*, std::size_t>> others;
  };
  Order order_of(const HeaderItems& items, const Counts& left) const {
    Order out;
    // Where standard headers begin that have nothing else between them: these say the same in any order.
    std::size_t free_from = 0;
    for (const HeaderItem& item : items.items) {
      const bool counts = left.at(root_.digest_of(item)) == 0;
      if (counts && item.kind == Kind::kInclude) out.includes.push_back(item.digest);
      if (item.kind != Kind::kInclude || !is_order_free(item)) free_from = out.includes.size();
      if (!counts) continue;
      if (item.kind == Kind::kInclude)
        std::sort(out.includes.begin() + static_cast<std::ptrdiff_t>(free_from), out.includes.end());
      else out.others.push_back({&item, out.includes.size()});
    }
    return out;
  }

  bool is_order_free(const HeaderItem& include) const {
    const std::vector<Id> meant = root_.graph().surely_meant(include.included_path);
    return !include.included.empty() && !meant.empty() &&
           std::all_of(meant.begin(), meant.end(), [&](Id id) { return root_.graph().order_free(id); });
  }

  /// Whether what an #include defines may give it another meaning.
  bool names_macro(const HeaderItem& item) const {
    return item.kind == Kind::kMacro ||
           std::any_of(item.mentions.begin(), item.mentions.end(),
                       [&](std::uint64_t word) { return root_.known().is_macro(word); });
  }

  /// A macro, or what names one, that passed an #include, or two #includes that changed places.
  void compare_order(Id header, const HeaderItems& was, const HeaderItems& is, const Counts& left) {
    const std::string_view base = base_of(root_.graph().path_of(header));
    const Order order_was = order_of(was, left), order_is = order_of(is, left);
    if (order_was.includes != order_is.includes) {
      effects_.add_loose(header, fmt::format("of {}, whose #includes changed places", base));
      for (const HeaderItem& item : is.items)
        if (item.kind == Kind::kInclude)
          effects_.add(header, item, fmt::format("of what {} includes", base), Weight::kSight);
      return;
    }
    std::unordered_map<std::uint64_t, std::size_t> place;
    for (const auto& [item, at] : order_was.others) place.emplace(item->digest, at);
    for (const auto& [item, at] : order_is.others)
      if (const auto found = place.find(item->digest);
          found != place.end() && found->second != at && names_macro(*item))
        effects_.add(header, *item, fmt::format("of {}, which changed places", base),
                     item->kind != Kind::kMacro && root_.puts_code(*item) ? Weight::kCode : Weight::kValue);
  }

  const RootHeaders& root_;
  const RootStates& states_;
  EffectFinder effects_;
  HeaderChanges out_;
};

}  // namespace

Weight HeaderChanges::weight() const {
  Weight out = Weight::kSight;
  for (const auto& [hash, changed] : effects.names) out = std::max(out, changed.weight());
  for (const auto& [origin, how] : effects.loose) out = std::max(out, origin.weight);
  return out;
}

HeaderChanges compare_headers(const RootHeaders& root, const RootStates& states) {
  return Comparison(root, states).run();
}

}  // namespace nacre::package
