#include "base/text.h"
#include "farm/gate.h"

#include <algorithm>
#include <set>
#include <utility>

namespace nacre::farm {
namespace {

/// "O8 z_errmsg@@ZLIB_1.2" in parts.
struct Export {
  std::string name, version, size;  ///< size: of data, else empty.
};

Export parse_export(std::string_view text) {
  Export out;
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return out;
  out.size = text.substr(std::min<std::size_t>(1, blank), blank - std::min<std::size_t>(1, blank));
  const std::string_view symbol = text.substr(blank + 1);
  const std::size_t at = symbol.find('@', 1);
  out.name = symbol.substr(0, at);
  if (at == std::string_view::npos) return out;
  out.version = symbol.substr(at);
  out.version.erase(0, out.version.find_first_not_of('@'));
  return out;
}

/// What one soname gives, of all packages that have it.
struct Library {
  std::set<std::string> packages;
  std::set<std::pair<std::string, std::string>> symbols;  ///< Name, version.
  std::set<std::string> names;
  std::map<std::string, std::string> sizes;  ///< Of data, by name.
  std::set<std::string> needed;
  bool versioned = false;

  void add(const std::string& package, const BinaryFacts& binary) {
    packages.insert(package);
    needed.insert(binary.needed.begin(), binary.needed.end());
    for (const std::string& text : binary.exports) {
      Export symbol = parse_export(text);
      versioned = versioned || !symbol.version.empty();
      names.insert(symbol.name);
      if (!symbol.size.empty() && symbol.size != "0") sizes[symbol.name] = symbol.size;
      symbols.emplace(std::move(symbol.name), std::move(symbol.version));
    }
  }
  /// As the loader looks: a library without any version answers for each, an import without a version takes any.
  bool has(const std::string& name, const std::string& version) const {
    if (version.empty() || !versioned) return names.contains(name);
    return symbols.contains({name, version});
  }
};
using Libraries = std::map<std::string, Library>;

void add_libraries(Libraries& out, const PackageFacts& facts) {
  for (const BinaryFacts& binary : facts.binaries)
    if (const std::string name = library_name(binary); !name.empty()) out[name].add(facts.name, binary);
}

/// What is less than before in one library.
struct Loss {
  bool all = false;  ///< The soname is gone.
  std::set<std::pair<std::string, std::string>> symbols;
  std::set<std::string> names;                                       ///< Of symbols that no version gives any more.
  std::map<std::string, std::pair<std::string, std::string>> sizes;  ///< Name -> old, new.

