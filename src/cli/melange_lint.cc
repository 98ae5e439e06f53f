#include "base/text.h"
#include "cli/melange_common.h"
#include "codec/json.h"
#include "package/lint.h"
#include "package/package.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>

namespace nacre::cli {
namespace {

/// An .apk, from a file or an address, and its files in a directory that goes with this.
struct UnpackedApk {
  os::TempDir folder;
  apk::PackageFile file;
  Path tree() const { return folder.path() / "tree"; }
};

Result<UnpackedApk> unpack_apk(const std::string& file, Env& env) {
  UnpackedApk out{TRY(os::TempDir::create(env.store.work_dir(), "apk-")), {}};
  Path place = file;
  if (is_address(file)) {
    const std::string bytes = TRY(read_address(file, std::uint64_t{4} << 30, env));
    place = out.folder.path() / "package.apk";
    TRY(os::write_file(place, bytes));
  }
  TRY(os::make_dirs(out.tree()));
  const auto owners = ::geteuid() == 0 ? apk::Owners::kKeep : apk::Owners::kIgnore;  // without root no setuid
  TRY(apk::unpack_package(place, out.tree(), owners));
  out.file = TRY(apk::read_package_header(place));
  return out;
}

Result<int> run_lint(const MelangeArguments& arguments, Session& session) {
  const package::LintChoice choice =
      TRY(package::LintChoice::of(arguments.list("--lint-require"), arguments.list("--lint-warn")));
  std::string text;
  std::vector<std::string> fatal;
  for (const std::string& file : arguments.words) {
    const UnpackedApk apk = TRY(unpack_apk(file, session.env), "unpacking '{}'", file);
    const std::string& name = apk.file.info.name;
    const package::PackageTree tree = TRY(package::PackageTree::walk(apk.tree()));
    const std::vector<package::Finding> findings =
        TRY(package::lint_package(tree, nullptr, name, choice), "linting '{}'", file);
    for (const package::Finding& finding : findings) {
      const std::string line =
          fmt::format("{}: {}: {} [{}]", finding.package, finding.path.str(), finding.text, finding.rule);
      text += fmt::format("{}  {}\n", finding.fatal ? "error  " : "warning", line);
      if (finding.fatal) fatal.push_back(line);
    }
    const std::string full_name = fmt::format("{}-{}", name, apk.file.info.version);
    const codec::Json results = package::lint_results(findings, full_name);
    if (!arguments.on("--persist-lint-results") || results.is_null()) continue;
    const Path folder = Path(arguments.text("--out-dir")) / apk.file.info.arch;
    TRY(os::make_dirs(folder));
    TRY(os::write_file(folder / package::lint_results_name(full_name), codec::to_pretty_json(results)));
  }
  if (!text.empty()) session.print(text);
  if (fatal.empty()) return 0;
  return Error::make(ErrorKind::kDenied, "{} findings of linters that must pass:\n  {}", fatal.size(),
                     join(fatal, "\n  "));
}

/// What a new scan would write into .PKGINFO of one package.
Result<std::string> scanned(const definition::Definition& definition, const UnpackedApk& apk,
                            const std::vector<Path>& siblings) {
  const std::string& name = apk.file.info.name;
  const auto sub = std::find_if(definition.subpackages.begin(), definition.subpackages.end(),
                                [&](const definition::Subpackage& known) { return known.name == name; });
  const bool main = sub == definition.subpackages.end();
  const package::Scan scan = TRY(package::scan_tree(apk.tree(), siblings, definition, name), "scanning '{}'", name);
  apk::PackageInfo info = apk.file.info;
  info.depends.clear();
  info.provides.clear();
  package::merge_dependencies(info, main ? definition.dependencies : sub->dependencies, scan);
  return apk::write_package_info(info);
}

std::vector<std::string> lines_of(const std::string& text, bool comments) {
  std::vector<std::string> out;
  for (std::string& line : split(text, '\n'))
    if (!line.empty() && (comments || !line.starts_with('#'))) out.push_back(std::move(line));
  return out;
}

/// Lines with ' ', '-' or '+' in front, by the longest common subsequence; empty when both are equal.
std::string difference(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a == b) return {};
  std::vector<std::vector<std::size_t>> length(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      length[i][j] = a[i] == b[j] ? length[i + 1][j + 1] + 1 : std::max(length[i + 1][j], length[i][j + 1]);
  std::string out;
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      out += " " + a[i++] + "\n";
      ++j;
    } else if (j == b.size() || (i < a.size() && length[i + 1][j] >= length[i][j + 1])) {
      out += "-" + a[i++] + "\n";
    } else {
      out += "+" + b[j++] + "\n";
    }
  }
  return out;
}

