#include "package/touch.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <iterator>
#include <set>
#include <unordered_set>

#include "base/text.h"
#include "package/header_graph.h"
#include "package/sight.h"

namespace nacre::package {
namespace {

using Kind = HeaderItem::Kind;

/// A header of the root, in one of its states.
struct Header {
  std::string_view path;
  const HeaderItems* items;
};

std::string_view base_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::vector<unsigned long> numbers_of(std::string_view version) {
  std::vector<unsigned long> out;
  for (std::size_t i = 0; i < version.size();) {
    if (version[i] < '0' || version[i] > '9') break;
    unsigned long number = 0;
    for (; i < version.size() && version[i] >= '0' && version[i] <= '9'; ++i)
      number = std::min(number * 10 + static_cast<unsigned long>(version[i] - '0'), 1'000'000'000'000ul);
    out.push_back(number);
    if (i < version.size() && version[i] == '.') ++i;
    else break;
  }
  while (!out.empty() && out.back() == 0) out.pop_back();  // 1.2.0 is 1.2
  return out;
}

/// "libxml-2.0" -> "xml", "gtk+-3.0" -> "gtk", "libpng16" -> "png": what names of its version begin with.
std::string stem_of(std::string_view module) {
  std::string out;
  if (module.starts_with("lib")) module.remove_prefix(3);
  for (const char c : module) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    else if (c >= 'a' && c <= 'z') out += c;
    else if (!out.empty() && c >= '0' && c <= '9') break;
  }
  return out;
}

std::string letters_of(std::string_view word) {
  std::string out;
  for (const char c : word)
    if (c >= 'a' && c <= 'z') out += c;
  return out;
}

/// The names in a mangled symbol of C++: "_ZN3foo3barEv" has foo and bar.
std::vector<std::string_view> names_in(std::string_view symbol) {
  std::vector<std::string_view> out;
  for (std::size_t i = 2; i < symbol.size();) {
    if (symbol[i] < '0' || symbol[i] > '9') {
      ++i;
      continue;
    }
    std::size_t size = 0;
    while (i < symbol.size() && symbol[i] >= '0' && symbol[i] <= '9' && size < 10'000)
      size = size * 10 + static_cast<std::size_t>(symbol[i++] - '0');
    const std::string_view name = symbol.substr(i, size);
    if (!name.empty() && !(name[0] >= '0' && name[0] <= '9') && is_plain(name)) {
      out.push_back(name);
      i += name.size();
    }
  }
  return out;
}

using HasWord = std::function<bool(std::uint64_t)>;

/// Whether the name is 1 to 6 words one behind the other, of which one at most is a single letter.
bool can_split(std::string_view name, const HasWord& has) {
  constexpr int kParts = 6;
  // reach[letters][parts]: ends that so many parts, with so many single letters among them, lead to.
  std::array<std::array<std::vector<char>, kParts + 1>, 2> reach;
  for (auto& row : reach)
    for (auto& one : row) one.assign(name.size() + 1, 0);
  reach[0][0][0] = 1;
  for (std::size_t from = 0; from < name.size(); ++from) {
    bool any = false;
    for (const auto& row : reach)
      for (int parts = 0; parts < kParts; ++parts) any = any || row[static_cast<std::size_t>(parts)][from] != 0;
    if (!any) continue;
    for (std::size_t to = from + 1; to <= name.size(); ++to) {
      const std::string_view part = name.substr(from, to - from);
      const bool digits = part.find_first_not_of("0123456789") == std::string_view::npos;
      if (!digits && !has(word_hash(part))) continue;
      const bool letter = part.size() == 1 && part[0] != '_' && !digits;
      for (std::size_t letters = 0; letters + (letter ? 1 : 0) < reach.size(); ++letters)
        for (std::size_t parts = 0; parts < kParts; ++parts)
          if (reach[letters][parts][from] != 0) reach[letters + (letter ? 1 : 0)][parts + 1][to] = 1;
    }
  }
  for (const auto& row : reach)
    for (std::size_t parts = 1; parts <= kParts; ++parts)
      if (row[parts][name.size()] != 0) return true;
  return false;
}

/// Whether the name fits the pattern, with `good` for what each '*' stands for.
bool fits(std::string_view name, std::string_view pattern, const std::function<bool(std::string_view)>& good) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] != '*') {
    const std::string_view fixed = pattern.substr(0, pattern.find('*'));
    return name.starts_with(fixed) && fits(name.substr(fixed.size()), pattern.substr(fixed.size()), good);
  }
  for (std::size_t size = 0; size <= name.size(); ++size)
    if (good(name.substr(0, size)) && fits(name.substr(size), pattern.substr(1), good)) return true;
  return false;
}

bool fits_any(std::string_view name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fits(name, pattern, [](std::string_view) { return true; });
  });
}

/// Whether ## can make the name by one of the patterns, of words and of what ## makes of words.
bool can_paste(std::string_view name, const std::vector<std::string>& patterns, const HasWord& has) {
  if (name.size() > 200 || name.size() < 2) return false;
  const auto is_word = [&](std::string_view part) {
    return part.find_first_not_of("0123456789") == std::string_view::npos || has(word_hash(part));
  };
  std::map<std::string_view, bool> known;
  const auto is_part = [&](std::string_view part) {
    if (part.size() == name.size()) return false;
    const auto [found, made] = known.emplace(part, false);
    if (made) found->second = is_word(part) || (part.size() > 2 && fits_any(part, patterns) && can_split(part, has));
    return found->second;
  };
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.find('*') == std::string::npos) return name == pattern;
    return fits(name, pattern, is_part);
  });
}

}  // namespace

struct OfferChanges::State {
  /// Through what a changed name reaches a source: one that may read the header `changed`, which differs, and the
  /// header `where`, which has the name. `gates`: it comes by #includes alone, so who has read one of each of these
  /// sets before has the same either way.
  using Gates = std::set<std::vector<HeaderGraph::Id>>;
  /// What an #include of a standard header, which came or went, is to those who read that header anyway.
  enum class Moves {
    kOrder,  ///< Nothing, if nothing meddles with it: standard headers say the same in any order.
    kRead,   ///< Nothing, if one of each set of `anyway` is read before the name is used.
    kName,   ///< A change, but not of a macro.
    kNo,     ///< A change like any other.
  };
  struct Origin {
    HeaderGraph::Id changed = HeaderGraph::kNone, where = HeaderGraph::kNone;
    Gates gates;
    Moves moves = Moves::kNo;
    Gates anyway;
    auto operator<=>(const Origin&) const = default;
  };
  struct Changed {
    std::string name, how;
    std::vector<Origin> origins;
    bool everywhere = false;  ///< By too many ways to tell them apart.
    bool macro = true;        ///< Every one of its changes is one of a macro.
    bool waits = false;       ///< For its effect on others to be seen.
  };
  static constexpr std::size_t kMostOrigins = 64, kMostWheres = 3, kMostGates = 24;
  struct VersionStep {
    std::string what, from, to;
    std::vector<std::string> stems;
  };

