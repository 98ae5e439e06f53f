#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "definition/definition.h"
#include "package/elf.h"
#include "package/lint_rules.h"

#include <elf.h>
#include <fnmatch.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace nacre::package {
namespace {

using os::FileType;
using os::TreeEntry;
using Hits = std::vector<LintHit>;

bool not_directory(const TreeEntry& entry) { return entry.type != FileType::kDirectory; }
bool is_sbom(const TreeEntry& entry) { return entry.path.str().starts_with("var/lib/db/sbom/"); }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

codec::Json pair(std::string_view path, const char* key, std::string_view value) {
  codec::Json out = codec::Json::object();
  out.set("path", path);
  out.set(key, value);
  return out;
}

// ---- names that need a pattern ----

Hits match_paths(const LintSubject& subject, const RE2& pattern, const char* text) {
  Hits out;
  for (const TreeEntry& entry : subject.tree.entries)
    if (not_directory(entry) && RE2::PartialMatch(entry.path.str(), pattern))
      out.push_back({entry.path, text, entry.path.str()});
  return out;
}

Result<Hits> check_documentation(const LintSubject& subject) {
  static const RE2 kDocument(R"((?:READ(?:\.?ME)?|T[O]DO|CREDITS|\.(?:md|docx?|rst|[0-9][a-z]))$)");
  if (subject.package.ends_with("-doc")) return Hits{};
  return match_paths(subject, kDocument, "is documentation outside a -doc package");
}

Result<Hits> check_manuals(const LintSubject& subject) {
  static const RE2 kManual(R"(^usr/(?:(?:local/)?share/)?man(?:/man[0-9][^/]*)?)"
                           R"((?:/[^/]+\.[0-9][^/]*(?:\.(?:gz|bz2|xz|lzma|Z))?)?$)"
                           R"(|^usr/(?:local/)?share/info/(?:dir|[^/]+\.info(?:-[0-9]+)?)"
                           R"((?:\.(?:gz|bz2|xz|lzma|Z))?)$)");
  if (subject.package.ends_with("-doc")) return Hits{};
  return match_paths(subject, kManual, "is a manual page outside a -doc package");
}

Result<Hits> check_other_systems(const LintSubject& subject) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kMarks = {{
      {"darwin", "macos"}, {"macos", "macos"}, {"mac_os", "macos"}, {"mac-os", "macos"}, {"osx", "macos"},
      {"os_x", "macos"}, {"os-x", "macos"}, {"windows", "windows"}, {"win32", "windows"}, {"win64", "windows"}}};
  Hits out;
  for (const TreeEntry& entry : subject.tree.entries) {
    if (!not_directory(entry)) continue;
    const std::string folder = lower(entry.path.parent().str()), name = lower(entry.path.name());
    for (const auto& [mark, platform] : kMarks) {
      if (folder.find(mark) == std::string::npos && name.find(mark) == std::string::npos) continue;
      out.push_back({entry.path, fmt::format("is for {}", platform), pair(entry.path.str(), "platform", platform)});
      break;
    }
  }
  return out;
}

/// The machine that a path speaks of; empty. A directory that begins so is enough; in a name the word must stand alone,
/// and the path must not speak of a machine that we build for.
std::string_view foreign_machine(const std::string& path, const std::string& folder, const std::string& name) {
  static constexpr std::array<std::string_view, 18> kForeign = {
      "i386", "i686", "x86_32", "x86-32", "ppc64", "ppc64le", "powerpc", "s390x", "s390",
      "mips", "mipsel", "mips64", "riscv", "riscv64", "sparc", "sparc64", "ia64", "m68k"};
  static constexpr std::array<std::string_view, 5> kOurs = {"aarch64", "arm64", "amd64", "x86_64", "x86-64"};
  const bool ours = std::any_of(kOurs.begin(), kOurs.end(),
                                [&](auto machine) { return path.find(machine) != std::string::npos; });
  for (const std::string_view machine : kForeign) {
    if (folder.find("/" + std::string(machine)) != std::string::npos) return machine;
    for (const char* mark : {"-", "_", "."}) {
      const std::string word = mark + std::string(machine);
      const bool alone = name.find(word + mark) != std::string::npos || name.find(word + ".") != std::string::npos ||
                         name.ends_with(word);
      if (alone && !ours) return machine;
    }
  }
  return {};
}

Result<Hits> check_machines(const LintSubject& subject) {
  Hits out;
  for (const TreeEntry& entry : subject.tree.entries) {
    if (!not_directory(entry)) continue;
    const std::string_view machine =
        foreign_machine(lower(entry.path.str()), lower(entry.path.parent().str()), lower(entry.path.name()));
    if (!machine.empty())
      out.push_back({entry.path, fmt::format("is for {}", machine), pair(entry.path.str(), "arch", machine)});
  }
  return out;
}

Result<Hits> check_empty(const LintSubject& subject) {
  const auto& entries = subject.tree.entries;
  const bool full = std::any_of(entries.begin(), entries.end(),
                                [](const TreeEntry& entry) { return not_directory(entry) && !is_sbom(entry); });
  return full ? Hits{} : Hits{{{}, "the package holds no file", nullptr}};
}