  bool empty() const { return !all && symbols.empty() && sizes.empty(); }
};

Loss loss_of(const Library& before, const Library* after) {
  Loss out;
  if (after == nullptr) {
    out.all = true;
    return out;
  }
  for (const auto& [name, version] : before.symbols) {
    if (!after->has(name, version)) out.symbols.emplace(name, version);
    if (!after->names.contains(name)) out.names.insert(name);
  }
  for (const auto& [name, size] : before.sizes) {
    const auto now = after->sizes.find(name);
    if (now != after->sizes.end() && now->second != size) out.sizes[name] = {size, now->second};
  }
  return out;
}

std::map<std::string, Loss> losses_of(const std::vector<ChangedPackage>& changed, const Libraries& after) {
  Libraries before;
  for (const ChangedPackage& package : changed)
    if (package.before != nullptr) add_libraries(before, *package.before);
  std::map<std::string, Loss> out;
  for (const auto& [name, library] : before) {
    const auto now = after.find(name);
    Loss loss = loss_of(library, now == after.end() ? nullptr : &now->second);
    if (!loss.empty()) out.emplace(name, std::move(loss));
  }
  return out;
}

/// Sonames that the loader maps for a program, as far as they are known.
std::set<std::string> closure(const BinaryFacts& binary, const Libraries& libraries) {
  std::set<std::string> out(binary.needed.begin(), binary.needed.end());
  std::vector<std::string> open(out.begin(), out.end());
  while (!open.empty()) {
    const auto found = libraries.find(open.back());
    open.pop_back();
    if (found == libraries.end()) continue;
    for (const std::string& name : found->second.needed)
      if (out.insert(name).second) open.push_back(name);
  }
  return out;
}

std::pair<std::string, std::string> parse_import(const std::string& text) {
  const std::size_t at = text.find('@', 1);
  return at == std::string::npos ? std::pair(text, std::string()) : std::pair(text.substr(0, at), text.substr(at + 1));
}

/// Lost symbols of `library` that one program still needs, as people read them.
std::vector<std::string> needs(const BinaryFacts& binary, const std::string& library, const Loss& loss,
                               const Libraries& after) {
  std::vector<std::string> out;
  if (const auto imports = binary.imports.find(library); imports != binary.imports.end())
    for (const std::string& text : imports->second)
      if (loss.symbols.contains(parse_import(text))) out.push_back(text);
  const auto plain = binary.imports.find("");
  const bool any_plain = plain != binary.imports.end() && !loss.names.empty();
  const std::set<std::string> mapped =
      any_plain || !loss.sizes.empty() ? closure(binary, after) : std::set<std::string>();
  if (any_plain && mapped.contains(library))
    for (const std::string& name : plain->second) {
      const bool given = std::any_of(mapped.begin(), mapped.end(), [&](const std::string& each) {
        const auto found = after.find(each);
        return found != after.end() && found->second.names.contains(name);
      });
      if (loss.names.contains(name) && !given) out.push_back(name);
    }
  // A program that holds a copy of the data has room for the old size.
  if (!loss.sizes.empty() && mapped.contains(library) && library_name(binary).empty())
    for (const std::string& text : binary.exports) {
      const Export copy = parse_export(text);
      const auto grown = loss.sizes.find(copy.name);
      if (grown != loss.sizes.end() && copy.size == grown->second.first)
        out.push_back(fmt::format("{} ({} -> {} bytes)", copy.name, grown->second.first, grown->second.second));
    }
  return out;
}

constexpr std::size_t kShown = 5;

std::string shown(const std::vector<std::string>& all) {
  if (all.size() <= kShown) return join(all, ", ");
  const std::vector<std::string> some(all.begin(), all.begin() + kShown);
  return fmt::format("{} and {} more", join(some, ", "), all.size() - kShown);
}

/// Who still needs what `library` lost: package -> what.
struct Users {
  std::set<std::string> packages, symbols;
  std::vector<std::string> programs;  ///< "app: usr/bin/app"
};

Users users_of(const std::string& library, const Loss& loss, const JudgeInput& input, const Libraries& after) {
  Users out;
  for (const PackageFacts* facts : input.after)
    for (const BinaryFacts& binary : facts->binaries) {
      const bool needed = std::find(binary.needed.begin(), binary.needed.end(), library) != binary.needed.end();
      const std::vector<std::string> symbols =
          loss.all ? std::vector<std::string>() : needs(binary, library, loss, after);
      if (loss.all ? !needed : symbols.empty()) continue;
      out.packages.insert(facts->name);
      out.symbols.insert(symbols.begin(), symbols.end());
      out.programs.push_back(fmt::format("{}: {}", facts->name, binary.path));
    }
  return out;
}

/// The sonames of a package that are new: what took the place of the one that is gone.
std::vector<std::string> new_sonames(const ChangedPackage& package) {
  if (package.after == nullptr) return {};
  const std::vector<std::string> before = package.before->sonames(), after = package.after->sonames();
  std::vector<std::string> out;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(out));
  return out;
}

Verdict refuse(const ChangedPackage& package, const std::string& library, const Loss& loss, const Users& users) {
  Verdict out;
  out.gate = Gate::kAbiBreak;
  out.state = GateState::kRefused;
  out.subject = package.before->name;
  out.version = package.after != nullptr ? package.after->version : std::string();
  const std::string programs = shown(users.programs);
  if (loss.all) {
    const std::vector<std::string> sonames = new_sonames(package);
    out.words = fmt::format("{} -> {}; still needed by {}", library,
                            sonames.empty() ? "no library" : join(sonames, ", "), programs);
  } else {
    const std::vector<std::string> symbols(users.symbols.begin(), users.symbols.end());
    out.words = fmt::format("{} no longer gives {}; still needed by {}", library, shown(symbols), programs);
  }
  const std::vector<std::string> packages(users.packages.begin(), users.packages.end());
  out.next = fmt::format("build anew with it: {}; or keep the old library in a package of its own", shown(packages));
  return out;
}

}  // namespace

bool needs_all_facts(const std::vector<ChangedPackage>& changed) {
  Libraries after;
  for (const ChangedPackage& package : changed)
    if (package.after != nullptr) add_libraries(after, *package.after);
  return !losses_of(changed, after).empty();
}

std::vector<Verdict> judge_abi(const std::vector<ChangedPackage>& changed, const JudgeInput& input) {
  Libraries after;
  for (const PackageFacts* facts : input.after) add_libraries(after, *facts);
  std::vector<Verdict> out;
  const std::map<std::string, Loss> losses = losses_of(changed, after);
  for (const auto& [library, loss] : losses) {
    const Users users = users_of(library, loss, input, after);
    if (users.programs.empty()) continue;
    for (const ChangedPackage& package : changed) {
      if (package.before == nullptr) continue;
      const std::vector<std::string> gave = package.before->sonames();
      if (std::binary_search(gave.begin(), gave.end(), library)) out.push_back(refuse(package, library, loss, users));
    }
  }
  return out;
}

}  // namespace nacre::farm