  std::unordered_map<std::uint64_t, Changed> names;
  std::map<HeaderGraph::Id, std::string> files;  ///< A header that came or went.
  std::map<std::string, std::string> symbols;    ///< Name -> how.
  std::vector<std::string> for_all;
  std::set<HeaderGraph::Id> other_bytes;              ///< Headers that have other bytes, or came or went.
  std::map<Origin, std::string> loose;                ///< What reaches all who read the header -> how.
  std::map<std::string, std::string> sonames;         ///< A library that came or went -> how.
  std::map<std::string, std::string> links;           ///< A word by which a link finds a library -> how.
  std::map<std::string, std::string> static_modules;  ///< As modules, for static links alone.
  std::map<std::string, std::string> modules;         ///< pkg-config's name -> how.
  std::map<std::string, std::string> commands;        ///< Path -> how.
  std::map<std::string, std::string> cmake;           ///< Name of find_package -> how.
  std::map<std::string, std::string> m4;              ///< Macro -> how.
  std::map<std::string, std::string> tools;           ///< A word that says that such files are read -> how.
  std::vector<VersionStep> versions;
  std::unordered_set<std::uint64_t> pasting, pasted_words;
  struct PastingMacro {
    std::vector<std::string> patterns;
    std::unordered_set<std::uint64_t> by;  ///< Its name, and those of macros that lead to it.
    bool standard = false;                 ///< Of a standard header.
  };
  std::vector<PastingMacro> pasting_macros;
  std::vector<Header> headers;
  std::map<std::string_view, std::vector<std::size_t>> by_base;
  HeaderGraph graph;
  std::unordered_set<HeaderGraph::Id> opaque;  ///< Headers that could not be cut.
  Meddling meddling;

  std::vector<const Offer*> before, after, others;
  KnownNames known;
  std::unordered_map<std::uint64_t, std::vector<std::pair<std::size_t, const HeaderItem*>>> mentions;
  std::unordered_set<std::uint64_t> lines;  ///< Names that lead to __LINE__.
  std::deque<std::uint64_t> open;

  void run() {
    for (const auto* side : {&before, &after, &others})
      for (const Offer* offer : *side)
        for (const auto& [path, items] : offer->headers) {
          headers.push_back({path, &items});
          (void)graph.add(path, items, side == &others);
        }
    for (const auto* side : {&before, &after, &others})
      for (const Offer* offer : *side)
        for (const auto& [path, file] : offer->files)
          if (path.find("/include/") != std::string::npos || path.starts_with("include/")) graph.mind_links();
    graph.finish();
    for (std::size_t i = 0; i < headers.size(); ++i) {
      by_base[base_of(headers[i].path)].push_back(i);
      if (!headers[i].items->understood) opaque.insert(graph.id_of(headers[i].path));
      for (const HeaderItem& item : headers[i].items->items) known.add(item);
    }
    for (std::size_t i = 0; i < headers.size(); ++i)
      for (const HeaderItem& item : headers[i].items->items)
        for (const std::uint64_t word : item.mentions) mentions[word].push_back({i, &item});
    find_lines();
    find_pasting();
    compare_headers();
    close();
    find_meddling();
    compare_libraries();
    compare_modules();
    compare_files();
  }

  /// Macros that lead to the names in `open`, by mention.
  void through_macros(std::unordered_set<std::uint64_t>& set, std::deque<std::uint64_t> todo) {
    while (!todo.empty()) {
      const auto found = mentions.find(todo.front());
      todo.pop_front();
      if (found == mentions.end()) continue;
      for (const auto& [header, item] : found->second) {
        if (item->kind != Kind::kMacro) continue;
        const std::uint64_t name = word_hash(item->names[0].text);
        if (set.insert(name).second) todo.push_back(name);
      }
    }
  }

  void find_lines() {
    std::deque<std::uint64_t> todo;
    for (const std::string_view word : {"__LINE__", "__COUNTER__", "__builtin_LINE", "source_location", "assert"}) {
      lines.insert(word_hash(word));
      todo.push_back(word_hash(word));
    }
    through_macros(lines, std::move(todo));
  }

  void find_pasting() {
    std::deque<std::uint64_t> todo;
    for (const Header& header : headers)
      for (const HeaderItem& item : header.items->items)
        if (item.pastes && pasting.insert(word_hash(item.names[0].text)).second)
          todo.push_back(word_hash(item.names[0].text));
    for (const Header& header : headers)
      for (const HeaderItem& item : header.items->items) {
        if (!item.pastes || item.paste_patterns.empty()) continue;
        const std::uint64_t name = word_hash(item.names[0].text);
        PastingMacro& macro = pasting_macros.emplace_back();
        macro.patterns = item.paste_patterns;
        macro.standard = graph.order_free(graph.id_of(header.path));
        macro.by.insert(name);
        through_macros(macro.by, {name});
      }
    through_macros(pasting, std::move(todo));
    for (const Header& header : headers)
      for (const HeaderItem& item : header.items->items)
        if (item.kind == Kind::kMacro && pasting.contains(word_hash(item.names[0].text)))
          pasted_words.insert(item.mentions.begin(), item.mentions.end());
  }

  static bool meets(const std::vector<std::uint64_t>& words, const std::unordered_set<std::uint64_t>& set) {
    return std::any_of(words.begin(), words.end(), [&](std::uint64_t word) { return set.contains(word); });
  }

  std::uint64_t digest_of(const HeaderItem& item) const {
    const bool placed = item.kind == Kind::kOther && meets(item.mentions, lines);
    return placed ? item.digest * 31 + item.lines : item.digest;
  }

  /// How a name changed, said in words only when somebody asks.
  struct How {
    std::string_view text;     ///< "of z.h, which changed"; empty: by way of another name.
    std::string_view of, way;  ///< Name of a header, or empty; the other name.
    std::string str() const {
      if (!text.empty()) return std::string(text);
      return of.empty() ? fmt::format("by way of {}", way) : fmt::format("of {}, by way of {}", of, way);
    }
  };

  struct Declared {
    std::uint64_t hash = 0;
    std::string_view name;
    bool all = false;  ///< Stands for any name, or for what is none.
  };
  std::unordered_map<const HeaderItem*, std::vector<Declared>> declared;
  const std::vector<Declared>& declared_by(const HeaderItem& item) {
    const auto [found, made] = declared.emplace(&item, std::vector<Declared>());
    if (made)
      for (const std::string_view name : declared_names(item, known))
        found->second.push_back({word_hash(name), name, name == kEveryName || !is_plain(name)});
    return found->second;
  }

  /// Whether what seems to declare one of a compiler's own macros does so for other compilers, or not at all: a
  /// standard header, or a piece that is no #define.
  bool is_for_others(HeaderGraph::Id where, Kind kind) const {
    if (where == HeaderGraph::kNone) return false;
    return graph.order_free(where) || (kind != Kind::kMacro && !opaque.contains(where));
  }

