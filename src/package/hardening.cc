#include "package/elf.h"
#include "package/lint.h"

#include <algorithm>
#include <array>

namespace nacre::package {
namespace {

/// A file that may break a rule, and why. Matched by package and the end of the path; an empty end matches all.
struct Exception {
  std::string_view package, path_end, rule, reason;
};
constexpr std::array kExceptions = {
    Exception{"glibc", "", "stack-protector",
              "the C library guards itself where it can; start-up code runs before the guard exists"},
    Exception{"glibc", "", "fortify", "the C library implements the checked functions"},
    Exception{"glibc-", "", "stack-protector", "parts of the C library"},
    Exception{"glibc-", "", "fortify", "parts of the C library"},
    Exception{"glibc", "ld-linux-x86-64.so.2", "bind-now", "the loader relocates itself"},
};

bool excepted(std::string_view package, const TreePath& path, std::string_view rule) {
  return std::any_of(kExceptions.begin(), kExceptions.end(), [&](const Exception& e) {
    const bool same = e.package.ends_with('-') ? package.starts_with(e.package) : package == e.package;
    return same && path.str().ends_with(e.path_end) && rule == e.rule;
  });
}

bool imports(const Elf& elf, std::string_view symbol) {
  return std::any_of(elf.imports.begin(), elf.imports.end(),
                     [&](const ElfSymbol& import) { return import.name == symbol; });
}

/// Whether the file calls a function that FORTIFY replaces, and none of the replacements.
bool unfortified(const Elf& elf) {
  constexpr std::array<std::string_view, 8> kPlain = {"memcpy", "strcpy", "sprintf", "snprintf",
                                                      "vsnprintf", "printf", "fprintf", "read"};
  const bool plain = std::any_of(kPlain.begin(), kPlain.end(), [&](auto name) { return imports(elf, name); });
  const bool checked = std::any_of(elf.imports.begin(), elf.imports.end(),
                                   [](const ElfSymbol& import) { return import.name.ends_with("_chk"); });
  return plain && !checked;
}

constexpr std::array<std::string_view, 15> kGates = {
    "gate/control-name",  "gate/setcap",          "gate/special-file",  "hardening/bind-now",   "hardening/cet",
    "hardening/fortify",  "hardening/info-index", "hardening/nx-stack", "hardening/pie",        "hardening/relro",
    "hardening/rpath",    "hardening/stack-protector", "hardening/textrel", "hardening/unreadable",
    "hardening/wx-segment"};

struct Gate {
  std::string package;
  std::vector<Finding> findings;

  void add(const TreePath& path, std::string_view rule, std::string_view text, bool fatal) {
    if (excepted(package, path, rule)) return;
    findings.push_back({fmt::format("hardening/{}", rule), package, path, std::string(text), fatal, path.str()});
  }

  void check(const TreePath& path, const Elf& elf) {
    if (elf.type == 1) return;  // an object file: judged once it is linked
    if (elf.type == 2) add(path, "pie", "fixed-address executable; link it with -pie", true);
    if (elf.executable_stack) add(path, "nx-stack", "asks for an executable stack", true);
    if (elf.writable_code) add(path, "wx-segment", "has a segment that is writable and executable", true);
    if (elf.text_relocations) add(path, "textrel", "has relocations in its code", true);
    if (!elf.relro) add(path, "relro", "has no RELRO segment; link it with -z relro", true);
    if (elf.dynamic && !elf.needed.empty() && !elf.bind_now)
      add(path, "bind-now", "is not bound at start; link it with -z now", true);
    for (const std::string* list : {&elf.rpath, &elf.runpath})
      if (!list->empty() && !list->starts_with("/usr/lib") && !list->starts_with("$ORIGIN"))
        add(path, "rpath", fmt::format("searches libraries in '{}'", *list), true);
    if (elf.needed.empty()) return;  // static or without libc: nothing more can be seen from symbols
    if (unfortified(elf)) add(path, "fortify", "calls no checked function although it could", false);
    if (!imports(elf, "__stack_chk_fail"))
      add(path, "stack-protector", "no function needed a stack guard", false);
    if (elf.machine == 62 && !(elf.has_ibt && elf.has_shstk))
      add(path, "cet", "is not marked for indirect branch tracking and shadow stacks", true);
  }
};

}  // namespace

std::span<const std::string_view> gate_names() { return kGates; }

Result<std::vector<Finding>> check_hardening(const PackageTree& tree, std::string_view package) {
  Gate gate{std::string(package), {}};
  for (const os::TreeEntry& entry : tree.entries) {
    if (entry.type != os::FileType::kDirectory && entry.path.str() == "usr/share/info/dir")
      gate.add(entry.path, "info-index", "is the shared index of info pages, which two packages cannot both own", true);
    if (entry.type != os::FileType::kRegular || entry.size_bytes < 52) continue;
    const MappedFile mapped = TRY(MappedFile::open(tree.root, entry.path));
    if (!is_elf(mapped.bytes())) continue;
    const auto elf = read_elf(mapped.bytes());
    if (!elf)
      gate.add(entry.path, "unreadable", elf.error().render(), true);
    else
      gate.check(entry.path, *elf);
  }
  return std::move(gate.findings);
}

Result<std::vector<Finding>> check_hardening(const os::Path& tree, std::string_view package) {
  const PackageTree walked = TRY(PackageTree::walk(tree));
  return check_hardening(walked, package);
}

}  // namespace nacre::package