Result<std::string> published_info(const UnpackedApk& apk) {
  const auto files = TRY(apk::read_control_files(apk.file.path));
  for (const auto& [name, content] : files)
    if (name == ".PKGINFO") return content;
  return Error::make(ErrorKind::kInvalid, "'{}' has no .PKGINFO", apk.file.path.string());
}

/// The packages of a definition as a repository holds them, main first; what is not there is left out.
Result<std::vector<UnpackedApk>> published(const definition::Definition& definition, const MelangeArguments& arguments,
                                           const Arch& arch, Env& env) {
  std::vector<std::string> names = {definition.name};
  for (const definition::Subpackage& sub : definition.subpackages) names.push_back(sub.name);
  std::vector<UnpackedApk> out;
  for (const std::string& name : names) {
    const std::string file = fmt::format("{}/{}/{}-{}.apk", arguments.text("--repository-append"), arch.apk, name,
                                         definition.full_version());
    if (!is_address(file) && !os::exists(file)) {
      env.events.emit({.kind = EventKind::kWarning, .name = "scan", .detail = fmt::format("no '{}': left out", file)});
      continue;
    }
    out.push_back(TRY(unpack_apk(file, env), "unpacking '{}'", file));
  }
  return out;
}

Result<bool> scan_for(const std::string& config, const MelangeArguments& arguments, const Arch& arch,
                      Session& session) {
  const definition::Definition definition = TRY(load_config(config, arguments, session.os_dir, arch));
  const std::vector<UnpackedApk> packages = TRY(published(definition, arguments, arch, session.env));
  if (packages.empty())
    return Error::make(ErrorKind::kNotFound, "'{}' holds no package of {}-{}", arguments.text("--repository-append"),
                       definition.name, definition.full_version());
  bool differs = false;
  for (const UnpackedApk& apk : packages) {
    std::vector<Path> siblings;
    for (const UnpackedApk& other : packages)
      if (&other != &apk) siblings.push_back(other.tree());
    const std::string made = TRY(scanned(definition, apk, siblings));
    if (!arguments.on("--diff")) {
      const std::string only = arguments.text("--package");
      if (only.empty() || only == apk.file.info.name) session.print(made);
      continue;
    }
    const std::string old = TRY(published_info(apk));
    const bool comments = arguments.on("--comments");
    const std::string text = difference(lines_of(old, comments), lines_of(made, comments));
    if (text.empty()) continue;
    differs = true;
    session.print(
        fmt::format("--- {0}-{1}.apk\n+++ {2}\n{3}", apk.file.info.name, apk.file.info.version, config, text));
  }
  return differs;
}

Result<int> run_scan(const MelangeArguments& arguments, Session& session) {
  bool differs = false;
  const std::vector<Arch> archs = TRY(archs_of(arguments));
  for (const std::string& config : arguments.words)
    for (const Arch& arch : archs) {
      const bool here = TRY(scan_for(config, arguments, arch, session));
      differs = differs || here;
    }
  return differs ? 1 : 0;
}

}  // namespace

MelangeCommand melange_lint() {
  using F = MelangeFlag;
  return {.name = "lint",
          .summary = "look for what is wrong in packages",
          .usage = "FILE.apk …",
          .flags = {{"--lint-require", 0, F::kList, kLintRequired, "linters that must pass", ""},
                    {"--lint-warn", 0, F::kList, kLintWarned, "linters that only warn", ""},
                    {"--out-dir", 0, F::kText, "packages", "where --persist-lint-results writes", ""},
                    {"--persist-lint-results", 0, F::kSwitch, "", "write ARCH/lint-NAME-VERSION.json", ""}},
          .min_words = 1,
          .max_words = 1u << 20,
          .run = run_lint};
}

MelangeCommand melange_scan() {
  using F = MelangeFlag;
  return {.name = "scan",
          .summary = "scan the published packages of definitions anew, and print .PKGINFO",
          .usage = "CONFIG …",
          .flags = {{"--arch", 0, F::kList, "", "architectures; the machine's when there is none", ""},
                    {"--comments", 0, F::kSwitch, "", "compare comments, too", ""},
                    {"--diff", 0, F::kSwitch, "", "print what differs; exit code 1 when something does", ""},
                    {"--keyring-append", 'k', F::kText, "", "key of the repository",
                     "packages are read by name, not by the index"},
                    {"--namespace", 0, F::kText, "", "namespace of package URLs", "no SBOM is made"},
                    {"--package", 'p', F::kText, "", "only this package", ""},
                    {"--repository-append", 'r', F::kText, "./packages", "where the packages are", ""}},
          .min_words = 1,
          .max_words = 1u << 20,
          .run = run_scan};
}

}  // namespace nacre::cli