  void change(const Declared& what, const How& how, Origin origin, Kind kind) {
    if (what.all) {
      loose.emplace(origin, how.str());
      return;
    }
    if (is_predefined(what.name) && is_for_others(origin.where, kind)) return;
    const auto [found, made] = names.try_emplace(what.hash);
    Changed& changed = found->second;
    if (made) {
      changed.name = what.name;
      changed.how = how.str();
    }
    if (changed.macro && kind != Kind::kMacro) {
      changed.macro = false;
      wait(what.hash, changed);
    }
    if (changed.everywhere) return;
    if (origin.moves == Moves::kNo && kind != Kind::kMacro) origin.moves = Moves::kName;
    // What meddles with it is asked of the changed header alone.
    if (origin.moves == Moves::kOrder) origin = {origin.changed, HeaderGraph::kNone, {}, Moves::kOrder, {}};
    const auto is_alike = [&](const Origin& one) {
      return one.changed == origin.changed && (one.moves == Moves::kOrder) == (origin.moves == Moves::kOrder);
    };
    std::size_t same = 0;  // by the same changed header
    for (Origin& one : changed.origins) {
      if (!is_alike(one)) continue;
      ++same;
      if (one.where != origin.where && one.where != HeaderGraph::kNone) continue;
      if (join(one, origin)) wait(what.hash, changed);
      return;
    }
    if (same >= kMostWheres) {
      // By too many ways: wherever the changed header is read.
      Origin all = origin;
      all.where = HeaderGraph::kNone;
      for (const Origin& one : changed.origins)
        if (is_alike(one)) (void)join(all, one);
      std::erase_if(changed.origins, is_alike);
      changed.origins.push_back(std::move(all));
    } else if (changed.origins.size() < kMostOrigins) {
      changed.origins.push_back(origin);
    } else {
      changed.everywhere = true;
    }
    wait(what.hash, changed);
  }

  /// By two ways: only who has read gates of both has the same. Whether that asks for more. No sets: nobody has.
  static bool meet(Gates& gates, const Gates& others) {
    if (gates.empty()) return false;
    if (others.empty()) {
      gates.clear();
      return true;
    }
    bool more = false;
    for (const std::vector<HeaderGraph::Id>& set : others) {
      // Who has one of a set has one of any larger set.
      const auto within = [](const auto& small, const auto& large) {
        return std::includes(large.begin(), large.end(), small.begin(), small.end());
      };
      if (std::any_of(gates.begin(), gates.end(), [&](const auto& has) { return within(has, set); })) continue;
      std::erase_if(gates, [&](const auto& has) { return within(set, has); });
      gates.insert(set);
      more = true;
    }
    if (gates.size() > kMostGates) gates.clear();
    return more;
  }

  /// Of one change by two ways what holds for both; whether that is more than `to` was.
  static bool join(Origin& to, const Origin& from) {
    bool more = meet(to.gates, from.gates);
    if (from.moves == Moves::kRead && to.moves == Moves::kRead) {
      more = meet(to.anyway, from.anyway) || more;
    } else if (from.moves > to.moves) {
      to.moves = from.moves;
      to.anyway = from.anyway;
      more = true;
    }
    if (to.moves == Moves::kRead && to.anyway.empty()) to.moves = Moves::kNo;
    return more;
  }

  void wait(std::uint64_t hash, Changed& changed) {
    if (!std::exchange(changed.waits, true)) open.push_back(hash);
  }

  Origin at(std::string_view path) const {
    const HeaderGraph::Id id = graph.id_of(path);
    return {id, id, {}, Moves::kNo, {}};
  }
  /// The same change, by way of what stands in another header. A macro that changed means something there when it is
  /// read, but for macros, which mean something where they are used.
  Origin by_way(const Origin& origin, std::string_view path, const HeaderItem& item, bool macro) const {
    const HeaderGraph::Id where = graph.id_of(path);
    Origin out{origin.changed, where, origin.gates, origin.moves, {}};
    // A standard header depends on no name of others that is no macro.
    if (origin.moves == Moves::kRead || origin.moves == Moves::kName)
      out.moves = graph.order_free(where) ? Moves::kOrder : Moves::kNo;
    if (!macro || item.kind == Kind::kMacro || where == origin.changed) return out;
    Gates gates;
    for (std::vector<HeaderGraph::Id> set : origin.gates) {
      if (const auto place = std::lower_bound(set.begin(), set.end(), where); place == set.end() || *place != where)
        set.insert(place, where);
      gates.insert(std::move(set));
    }
    if (gates.empty()) gates.insert({where});
    out.gates = std::move(gates);
    return out;
  }

  std::map<std::pair<const HeaderItem*, HeaderGraph::Id>, Origin> done;

  /// All that a changed piece means for others.
  void changed_item(std::string_view path, const HeaderItem& item, const How& how, const Origin& origin) {
    // Once, and again when it holds for more.
    const auto [seen, made] = done.emplace(std::pair(&item, origin.changed), origin);
    if (!made && !join(seen->second, origin)) return;
    if (item.kind == Kind::kInclude && !item.included.empty()) {
      changed_include(path, item, how, origin);
      return;
    }
    for (const Declared& name : declared_by(item)) change(name, how, origin, item.kind);
    if (item.loose || (item.kind == Kind::kOther && meets(item.mentions, pasting))) loose.emplace(origin, how.str());
  }

  /// Puts into `seen` what an #include of the header `from` brings, in the order of finding it: all that may be meant
  /// (kAll), or what is brought without any condition and cannot be another (kSurely). False: nothing has that name.
  enum class Reach { kAll, kSurely };
  bool reach(std::string_view from, const HeaderItem& include, Reach how, std::vector<char>& seen,
             std::vector<std::size_t>* order) const {
    std::vector<std::size_t> todo;
    const auto push = [&](std::string_view includer, const HeaderItem& item) {
      const std::vector<HeaderGraph::Id> meant = graph.meant(item.included_path);
      if (meant.empty()) return false;
      std::vector<std::size_t> found;
      for (const HeaderGraph::Id id : meant)
        for (const std::size_t header : by_base.at(base_of(graph.path_of(id))))
          if (headers[header].path == graph.path_of(id)) found.push_back(header);
      const std::string beside = fmt::format("{}{}", includer.substr(0, includer.rfind('/') + 1), item.included_path);
      const std::string usual = "usr/include/" + item.included_path;
      const auto is_meant = [&](std::size_t at) { return headers[at].path == beside || headers[at].path == usual; };
      std::set<std::string_view> paths;
      for (const std::size_t header : found)
        if (is_meant(header)) paths.insert(headers[header].path);
      for (const std::size_t header : found) {
        if (seen[header] != 0 || (how == Reach::kSurely && (paths.size() != 1 || !is_meant(header)))) continue;
        seen[header] = 1;
        todo.push_back(header);
      }
      return true;
    };
    if (!push(from, include)) return false;
    while (!todo.empty()) {
      const std::size_t at = todo.back();
      todo.pop_back();
      if (order != nullptr) order->push_back(at);
      for (const HeaderItem& item : headers[at].items->items)
        if (item.kind == Kind::kInclude && !item.included.empty() &&
            (how == Reach::kAll || (item.always && in_both(at, item))))
          push(headers[at].path, item);
    }
    return true;
  }

  /// Whether the other state of a changed header has the #include, too.
  bool in_both(std::size_t at, const HeaderItem& item) const {
    for (const std::size_t other : by_base.at(base_of(headers[at].path))) {
      if (other == at || headers[other].path != headers[at].path) continue;
      const std::vector<HeaderItem>& items = headers[other].items->items;
      if (std::none_of(items.begin(), items.end(), [&](const HeaderItem& its) { return its.digest == item.digest; }))
        return false;
    }
    return true;
  }

