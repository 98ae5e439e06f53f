#pragma once

#include "apk/package_file.h"
#include "base/edition.h"
#include "base/env.h"
#include "build/build.h"
#include "package/lint.h"
#include "package/tree.h"

#include <map>
#include <string>
#include <vector>

namespace nacre::package {

/// Part of each package's key: raise it when equal trees would be packed into other bytes.
constexpr std::string_view kPackagerVersion = "3";

/// The compiled definition as packages carry it in .melange.yaml: without `test` and `update`, which do not change
/// what is built (docs/decisions/0003-embedded-definition.md).
codec::Json embedded_definition(const definition::Definition& definition);

/// What goes into one .apk besides the tree: made by rooms above (attest) and handed down.
struct Extra {
  std::string package;       ///< Name of the package it belongs to.
  TreePath path;             ///< "var/lib/db/sbom/zlib-1.3.2-r0.spdx.json"
  std::string content;
};

/// What scanning a tree found (spec 3.6), before merging with the definition's own. Each list sorted and unique.
struct Scan {
  std::vector<std::string> depends, provides, vendored;
};
/// Depends and provides of a package made from what its files hold: docs/formats/scan.md lists each generator and where
/// it departs from the reference. `siblings` are the other packages of the same build: their library directories count,
/// and a library link may lead to them.
struct ScanRequest {
  const PackageTree* tree = nullptr;
  std::vector<const PackageTree*> siblings;
  const definition::Definition* definition = nullptr;
  std::string package;
  /// Of each library of the build root the version of its package: soname -> "1.3.2-r0". With it, depends on
  /// `so-ver:SONAME>=VERSION` are made too, unless the package says no-versioned-shlib-deps. Empty: none.
  std::map<std::string, std::string> library_versions;
};
Result<Scan> scan_package(const ScanRequest& request);
/// The same for trees on disk.
Result<Scan> scan_tree(const os::Path& tree, const std::vector<os::Path>& siblings,
                       const definition::Definition& definition, std::string_view package);

/// Declared and found names joined (spec 3.6, merge): depends that a vendored library meets are left out, then what the
/// package itself provides, declared ones too.
void merge_dependencies(apk::PackageInfo& info, const definition::Dependencies& declared, const Scan& scan);

/// Names of owners, by number: uname and gname of entries. Number 0 is always root.
struct Accounts {
  std::map<std::uint64_t, std::string> users = {{0, "root"}}, groups = {{0, "root"}};
  /// As the build root has them: etc/passwd and etc/group of its last tree that holds one, then the accounts that the
  /// definition asks for.
  static Accounts of(const std::vector<os::Path>& root_trees, const definition::Environment& environment);
};

/// What our own gates (gate_names()) do: our distribution refuses, foreign definitions are warned.
enum class Gates { kRefuse, kWarn };

/// BuiltTree -> signed .apk files in `out_dir` (NAME-VERSION.apk), main first. Runs scan, lint and gates; a fatal
/// finding is kDenied and lists all of them. Memory stays bounded whatever the size of the trees; the bytes do not
/// depend on the number of threads.
struct PackageRequest {
  const definition::Definition* definition = nullptr;
  Arch arch = host_arch();
  const build::BuiltTree* built = nullptr;
  std::vector<Extra> extras;
  std::string commit;
  std::int64_t source_date_epoch = 0;
  apk::SegmentSigner signer;
  os::Path out_dir;
  std::string maintainer = "nacre";       ///< The reference's --namespace; empty: no such line.
  bool strip_origin = false;              ///< Each package is its own origin.
  LintChoice lint = LintChoice::defaults();  ///< Before the definition's `checks.disabled`.
  Gates gates = Gates::kRefuse;
  os::Path lint_results_dir;              ///< When set: lint-NAME-VERSION.json for each package with findings.
  Accounts accounts;
  std::map<std::string, std::string> library_versions;  ///< See ScanRequest.
  /// What no package may hold, in content, names, links, attributes, scripts or metadata: kDenied names package, path
  /// and secret, never the value.
  std::vector<build::Secret> forbidden;
};
Result<std::vector<apk::PackageFile>> make_packages(const PackageRequest& request, Env& env);
Result<std::vector<apk::PackageFile>> make_packages(const PackageRequest& request, Events& events,
                                                    const std::stop_token& stop);

}  // namespace nacre::package
