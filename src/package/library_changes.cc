#include "package/library_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "package/name_text.h"

namespace nacre::package {
namespace {

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

using Libraries = std::map<std::string_view, const OfferedLibrary*>;

/// By soname; of two the first.
Libraries libraries_of(std::span<const Offer* const> offers) {
  Libraries out;
  for (const Offer* offer : offers)
    for (const auto& [soname, library] : offer->libraries) out.emplace(soname, &library);
  return out;
}

class Comparison {
 public:
  explicit Comparison(const RootStates& states) : states_(states) {
    for (const Offer* offer : states.others)
      for (const auto& [soname, library] : offer->libraries)
        for (const auto& [name, texts] : library.exports) elsewhere_.insert(name);
  }

  LibraryChanges run() {
    const Libraries was = libraries_of(states_.before), is = libraries_of(states_.after);
    for (const auto& [soname, library] : was)
      if (const auto found = is.find(soname); found != is.end()) {
        compare(soname, *library, *found->second);
      } else {
        whole(soname, *library, "is gone");
        out_.lost.emplace(base_of(soname));
        for (const auto& [name, texts] : library->exports) out_.lost.insert(name);
      }
    for (const auto& [soname, library] : is)
      if (!was.contains(soname)) whole(soname, *library, "is new");
    return std::move(out_);
  }

 private:
  void compare(std::string_view soname, const OfferedLibrary& was, const OfferedLibrary& is) {
    for (const auto& [name, texts] : was.exports) {
      const auto same = is.exports.find(name);
      if (same == is.exports.end() || same->second != texts) out_.lost.insert(name);
      if (same == is.exports.end()) out_.symbols.emplace(name, fmt::format("of {}, which is gone", soname));
      else if (same->second != texts) out_.symbols.emplace(name, fmt::format("of {}, which changed", soname));
    }
    for (const auto& [name, texts] : is.exports)
      if (!was.exports.contains(name)) out_.symbols.emplace(name, fmt::format("of {}, which is new", soname));
    // What a program defines and a library asks for, the program exports.
    for (const auto& [a, b] : {std::pair(&was, &is), std::pair(&is, &was)})
      for (const std::string& name : a->imports)
        if (!b->imports.contains(name) && !elsewhere_.contains(name) && !a->exports.contains(name))
          out_.symbols.emplace(name, fmt::format("which {} asks for, or no longer does", soname));
    for (const auto& [a, b] : {std::pair(&was, &is), std::pair(&is, &was)})
      for (const std::string& needed : a->needed)
        if (!b->needed.contains(needed)) other_needed(soname, needed);
  }

  /// A library that came or went: for who links with it, or defines or takes what it has.
  void whole(std::string_view soname, const OfferedLibrary& library, std::string_view what) {
    for (const auto& [name, texts] : library.exports)
      out_.symbols.emplace(name, fmt::format("of {}, which {}", soname, what));
    const std::string_view base = base_of(soname);
    out_.sonames.emplace(base, what);
    put_link_words(out_.links, base.substr(0, base.find(".so")), fmt::format("{}, which {}", base, what));
  }

  /// A library brings another into the link: a program exports what it defines of that one's names.
  void other_needed(std::string_view soname, const std::string& needed) {
    bool found = false;
    for (const auto side : {states_.before, states_.after, states_.others})
      for (const Offer* offer : side)
        if (const auto library = offer->libraries.find(needed); library != offer->libraries.end()) {
          found = true;
          for (const auto& [name, texts] : library->second.exports)
            out_.symbols.emplace(name, fmt::format("of {}, which {} needs or no longer does", needed, soname));
        }
    if (!found) out_.for_all.push_back(fmt::format("{} needs {}, or no longer does", soname, needed));
  }

  const RootStates& states_;
  std::unordered_set<std::string_view> elsewhere_;  ///< What libraries of others export.
  LibraryChanges out_;
};

}  // namespace

LibraryChanges compare_libraries(const RootStates& states) { return Comparison(states).run(); }

void put_link_words(std::map<std::string, std::string>& links, std::string_view stem, const std::string& how) {
  if (!stem.starts_with("lib")) return;
  const std::string name(stem.substr(3));
  for (std::string word : {"lib" + name, "lib" + name + ".so", "l" + name, name}) links.emplace(std::move(word), how);
}

std::optional<std::string> LibraryChanges::touches(const Use& use) const {
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

std::optional<std::string> LibraryChanges::breaks(const Use& use) const {
  for (const std::string& name : lost)
    if (use.imports.contains(name) || use.needed.contains(name))
      return fmt::format("it is linked with {}, which is gone or another", name);
  return std::nullopt;
}

}  // namespace nacre::package