  /// Headers that an #include of a changed header brings, but for those that it brings without it.
  struct Brought {
    bool found = false;
    std::vector<std::size_t> headers;
  };
  std::map<std::pair<std::string_view, const HeaderItem*>, Brought> brought_by;
  std::map<std::pair<std::size_t, HeaderGraph::Id>, Origin> brought_in;  ///< By headers that changed.
  const Brought& brought(std::string_view path, const HeaderItem& item) {
    const auto [place, made] = brought_by.emplace(std::pair(path, &item), Brought{});
    Brought& out = place->second;
    if (!made) return out;
    std::vector<char> before_it(headers.size(), 0), seen(headers.size(), 0);
    for (const std::size_t header : by_base.at(base_of(path)))
      if (headers[header].path == path)
        for (const HeaderItem& its : headers[header].items->items)
          if (its.kind == Kind::kInclude && its.always && !its.included.empty() && its.digest != item.digest &&
              in_both(header, its))
            reach(path, its, Reach::kSurely, before_it, nullptr);
    std::vector<std::size_t> order;
    out.found = reach(path, item, Reach::kAll, seen, &order);
    for (const std::size_t header : order)
      if (before_it[header] == 0) out.headers.push_back(header);
    return out;
  }

  /// Who includes this header sees other names: those of the one that it includes, and what that includes, but for what
  /// it brought and brings without them.
  void changed_include(std::string_view path, const HeaderItem& item, const How& how, const Origin& origin) {
    const Brought& brought_by_it = brought(path, item);
    if (!brought_by_it.found) {
      loose.emplace(origin, how.str());
      return;
    }
    const HeaderGraph::Id first = first_meant(item.included_path);
    for (const std::size_t header : brought_by_it.headers) {
      const Origin its_origin = brought_origin(header, first, origin, {});
      const auto [place, made] = brought_in.emplace(std::pair(header, origin.changed), its_origin);
      if (!made && !join(place->second, its_origin)) continue;
      const bool standard = graph.order_free(its_origin.where);
      if (its_origin.moves == Moves::kRead) note_mentions(*headers[header].items);
      for (const HeaderItem& its : headers[header].items->items) {
        if (its.kind == Kind::kInclude) {
          if (its.included.empty()) loose.emplace(its_origin, how.str());
          continue;
        }
        for (const Declared& name : declared_by(its)) {
          // Defined for other compilers alone.
          if (name.name.starts_with("__") && is_language_word(name.name) && standard) continue;
          const std::vector<HeaderGraph::Id> also = also_defined_by(name.name, its_origin.where);
          change(name, how, also.empty() ? its_origin : brought_origin(header, first, origin, also), its.kind);
        }
        // One of C does nothing to who takes nothing of it; one of C++ may hold an object that begins before main.
        if (its.loose && !(standard && !is_of_cxx(headers[header].path))) loose.emplace(its_origin, how.str());
      }
    }
  }

  /// The header that is read whenever an #include of this path stands somewhere; kNone: it may be one of many.
  HeaderGraph::Id first_meant(std::string_view include) const {
    const std::vector<HeaderGraph::Id> all = graph.surely_meant(include);
    for (const HeaderGraph::Id id : all)
      if (all.size() > 1 && is_of_cxx(graph.path_of(id))) return id;
    for (const HeaderGraph::Id id : all)
      if (all.size() == 1 || graph.path_of(id).starts_with("usr/include/")) return id;
    return HeaderGraph::kNone;
  }

  /// Standard headers that define a name of <stddef.h>, which gives others a part of what it says.
  std::vector<HeaderGraph::Id> also_defined_by(std::string_view name, HeaderGraph::Id where) const {
    std::vector<HeaderGraph::Id> out;
    if (!graph.order_free(where) || base_of(graph.path_of(where)) != "stddef.h") return out;
    for (const std::string_view header : headers_that_define(name)) {
      const HeaderGraph::Id id = graph.id_of(fmt::format("usr/include/{}", header));
      if (id != HeaderGraph::kNone && graph.order_free(id)) out.push_back(id);
    }
    return out;
  }

  /// Of a header that an #include brings for that reason. `also`: headers that have what it says, too.
  Origin brought_origin(std::size_t header, HeaderGraph::Id first, const Origin& reason,
                        const std::vector<HeaderGraph::Id>& also) const {
    // Who has read it before has what it says, whatever lets it be included.
    std::vector<HeaderGraph::Id> gate = also;
    gate.push_back(graph.id_of(headers[header].path));
    if (first != HeaderGraph::kNone) gate.push_back(first);
    const auto sort_unique = [](std::vector<HeaderGraph::Id>& ids) {
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    };
    sort_unique(gate);
    Origin out = reason;
    // Or the change that is the reason is none for them.
    out.gates.clear();
    for (std::vector<HeaderGraph::Id> set : reason.gates) {
      set.insert(set.end(), gate.begin(), gate.end());
      sort_unique(set);
      out.gates.insert(std::move(set));
    }
    if (out.gates.empty()) out.gates.insert(gate);
    // Who gets its names reads it, whichever way it comes.
    out.where = graph.id_of(headers[header].path);
    out.anyway.clear();
    if (reason.moves == Moves::kOrder) return out;
    out.moves = Moves::kNo;
    if (graph.order_free(out.where)) {
      std::erase_if(gate, [&](HeaderGraph::Id id) { return !graph.order_free(id); });
      out.moves = Moves::kRead;
      out.anyway.insert(std::move(gate));
    }
    return out;
  }

  /// What may be defined behind a standard header that is not read there must not be one of these.
  void note_mentions(const HeaderItems& of) {
    for (const HeaderItem& item : of.items) {
      for (const std::uint64_t word : item.mentions)
        if (!is_language_word(word)) meddling.words.insert(word);
      for (const DeclaredName& name : item.names)
        if (name.sure || !is_language_word(name.text)) meddling.words.insert(word_hash(name.text));
    }
  }

  void find_meddling() {
    if (meddling.words.empty()) return;
    for (const std::string_view word : kReachesOn) meddling.words.insert(word_hash(word));
    std::set<HeaderGraph::Id> found;
    for (const Header& header : headers) {
      const HeaderGraph::Id id = graph.id_of(header.path);
      if (graph.order_free(id)) continue;
      const bool defines = std::any_of(header.items->items.begin(), header.items->items.end(), [&](const auto& item) {
        return item.kind == Kind::kMacro && meddling.words.contains(word_hash(item.names[0].text));
      });
      if (defines || !header.items->understood) found.insert(id);
    }
    meddling.headers.assign(found.begin(), found.end());
  }

  using ByPath = std::map<std::string_view, std::vector<const HeaderItems*>>;
  static ByPath by_path(const std::vector<const Offer*>& offers) {
    ByPath out;
    for (const Offer* offer : offers)
      for (const auto& [path, items] : offer->headers) out[path].push_back(&items);
    return out;
  }

