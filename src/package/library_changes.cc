#include "package/library_changes.h"

#include "base/ascii.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "package/name_text.h"

namespace nacre::package {
namespace {

/// The function's own name in a mangled symbol of C++: "_ZN3foo3barEv" has bar. Empty where its user may say another
/// word: of operators, constructors, and whatever is or stands in a template (`std::string` is a `basic_string`).
std::string_view own_name(std::string_view symbol) {
  std::string_view rest = symbol.substr(2), name;
  if (rest.starts_with('N')) rest.remove_prefix(1);
  while (!rest.empty() && (rest[0] == 'K' || rest[0] == 'V' || rest[0] == 'R' || rest[0] == 'O')) rest.remove_prefix(1);
  if (rest.starts_with("St")) rest.remove_prefix(2);  // std::
  while (!rest.empty() && is_digit(rest[0])) {
    std::size_t size = 0;
    for (; !rest.empty() && is_digit(rest[0]) && size < 10'000; rest.remove_prefix(1))
      size = size * 10 + static_cast<std::size_t>(rest[0] - '0');
    name = rest.substr(0, size);
    rest.remove_prefix(name.size());
  }
  // What follows: the end of the scopes, or of a function without any the types of its arguments.
  const bool nested = symbol.starts_with("_ZN");
  const bool whole = nested ? rest.starts_with('E') : !rest.starts_with('I') && !rest.starts_with('B');
  return whole && is_plain(name) ? name : std::string_view();
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
      const bool gone = same == is.exports.end();
      if (!gone && same->second == texts) continue;
      out_.lost.insert(name);
      out_.symbols.emplace(name, fmt::format("of {}, which {}", soname, gone ? "is gone" : "changed"));
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
    const std::string_view own = own_name(name);
    if (use.has(own.empty() ? "std" : own)) return fmt::format("it may hold {} {}", name, how);
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