// ---- what the definition's test should look at ----

bool tests_with(const LintSubject& subject, std::initializer_list<std::string_view> uses) {
  if (subject.definition == nullptr) return false;
  const definition::Test* test = &subject.definition->test;
  if (subject.definition->name != subject.package) {
    test = nullptr;
    for (const definition::Subpackage& sub : subject.definition->subpackages)
      if (sub.name == subject.package) test = &sub.test;
  }
  if (test == nullptr) return false;
  return std::any_of(test->pipeline.begin(), test->pipeline.end(), [&](const definition::Step& step) {
    return std::find(uses.begin(), uses.end(), step.uses) != uses.end();
  });
}

Result<Hits> check_library_tests(const LintSubject& subject) {
  static const RE2 kLibrary(R"(\.so(?:\.[0-9]+)*$)");
  if (tests_with(subject, {"test/ldd-check", "test/tw/ldd-check"})) return Hits{};
  return match_paths(subject, kLibrary, "is a library that no test loads");
}

Result<Hits> check_pkgconf_tests(const LintSubject& subject) {
  static const RE2 kModule(R"(^usr/(lib|share)/pkgconfig/)");
  if (tests_with(subject, {"test/pkgconf"})) return Hits{};
  return match_paths(subject, kModule, "is a pkg-config file that no test reads");
}

// ---- Python ----

/// What lies in the one site-packages of usr/lib/python3.*, or a hit when there are several such.
struct SitePackages {
  std::vector<const TreeEntry*> entries;
  Hits faults;
};
SitePackages site_packages(const LintSubject& subject) {
  SitePackages out;
  std::vector<TreePath> folders;
  for (const TreeEntry& entry : subject.tree.entries)
    if (::fnmatch("usr/lib/python3.*", entry.path.str().c_str(), FNM_PATHNAME) == 0) folders.push_back(entry.path);
  if (folders.size() > 1)
    out.faults.push_back({folders[1], fmt::format("is one of {} Python versions in one package", folders.size()),
                          folders[1].str()});
  if (folders.size() != 1) return out;
  for (const TreeEntry& entry : subject.tree.entries)
    if (entry.path.parent().str() == folders[0].str() + "/site-packages") out.entries.push_back(&entry);
  return out;
}

bool is_one_of(std::string_view name, std::string_view one, std::string_view other) {
  return name == one || name == other;
}

LintCheck python_folder_check(std::string_view one, std::string_view other, const char* text) {
  return [one, other, text](const LintSubject& subject) -> Result<Hits> {
    SitePackages found = site_packages(subject);
    for (const TreeEntry* entry : found.entries)
      if (is_one_of(entry->path.name(), one, other)) found.faults.push_back({entry->path, text, entry->path.str()});
    return std::move(found.faults);
  };
}

Result<Hits> check_python_packages(const LintSubject& subject) {
  SitePackages found = site_packages(subject);
  std::map<std::string, const TreeEntry*> packages;
  for (const TreeEntry* entry : found.entries) {
    std::string_view name = entry->path.name();
    const std::string_view extension = extension_of(entry->path);
    if (name.starts_with('_') || is_one_of(name, "test", "tests") || is_one_of(name, "doc", "docs")) continue;
    if (is_one_of(extension, ".egg-info", ".dist-info") || extension == ".pth") continue;
    // As many letters as the extension has: what the reference compares.
    if (!extension.empty()) name = name.substr(0, extension.size());
    packages.emplace(name, entry);
  }
  if (packages.size() < 2) return std::move(found.faults);
  for (const auto& [name, entry] : packages)
    found.faults.push_back({entry->path, fmt::format("is one of {} Python packages", packages.size()), name});
  return std::move(found.faults);
}

// ---- ELF ----

/// An executable bit, or an extension that begins as those of libraries do.
bool may_be_code(const TreeEntry& entry) {
  if (entry.type != FileType::kRegular || entry.size_bytes < 4 || is_sbom(entry)) return false;
  const std::string_view extension = extension_of(entry.path);
  return (entry.mode & 0111) != 0 || extension.starts_with(".a") || extension.starts_with(".so") ||
         extension.starts_with(".dylib");
}

using ElfVisitor = std::function<void(const TreeEntry&, const Result<Elf>&)>;
Result<> visit_code(const LintSubject& subject, const ElfVisitor& visit) {
  for (const TreeEntry& entry : subject.tree.entries) {
    if (!may_be_code(entry)) continue;
    const MappedFile mapped = TRY(MappedFile::open(subject.tree.root, entry.path));
    if (is_elf(mapped.bytes())) visit(entry, read_elf(mapped.bytes(), ElfParts::kDynamic));
  }
  return {};
}

std::string machine_name(int machine) {
  switch (machine) {
    case EM_386: return "i386";
    case EM_ARM: return "arm";
    case EM_PPC64: return "ppc64";
    case EM_S390: return "s390";
    case EM_MIPS: return "mips";
    case EM_RISCV: return "riscv";
    default: return fmt::format("unknown ({})", machine);
  }
}