  void compare_headers() {
    const ByPath was = by_path(before), is = by_path(after);
    for (const auto& [path, items] : was) {
      const auto found = is.find(path);
      if (found != is.end() && items.size() == 1 && found->second.size() == 1 &&
          items.front()->text == found->second.front()->text)
        continue;
      other_bytes.insert(graph.id_of(path));
      if (found == is.end()) whole_header(path, *items.front(), "is gone");
      else compare_header(path, *items.front(), *found->second.front());
      if (items.size() > 1 || (found != is.end() && found->second.size() > 1))
        for_all.push_back(fmt::format("two packages have {}", path));
    }
    for (const auto& [path, items] : is)
      if (!was.contains(path)) {
        other_bytes.insert(graph.id_of(path));
        whole_header(path, *items.front(), "is new");
      }
  }

  void whole_header(std::string_view path, const HeaderItems& items, std::string_view what) {
    const std::string how = fmt::format("of {}, which {}", base_of(path), what);
    // Who names the file finds it, or no longer, or another in its place.
    files.emplace(graph.id_of(path), fmt::format("it names {}, which {}", base_of(path), what));
    for (const HeaderItem& item : items.items)
      if (item.kind != Kind::kInclude) changed_item(path, item, How{how, {}, {}}, at(path));
    if (const auto found = mentions.find(word_hash(base_of(path))); found != mentions.end())
      for (const auto& [header, item] : found->second)
        if (item->kind == Kind::kInclude && item->included == base_of(path) && !same_package(headers[header].path))
          loose.emplace(at(headers[header].path), fmt::format("of {}, which {}", base_of(path), what));
  }

  /// Of a header of what changed itself: its own #include is compared by itself.
  bool same_package(std::string_view path) const {
    return std::none_of(others.begin(), others.end(),
                        [&](const Offer* offer) { return offer->headers.contains(std::string(path)); });
  }

  void compare_header(std::string_view path, const HeaderItems& was, const HeaderItems& is) {
    std::unordered_map<std::uint64_t, int> count;
    for (const HeaderItem& item : was.items) ++count[digest_of(item)];
    std::unordered_map<std::uint64_t, int> left = count;
    for (const HeaderItem& item : is.items) --left[digest_of(item)];
    const std::string changed = fmt::format("of {}, which changed", base_of(path));
    const std::string gone = fmt::format("of {}, which is gone", base_of(path));
    const std::string made = fmt::format("of {}, which is new", base_of(path));
    using Texts = std::unordered_set<std::string_view>;
    const auto texts_of = [](const HeaderItems& of) {
      Texts out;
      for (const HeaderItem& item : of.items)
        for (const DeclaredName& name : item.names) out.insert(name.text);
      return out;
    };
    const auto none_in = [](const HeaderItem& item, const Texts& texts) {
      return !item.names.empty() && std::none_of(item.names.begin(), item.names.end(),
                                                 [&](const DeclaredName& name) { return texts.contains(name.text); });
    };
    const Texts there = texts_of(was), here = texts_of(is);
    for (const HeaderItem& item : was.items)
      if (left[digest_of(item)] > 0)
        changed_item(path, item, How{none_in(item, here) ? gone : changed, {}, {}}, at(path));
    for (const HeaderItem& item : is.items)
      if (left[digest_of(item)] < 0)
        changed_item(path, item, How{none_in(item, there) ? made : changed, {}, {}}, at(path));
    compare_order(path, was, is, left);
  }

  bool is_order_free(const HeaderItem& include) const {
    const std::vector<HeaderGraph::Id> meant = graph.surely_meant(include.included_path);
    return !include.included.empty() && !meant.empty() &&
           std::all_of(meant.begin(), meant.end(), [&](HeaderGraph::Id id) { return graph.order_free(id); });
  }

  /// A macro that passed an #include, or two #includes that changed places.
  void compare_order(std::string_view path, const HeaderItems& was, const HeaderItems& is,
                     std::unordered_map<std::uint64_t, int>& left) {
    using Places = std::vector<std::pair<const HeaderItem*, std::size_t>>;
    const auto places = [&](const HeaderItems& items, std::vector<std::uint64_t>& includes) {
      Places out;
      // Where standard headers begin that have nothing else between them: these say the same in any order.
      std::size_t run = 0;
      for (const HeaderItem& item : items.items) {
        const bool counts = left[digest_of(item)] == 0;
        if (counts && item.kind == Kind::kInclude) includes.push_back(item.digest);
        if (item.kind != Kind::kInclude || !is_order_free(item)) run = includes.size();
        if (!counts) continue;
        if (item.kind == Kind::kInclude) {
          std::sort(includes.begin() + static_cast<std::ptrdiff_t>(run), includes.end());
        } else if (item.kind == Kind::kMacro) {
          out.push_back({&item, includes.size()});
        }
      }
      return out;
    };
    std::vector<std::uint64_t> includes_was, includes_is;
    const Places places_was = places(was, includes_was), places_is = places(is, includes_is);
    if (includes_was != includes_is) {
      loose.emplace(at(path), fmt::format("of {}, whose #includes changed places", base_of(path)));
      for (const HeaderItem& item : is.items)
        if (item.kind == Kind::kInclude)
          changed_item(path, item, How{fmt::format("of what {} includes", base_of(path)), {}, {}}, at(path));
      return;
    }
    std::unordered_map<std::uint64_t, std::size_t> place;
    for (const auto& [item, at] : places_was) place.emplace(item->digest, at);
    for (const auto& [item, at] : places_is)
      if (const auto found = place.find(item->digest); found != place.end() && found->second != at)
        changed_item(path, *item, How{fmt::format("of {}, which changed places", base_of(path)), {}, {}},
                     this->at(path));
  }

  /// What names a changed name is changed, in all headers of the root.
  void close() {
    while (!open.empty()) {
      const std::uint64_t word = open.front();
      open.pop_front();
      const auto found = mentions.find(word);
      if (found == mentions.end()) continue;
      Changed& changed = names.at(word);
      changed.waits = false;
      const std::string name = changed.name;
      const bool macro = changed.macro;
      std::vector<Origin> origins = changed.origins;
      if (changed.everywhere) origins = {Origin{}};
      for (const auto& [header, item] : found->second) {
        const std::string_view path = headers[header].path;
        const bool include = item->kind == Kind::kInclude && !item->included.empty();
        // Of an #include: its condition; what it includes is there or not.
        if (include && word_hash(item->included) == word) continue;
        const How how{{}, include ? std::string_view() : base_of(path), name};
        for (const Origin& origin : origins)
          // Its own guard, which nobody else defines.
          if (headers[header].items->guard != word || graph.id_of(path) != origin.where)
            changed_item(path, *item, how, by_way(origin, path, *item, macro));
      }
    }
  }

