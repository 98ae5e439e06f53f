#include "package/build_file_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "package/name_text.h"

namespace nacre::package {
namespace {

/// Of the path of a .pc file: how pkg-config calls it.
std::string module_name(std::string_view path) {
  const std::string_view base = base_of(path);
  return std::string(base.substr(0, base.size() - 3));
}

std::vector<std::string> stems_of(const OfferedFile& file) {
  std::vector<std::string> out;
  for (const std::string& name : file.names) out.push_back(stem_of(name));
  return out;
}

class Comparison {
 public:
  Comparison(const RootStates& states, const LibraryChanges& libraries) : states_(states) {
    out_.links = libraries.links;
  }

  BuildFileChanges run() {
    compare_modules();
    pass_on_modules();
    compare_files();
    return std::move(out_);
  }

 private:
  void compare_modules() {
    std::map<std::string_view, const OfferedModule*> was, is;
    for (const Offer* offer : states_.before)
      for (const auto& [path, module] : offer->modules) was.emplace(path, &module);
    for (const Offer* offer : states_.after)
      for (const auto& [path, module] : offer->modules) is.emplace(path, &module);
    for (const auto& [path, old] : was) {
      const std::string name = module_name(path);
      const auto found = is.find(path);
      if (found == is.end()) {
        out_.modules.emplace(name, "is gone");
        continue;
      }
      const OfferedModule& now = *found->second;
      if (now.rest != old->rest) out_.modules.emplace(name, "says other flags");
      if (now.for_static != old->for_static) out_.static_modules.emplace(name, "says other flags for static links");
      if (now.version != old->version) out_.versions.push_back({name, old->version, now.version, {stem_of(name)}});
    }
    for (const auto& [path, module] : is)
      if (!was.contains(path)) out_.modules.emplace(module_name(path), "is new");
  }

  /// What requires a changed module gives its flags on.
  void pass_on_modules() {
    for (bool more = !out_.modules.empty(); more;) {
      more = false;
      for (const auto side : {states_.after, states_.others})
        for (const Offer* offer : side)
          for (const auto& [path, module] : offer->modules) {
            if (out_.modules.contains(module_name(path))) continue;
            const auto word = std::find_if(module.words.begin(), module.words.end(),
                                           [&](const std::string& one) { return out_.modules.contains(one); });
            if (word == module.words.end()) continue;
            out_.modules.emplace(module_name(path), fmt::format("requires {}, which changed", *word));
            more = true;
          }
    }
  }

  void compare_files() {
    using Placed = std::map<std::string_view, std::pair<const Offer*, const OfferedFile*>>;
    Placed was, is;
    for (const Offer* offer : states_.before)
      for (const auto& [path, file] : offer->files) was.emplace(path, std::pair(offer, &file));
    for (const Offer* offer : states_.after)
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
      if (one.kind != other.kind) out_.for_all.push_back(fmt::format("{} is another kind of file", path));
      else if (one.digest == other.digest) continue;
      else if (by_version && one.apart == other.apart)
        out_.versions.push_back(
            {std::string(base_of(path)), old.first->version, found->second.first->version, stems_of(one)});
      else changed_file(path, other, "changed");
    }
    for (const auto& [path, now] : is)
      if (!was.contains(path)) changed_file(path, *now.second, "is new");
  }

  void changed_file(std::string_view path, const OfferedFile& file, std::string_view what) {
    const std::string how = fmt::format("{}, which {}", path, what);
    switch (file.kind) {
      case OfferedFile::Kind::kWhole: out_.for_all.push_back(fmt::format("{} {}", path, what)); break;
      case OfferedFile::Kind::kM4:
        if (file.names.empty()) out_.for_all.push_back(fmt::format("{} {}", path, what));
        for (const std::string& name : file.names) out_.m4.emplace(name, how);
        break;
      case OfferedFile::Kind::kCmake:
      case OfferedFile::Kind::kCmakeVersion:
        for (const std::string& name : file.names) out_.cmake.emplace(name, how);
        out_.cmake.emplace("*", how);
        break;
      case OfferedFile::Kind::kGir:
        for (const char* word : {"g-ir-scanner", "g-ir-compiler", "introspection", "generate_gir", "vapigen"})
          out_.tools.emplace(word, how);
        break;
      case OfferedFile::Kind::kVala:
        for (const char* word : {"valac", "vala", "vapigen", "generate_vapi"}) out_.tools.emplace(word, how);
        break;
      case OfferedFile::Kind::kQmake: out_.tools.emplace("qmake", how); break;
      case OfferedFile::Kind::kLibraryLink:
        put_link_words(out_.links, base_of(path).substr(0, base_of(path).find(".so")), how);
        break;
      case OfferedFile::Kind::kCommand: out_.commands.emplace(path, how); break;
    }
  }

  const RootStates& states_;
  BuildFileChanges out_;
};

/// Whether scripts have all words of the command's name: "xml2-config" may be put together.
bool may_run(const Use& use, std::string_view command) {
  bool all = true;
  std::string piece;
  for (const char c : std::string(base_of(command)) + " ")
    if (is_plain(std::string_view(&c, 1))) piece += c;
    else if (!piece.empty()) {
      if (piece.find_first_not_of("0123456789") != std::string::npos) all = all && use.scripts_have(piece);
      piece.clear();
    }
  return all;
}

}  // namespace

BuildFileChanges compare_build_files(const RootStates& states, const LibraryChanges& libraries) {
  return Comparison(states, libraries).run();
}

bool BuildFileChanges::empty() const {
  return links.empty() && modules.empty() && static_modules.empty() && commands.empty() && cmake.empty() &&
         m4.empty() && tools.empty() && versions.empty() && for_all.empty();
}

std::optional<std::string> BuildFileChanges::touches(const Use& use) const {
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
  for (const auto& [path, how] : commands)
    if (may_run(use, path)) return fmt::format("it may run {}", how);
  return std::nullopt;
}

std::optional<std::string> BuildFileChanges::touches_by_version(const Use& use) const {
  for (const VersionStep& step : versions)
    if (auto why = step.touches(use)) return why;
  return std::nullopt;
}

}  // namespace nacre::package