Result<Hits> check_binary_machines(const LintSubject& subject) {
  Hits out;
  TRY(visit_code(subject, [&](const TreeEntry& entry, const Result<Elf>& elf) {
    if (!elf || elf->machine == EM_X86_64 || elf->machine == EM_AARCH64) return;
    const std::string machine = machine_name(elf->machine);
    out.push_back({entry.path, fmt::format("is code for {}", machine), pair(entry.path.str(), "arch", machine)});
  }));
  return out;
}

Result<Hits> check_stripped(const LintSubject& subject) {
  Hits out;
  TRY(visit_code(subject, [&](const TreeEntry& entry, const Result<Elf>& elf) {
    if (!elf)
      out.push_back({entry.path, elf.error().render(), entry.path.str()});
    else if (elf->has_debug_section)
      out.push_back({entry.path, "has a debug section", entry.path.str()});
  }));
  return out;
}

// ---- duplicates ----

/// Names that licenses bear (LICENSE, COPYING.md, MIT-LICENSE.txt, OFL, PATENTS …): their text may lie in many places.
bool is_license_name(const std::string& name) {
  static const RE2 kLicense(R"((?i)^(?:(?:(?:un)?licen[sc]e|copy(?:ing|right))(?:[-_][^.]*)?(?:\.[^./]+)?)"
                            R"(|\w+[-_](?:(?:un)?licen[sc]e|copy(?:ing|right))[^.]*(?:\.[^./]+)?)"
                            R"(|(?:ofl|patents)(?:\.[^./]+)?)$)");
  static const RE2 kIgnored(R"(\.(?:xml|go|gemspec|spdx|header)$)");
  return RE2::PartialMatch(name, kLicense) && !RE2::PartialMatch(name, kIgnored);
}

using Copies = std::vector<const TreeEntry*>;

Result<std::map<std::string, Copies>> by_content(const PackageTree& tree, const Copies& candidates) {
  std::map<std::string, Copies> out;
  for (const TreeEntry* entry : candidates) {
    const MappedFile mapped = TRY(MappedFile::open(tree.root, entry->path));
    out[codec::sha256(mapped.bytes()).hex()].push_back(entry);
  }
  return out;
}

LintHit duplicate_hit(const Copies& copies) {
  const std::uint64_t size = copies[0]->size_bytes, wasted = size * (copies.size() - 1);
  std::vector<std::string> paths;
  for (const TreeEntry* entry : copies) paths.push_back(entry->path.str());
  std::sort(paths.begin(), paths.end());
  codec::Json detail = codec::Json::object();
  detail.set("basename", copies[0]->path.name());
  detail.set("count", static_cast<std::int64_t>(copies.size()));
  detail.set("size_bytes", size);
  detail.set("size", human_bytes(size));
  detail.set("wasted_bytes", wasted);
  detail.set("wasted_size", human_bytes(wasted));
  detail.set("paths", codec::Json::strings(paths));
  return {copies[0]->path, fmt::format("is there {} times, {} too much", copies.size(), human_bytes(wasted)),
          std::move(detail)};
}

/// Only files that share name and size with another are read at all.
Result<Hits> check_duplicates(const LintSubject& subject) {
  constexpr std::uint64_t kLeastBytes = 1024;
  std::map<std::pair<std::string, std::uint64_t>, Copies> groups;
  for (const TreeEntry& entry : subject.tree.entries)
    if (entry.type == FileType::kRegular && entry.size_bytes >= kLeastBytes)
      groups[{std::string(entry.path.name()), entry.size_bytes}].push_back(&entry);
  Hits out;
  for (const auto& [key, candidates] : groups) {
    if (candidates.size() < 2 || is_license_name(key.first)) continue;
    const auto contents = TRY(by_content(subject.tree, candidates));
    for (const auto& [digest, copies] : contents)
      if (copies.size() > 1) out.push_back(duplicate_hit(copies));
  }
  std::stable_sort(out.begin(), out.end(), [](const LintHit& a, const LintHit& b) {
    return a.detail["wasted_bytes"].as_int() > b.detail["wasted_bytes"].as_int();
  });
  return out;
}

}  // namespace

LintCheck file_check(std::string_view name) {
  static const std::map<std::string_view, LintCheck> kChecks = {
      {"binaryarch", check_binary_machines},
      {"documentation", check_documentation},
      {"duplicate", check_duplicates},
      {"empty", check_empty},
      {"lddcheck", check_library_tests},
      {"maninfo", check_manuals},
      {"nonlinux", check_other_systems},
      {"pkgconf", check_pkgconf_tests},
      {"python/docs", python_folder_check("doc", "docs", "is documentation among Python's packages")},
      {"python/multiple", check_python_packages},
      {"python/test", python_folder_check("test", "tests", "is a test among Python's packages")},
      {"strip", check_stripped},
      {"unsupportedarch", check_machines},
  };
  return kChecks.at(name);
}

}  // namespace nacre::package