  void compare_libraries() {
    std::map<std::string_view, const OfferedLibrary*> was, is;
    const auto collect = [](const std::vector<const Offer*>& offers, auto& out) {
      for (const Offer* offer : offers)
        for (const auto& [soname, library] : offer->libraries) out.emplace(soname, &library);
    };
    collect(before, was);
    collect(after, is);
    std::unordered_set<std::string_view> elsewhere;
    for (const Offer* offer : others)
      for (const auto& [soname, library] : offer->libraries)
        for (const auto& [name, texts] : library.exports) elsewhere.insert(name);
    for (const auto& [soname, library] : was) {
      const auto found = is.find(soname);
      if (found == is.end()) {
        whole_library(soname, *library, "is gone");
        continue;
      }
      const OfferedLibrary& now = *found->second;
      for (const auto& [name, texts] : library->exports) {
        const auto same = now.exports.find(name);
        if (same == now.exports.end()) symbols.emplace(name, fmt::format("of {}, which is gone", soname));
        else if (same->second != texts) symbols.emplace(name, fmt::format("of {}, which changed", soname));
      }
      for (const auto& [name, texts] : now.exports)
        if (!library->exports.contains(name)) symbols.emplace(name, fmt::format("of {}, which is new", soname));
      // What a program defines and a library asks for, the program exports.
      for (const auto& [a, b] : {std::pair(library, &now), std::pair(&now, library)})
        for (const std::string& name : a->imports)
          if (!b->imports.contains(name) && !elsewhere.contains(name) && !a->exports.contains(name))
            symbols.emplace(name, fmt::format("which {} asks for, or no longer does", soname));
      for (const auto& [a, b] : {std::pair(library, &now), std::pair(&now, library)})
        for (const std::string& needed : a->needed)
          if (!b->needed.contains(needed)) other_needed(soname, needed);
    }
    for (const auto& [soname, library] : is)
      if (!was.contains(soname)) whole_library(soname, *library, "is new");
  }

  /// A library that came or went: for who links with it, or defines or takes what it has.
  void whole_library(std::string_view soname, const OfferedLibrary& library, std::string_view what) {
    for (const auto& [name, texts] : library.exports)
      symbols.emplace(name, fmt::format("of {}, which {}", soname, what));
    const std::string_view base = base_of(soname);
    sonames.emplace(std::string(base), std::string(what));
    link_name(base.substr(0, base.find(".so")), fmt::format("{}, which {}", base, what));
  }

  /// "libz": what -lz, AC_CHECK_LIB(z, …) and find_library(… z) look for.
  void link_name(std::string_view stem, const std::string& how) {
    if (!stem.starts_with("lib")) return;
    const std::string name(stem.substr(3));
    for (std::string word : {"lib" + name, "lib" + name + ".so", "l" + name, name}) links.emplace(std::move(word), how);
  }

  /// A library brings another into the link: a program exports what it defines of that one's names.
  void other_needed(std::string_view soname, const std::string& needed) {
    bool found = false;
    for (const auto* side : {&before, &after, &others})
      for (const Offer* offer : *side)
        if (const auto library = offer->libraries.find(needed); library != offer->libraries.end()) {
          found = true;
          for (const auto& [name, texts] : library->second.exports)
            symbols.emplace(name, fmt::format("of {}, which {} needs or no longer does", needed, soname));
        }
    if (!found) for_all.push_back(fmt::format("{} needs {}, or no longer does", soname, needed));
  }

  void step(const std::string& what, const std::string& from, const std::string& to, std::vector<std::string> stems) {
    versions.push_back({what, from, to, std::move(stems)});
  }

  void compare_modules() {
    std::map<std::string_view, const OfferedModule*> was, is;
    for (const Offer* offer : before)
      for (const auto& [path, module] : offer->modules) was.emplace(path, &module);
    for (const Offer* offer : after)
      for (const auto& [path, module] : offer->modules) is.emplace(path, &module);
    const auto name_of = [](std::string_view path) {
      const std::string_view base = base_of(path);
      return std::string(base.substr(0, base.size() - 3));
    };
    for (const auto& [path, module] : was) {
      const auto found = is.find(path);
      if (found == is.end()) modules.emplace(name_of(path), "is gone");
      else if (found->second->rest != module->rest) modules.emplace(name_of(path), "says other flags");
      if (found != is.end() && found->second->for_static != module->for_static)
        static_modules.emplace(name_of(path), "says other flags for static links");
      if (found != is.end() && found->second->version != module->version)
        step(name_of(path), module->version, found->second->version, {stem_of(name_of(path))});
    }
    for (const auto& [path, module] : is)
      if (!was.contains(path)) modules.emplace(name_of(path), "is new");
    // What requires a changed module gives its flags on.
    for (bool more = !modules.empty(); more;) {
      more = false;
      for (const auto* side : {&after, &others})
        for (const Offer* offer : *side)
          for (const auto& [path, module] : offer->modules) {
            if (modules.contains(name_of(path))) continue;
            for (const std::string& word : module.words)
              if (modules.contains(word)) {
                modules.emplace(name_of(path), fmt::format("requires {}, which changed", word));
                more = true;
                break;
              }
          }
    }
  }

  void compare_files() {
    using Placed = std::map<std::string_view, std::pair<const Offer*, const OfferedFile*>>;
    Placed was, is;
    for (const Offer* offer : before)
      for (const auto& [path, file] : offer->files) was.emplace(path, std::pair(offer, &file));
    for (const Offer* offer : after)
      for (const auto& [path, file] : offer->files) is.emplace(path, std::pair(offer, &file));
    for (const auto& [path, old] : was) {
      const auto found = is.find(path);
      if (found == is.end()) {
        changed_file(path, *old.second, "is gone");
        continue;
      }
      const OfferedFile &one = *old.second, &other = *found->second.second;
      const bool by_version = one.kind == OfferedFile::Kind::kCmake ||
                              (one.kind == OfferedFile::Kind::kCmakeVersion && !one.by_minor && !other.by_minor);
      if (one.kind != other.kind) for_all.push_back(fmt::format("{} is another kind of file", path));
      else if (one.digest == other.digest) continue;
      else if (by_version && one.apart == other.apart)
        step(std::string(base_of(path)), old.first->version, found->second.first->version, stems_of(one));
      else changed_file(path, other, "changed");
    }
    for (const auto& [path, now] : is)
      if (!was.contains(path)) changed_file(path, *now.second, "is new");
  }

  static std::vector<std::string> stems_of(const OfferedFile& file) {
    std::vector<std::string> out;
    for (const std::string& name : file.names) out.push_back(stem_of(name));
    return out;
  }

  void changed_file(std::string_view path, const OfferedFile& file, std::string_view what) {
    const std::string how = fmt::format("{}, which {}", path, what);
    switch (file.kind) {
      case OfferedFile::Kind::kWhole: for_all.push_back(fmt::format("{} {}", path, what)); break;
      case OfferedFile::Kind::kM4:
        if (file.names.empty()) for_all.push_back(fmt::format("{} {}", path, what));
        for (const std::string& name : file.names) m4.emplace(name, how);
        break;
      case OfferedFile::Kind::kCmake:
      case OfferedFile::Kind::kCmakeVersion:
        for (const std::string& name : file.names) cmake.emplace(name, how);
        cmake.emplace("*", how);
        break;
      case OfferedFile::Kind::kGir:
        for (const char* word : {"g-ir-scanner", "g-ir-compiler", "introspection", "generate_gir", "vapigen"})
          tools.emplace(word, how);
        break;
      case OfferedFile::Kind::kVala:
        for (const char* word : {"valac", "vala", "vapigen", "generate_vapi"}) tools.emplace(word, how);
        break;
      case OfferedFile::Kind::kQmake: tools.emplace("qmake", how); break;
      case OfferedFile::Kind::kLibraryLink: link_name(base_of(path).substr(0, base_of(path).find(".so")), how); break;
      case OfferedFile::Kind::kCommand: commands.emplace(std::string(path), how); break;
    }
  }

  bool nothing() const {
    return for_all.empty() && sonames.empty() && links.empty() && static_modules.empty() && names.empty() &&
           symbols.empty() && loose.empty() && modules.empty() && commands.empty() && cmake.empty() && m4.empty() &&
           tools.empty() && versions.empty() && files.empty();
  }

  // Who is touched.

  /// All headers that somebody asks a Sight about.
  std::vector<HeaderGraph::Id> asked() const {
    std::set<HeaderGraph::Id> out;
    const auto put = [&](const Origin& origin) {
      if (origin.changed != HeaderGraph::kNone) out.insert(origin.changed);
      if (origin.where != HeaderGraph::kNone) out.insert(origin.where);
    };
    for (const auto& [hash, changed] : names)
      for (const Origin& origin : changed.origins) put(origin);
    for (const auto& [origin, how] : loose) put(origin);
    for (const auto& [id, how] : files) out.insert(id);
    out.insert(other_bytes.begin(), other_bytes.end());
    return {out.begin(), out.end()};
  }

  /// Whether a change of that origin is one where the file is read.
  /// `word`: the name that the file has; nullopt: it makes it of others.
  static bool meets(Sight& sight, std::uint32_t file, const Origin& origin, std::optional<std::uint64_t> word) {
    if (origin.changed != HeaderGraph::kNone && !sight.sees(file, origin.changed)) return false;
    if (origin.where != HeaderGraph::kNone && !sight.sees(file, origin.where)) return false;
    if (origin.changed == HeaderGraph::kNone) return true;
    const auto let_stand = [](const Gates& sets, auto&& by) {
      return !sets.empty() && std::all_of(sets.begin(), sets.end(), by);
    };
    if (let_stand(origin.gates, [&](const auto& set) { return sight.had_before(file, origin.changed, set); }))
      return false;
    if (origin.moves == Moves::kOrder) return sight.is_meddled(file, origin.changed);
    return origin.moves != Moves::kRead || !word || !let_stand(origin.anyway, [&](const auto& set) {
             return sight.has_anyway(file, origin.changed, set, *word);
           });
  }

  static bool meets(Sight& sight, std::uint32_t file, const Changed& changed, std::uint64_t word) {
    return changed.everywhere || std::any_of(changed.origins.begin(), changed.origins.end(), [&](const Origin& origin) {
             return meets(sight, file, origin, word);
           });
  }

  std::optional<std::string> by_names(const Use& use, Sight& sight) const {
    // The least name, so that the answer is the same on every machine.
    const auto before_in_order = [](const Changed& one, const Changed& other) {
      return std::pair(one.how.find("by way") != std::string::npos, std::string_view(one.name)) <
             std::pair(other.how.find("by way") != std::string::npos, std::string_view(other.name));
    };
    const Changed* first = nullptr;
    const auto look = [&](std::uint64_t hash, const Changed& changed) {
      if (first != nullptr && !before_in_order(changed, *first)) return;
      for (const std::uint32_t file : use.files_of(hash))
        if (!use.files[file].asks && meets(sight, file, changed, hash)) {
          first = &changed;
          return;
        }
    };
    if (names.size() < use.words.size()) {
      for (const auto& [hash, changed] : names) look(hash, changed);
    } else {
      for (const std::uint64_t word : use.words)
        if (const auto found = names.find(word); found != names.end()) look(word, found->second);
    }
    if (first != nullptr) return fmt::format("it names {} {}", first->name, first->how);
    for (const auto& [id, how] : files)
      if (names_header(use, id)) return how;
    return std::nullopt;
  }

  /// Whether what a program that reads headers as a whole may be given can see a header that differs: headers and
  /// scripts, and for some programs sources.
  bool is_read_whole(const Use& use, const Sight& sight) const {
    const bool sources = use.whole == "g-ir-scanner" || use.whole == "-dM";
    for (std::uint32_t file = 0; file < use.files.size(); ++file) {
      if (use.files[file].asks || (use.files[file].unit && !use.files[file].script && !sources)) continue;
      for (const HeaderGraph::Id id : other_bytes)
        if (sight.includes(file, id)) return true;
    }
    return false;
  }

  /// By an #include, or a script by its name.
  bool names_header(const Use& use, HeaderGraph::Id id) const {
    const std::string_view path = graph.path_of(id);
    const std::span<const std::uint32_t> named = use.files_of(word_hash(base_of(path)));
    for (const std::uint32_t file : named)
      if (use.files[file].script && !use.files[file].asks) return true;
    for (const UseFile& file : use.files) {
      if (file.computed) return true;
      for (const UseInclude& include : file.includes) {
        if (include.own) continue;
        const std::vector<HeaderGraph::Id> meant = graph.meant(use.includes[include.path]);
        if (std::find(meant.begin(), meant.end(), id) != meant.end()) return true;
      }
    }
    return false;
  }

  std::optional<std::string> by_pasting(const Use& use, Sight& sight) const {
    std::vector<std::string> patterns = use.paste_patterns, own = patterns;  // own: not of standard headers
    std::unordered_set<std::uint64_t> makers;  // names of macros of headers that put names together
    for (const PastingMacro& macro : pasting_macros)
      if (std::any_of(macro.by.begin(), macro.by.end(), [&](std::uint64_t name) { return use.has(name); })) {
        patterns.insert(patterns.end(), macro.patterns.begin(), macro.patterns.end());
        if (!macro.standard) own.insert(own.end(), macro.patterns.begin(), macro.patterns.end());
        makers.insert(macro.by.begin(), macro.by.end());
      }
    if (patterns.empty()) return std::nullopt;
    std::vector<const Changed*> sorted;
    for (const auto& [hash, changed] : names) sorted.push_back(&changed);
    std::sort(sorted.begin(), sorted.end(), [](auto a, auto b) { return a->name < b->name; });
    std::vector<std::uint32_t> pasters;  // files that put names together
    for (std::uint32_t i = 0; i < use.files.size(); ++i)
      if (use.files[i].pastes) pasters.push_back(i);
    for (const std::uint64_t maker : makers)
      for (const std::uint32_t file : use.files_of(maker)) pasters.push_back(file);
    std::map<Origin, std::vector<char>> parts;  // files whose words such a name may be made of
    const auto files_for = [&](const Origin& origin) -> const std::vector<char>& {
      const auto [found, made] = parts.emplace(origin, std::vector<char>());
      if (!made) return found->second;
      std::vector<char> units(use.files.size(), 0);
      std::vector<char>& in = found->second;
      in.assign(use.files.size(), 0);
      for (const std::uint32_t paster : pasters) {
        if (!meets(sight, paster, origin, std::nullopt)) continue;
        for (const std::uint32_t unit : sight.units_of(paster)) {
          if (std::exchange(units[unit], 1) != 0) continue;
          for (const std::uint32_t file : sight.reach_of(unit)) in[file] = 1;
          for (std::uint32_t i = 0; i < use.files.size(); ++i)
            if (use.files[i].script) in[i] = 1;  // -DNAME=WORD
        }
      }
      return in;
    };
    for (const Changed* changed : sorted) {
      // What standard headers put together of their own names is theirs.
      const bool moved = !changed->everywhere &&
                         std::all_of(changed->origins.begin(), changed->origins.end(),
                                     [](const Origin& origin) { return origin.moves <= Moves::kRead; });
      const std::vector<std::string>& by = moved ? own : patterns;
      if (!fits_any(changed->name, by)) continue;
      std::vector<Origin> origins = changed->origins;
      if (changed->everywhere) origins = {Origin{}};
      for (const Origin& origin : origins) {
        const std::vector<char>& in = files_for(origin);
        const auto has = [&](std::uint64_t word) {
          const std::span<const std::uint32_t> files_with = use.files_of(word);
          return pasted_words.contains(word) ||
                 std::any_of(files_with.begin(), files_with.end(), [&](std::uint32_t file) { return in[file] != 0; });
        };
        if (std::find(in.begin(), in.end(), 1) != in.end() && can_paste(changed->name, by, has))
          return fmt::format("it may put together {} {}", changed->name, changed->how);
      }
    }
    return std::nullopt;
  }

  /// Headers that a build may have read, by the names of files in it.
  std::optional<std::string> by_headers(const Use& use, Sight& sight) const {
    for (const auto& [origin, how] : loose)
      for (std::uint32_t file = 0; file < use.files.size(); ++file)
        if (meets(sight, file, origin, std::nullopt))
          return "it may include " + (how.starts_with("of ") ? how.substr(3) : how);
    return std::nullopt;
  }

  std::optional<std::string> by_symbols(const Use& use) const {
    for (const auto& [soname, what] : sonames)
      if (use.needed.contains(soname) || use.has(soname))
        return fmt::format("it is linked with {}, which {}", soname, what);
    for (const auto& [name, how] : symbols) {
      if (use.imports.contains(name)) return fmt::format("it is linked with {} {}", name, how);
      if (!name.starts_with("_Z")) {
        if (use.has(name)) return fmt::format("it names {} {}", name, how);
        continue;
      }
      // A program may define the same function of a template, or one that overrides it.
      const std::vector<std::string_view> parts = names_in(name);
      const bool all = std::all_of(parts.begin(), parts.end(),
                                   [&](std::string_view part) { return part.starts_with('_') || use.has(part); });
      if (all && (!parts.empty() || use.has("std"))) return fmt::format("it may hold {} {}", name, how);
    }
    return std::nullopt;
  }

  std::optional<std::string> by_build_files(const Use& use) const {
    for (const auto& [word, how] : links)
      if (use.scripts_have(word)) return fmt::format("it may link with {}", how);
    for (const auto& [name, how] : static_modules)
      if (use.links_static && use.scripts_have(name))
        return fmt::format("it asks pkg-config for {}, which {}", name, how);
    for (const auto& [name, how] : modules)
      if (use.scripts_have(name)) return fmt::format("it asks pkg-config for {}, which {}", name, how);
    for (const auto& [name, how] : cmake)
      if (use.has("cmake:" + name) || use.has(std::string_view("cmake:*"))) return fmt::format("it reads {}", how);
    for (const auto& [name, how] : m4)
      if (use.scripts_have(name)) return fmt::format("it uses {} of {}", name, how);
    for (const auto& [word, how] : tools)
      if (use.scripts_have(word)) return fmt::format("it may read {}", how);
    for (const auto& [path, how] : commands) {
      bool all = true;
      std::string piece;
      for (const char c : std::string(base_of(path)) + " ")
        if (is_plain(std::string_view(&c, 1))) piece += c;
        else if (!piece.empty()) {
          if (piece.find_first_not_of("0123456789") != std::string::npos) all = all && use.scripts_have(piece);
          piece.clear();
        }
      if (all) return fmt::format("it may run {}", how);
    }
    return std::nullopt;
  }

  std::optional<std::string> by_versions(const Use& use) const {
    for (const VersionStep& step : versions) {
      const std::vector<unsigned long> from = numbers_of(step.from), to = numbers_of(step.to);
      const std::string what = fmt::format("the version of {}, which went from {} to {}", step.what,
                                           step.from.empty() ? "none" : step.from, step.to.empty() ? "none" : step.to);
      const unsigned long major_from = from.empty() ? 0 : from[0], major_to = to.empty() ? 0 : to[0];
      if (from.empty() || to.empty() || major_from != major_to) return "it may ask for " + what;
      const auto taken = [&](std::string_view name) {
        return std::find(use.taken.begin(), use.taken.end(), name) != use.taken.end();
      };
      if (use.asks_versions || taken("*") || taken(step.what)) return "it takes versions from pkg-config: " + what;
      const auto is_near = [&](std::uint32_t word) {
        return use.near[word] == "*" || std::any_of(step.stems.begin(), step.stems.end(), [&](const std::string& stem) {
                 return use.near[word].find(stem) != std::string::npos;
               });
      };
      const bool by_variable = std::any_of(use.by_variable.begin(), use.by_variable.end(), is_near);
      for (std::size_t i = 0; i < use.numbers.size(); ++i) {
        const std::vector<unsigned long> number = numbers_of(use.numbers[i]);
        if (std::min(from, to) <= number && number <= std::max(from, to) &&
            (by_variable || std::any_of(use.near_number[i].begin(), use.near_number[i].end(), is_near)))
          return fmt::format("it says {}, which may be compared with {}", use.numbers[i], what);
      }
      for (const std::string& word : use.versions)
        for (const std::string& stem : step.stems)
          if (letters_of(word).find(stem) != std::string::npos) return fmt::format("it says {}: {}", word, what);
      if (use.scripts_have("_VERSION") || use.scripts_have("_VERSION_STRING"))
        return "it puts names of versions together: " + what;
    }
    return std::nullopt;
  }
};

OfferChanges::OfferChanges(std::span<const Offer* const> before, std::span<const Offer* const> after,
                           std::span<const Offer* const> others)
    : state_(std::make_unique<State>()) {
  state_->before.assign(before.begin(), before.end());
  state_->after.assign(after.begin(), after.end());
  state_->others.assign(others.begin(), others.end());
  state_->run();
}

OfferChanges::~OfferChanges() = default;

std::optional<std::string> OfferChanges::touches(const Use& use) const {
  const State& state = *state_;
  if (state.other_bytes.empty() && state.nothing()) return std::nullopt;
  if (use.lines) return "it was compiled with debug information, which holds the lines of headers";
  if (!state.for_all.empty()) return state.for_all.front();
  Sight sight(state.graph, use, state.asked(), state.meddling);
  if (!use.whole.empty() && state.is_read_whole(use, sight))
    return fmt::format("it names {}, which reads headers as a whole", use.whole);
  if (auto why = state.by_names(use, sight)) return why;
  if (auto why = state.by_symbols(use)) return why;
  if (auto why = state.by_headers(use, sight)) return why;
  if (auto why = state.by_build_files(use)) return why;
  if (auto why = state.by_versions(use)) return why;
  return state.by_pasting(use, sight);
}

std::vector<std::string> OfferChanges::some_names(std::size_t most) const {
  std::vector<std::string> out;
  for (const auto& [hash, changed] : state_->names) out.push_back(changed.name);
  for (const auto& [name, how] : state_->symbols)
    if (!name.starts_with("_Z")) out.push_back(name);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > most) out.resize(most);
  return out;
}

std::size_t OfferChanges::size() const { return some_names(static_cast<std::size_t>(-1)).size(); }

}  // namespace nacre::package
