#pragma once

#include "apk/package_file.h"
#include "base/env.h"
#include "base/result.h"
#include "codec/json.h"
#include "os/file.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

/// Something with a name and a version that stands in a package, or that the package is.
struct Component {
  std::string ecosystem;  ///< OSV's: "Go", "PyPI", "npm", kCratesEcosystem, "Maven", "RubyGems", "Wolfi"; "GIT" for a
                          ///< repository at a tag; "Debian" for a source that is named there.
  std::string name;       ///< "golang.org/x/net", "stdlib", "group:artifact", "github.com/madler/zlib"
  std::string version;    ///< As the ecosystem writes it: "0.17.0", "1.22.5", "v1.3.1".
  std::string path;       ///< In the package, without leading '/': where it was seen. Empty: the package's own source.

  auto operator<=>(const Component&) const = default;
};

/// The field's word for an ecosystem: "go-module", "python", "rust-crate", "npm", "java-archive", "gem", "apk", …
std::string component_type(std::string_view ecosystem);

/// What a package is and holds.
struct PackageComponents {
  std::string name, origin, version, arch;
  std::string distribution;           ///< Namespace of its package URL: "wolfi", "nacre"; empty: not said.
  std::vector<Component> components;  ///< Sorted, each once.
  std::vector<std::string> not_read;  ///< Files that may hold components and could not be read, with the reason.
};

/// Reads files for the components that they name, as they come from a package or a layer. What is malformed is noted in
/// `not_read`, and the rest is read.
class FileReader {
 public:
  explicit FileReader(PackageComponents& out) : out_(&out) {}
  void begin(std::string_view path, bool regular);  ///< Ends the file before.
  void data(std::string_view piece);
  void finish_file();
  void write_to(PackageComponents& out) { out_ = &out; }  ///< For the files that begin from now on.

 private:
  /// What a file is to be read for, by its path; programs show by their first bytes.
  enum class Use { kNone, kProgram, kSbom, kPython, kNpm, kJar };
  static Use use_of(std::string_view path);
  void add(Component component);
  Result<> read_file();
  Result<> read_program();
  Result<> read_sbom();

  PackageComponents* out_;
  std::string path_, content_;
  Use use_ = Use::kNone;
  bool too_large_ = false;
};

/// Sorted, each once.
void sort_components(PackageComponents& package);

/// Reads a package file: its SBOMs (sources by package URL) and every file that names components (Go build
/// information, cargo auditable, Python's METADATA, npm's package.json, gemspecs, pom.properties in jars). kInvalid as
/// apk::read_package() says; a file inside that is malformed is noted, and the rest is read.
Result<PackageComponents> read_package_components(const os::Path& file);

/// The packages of an image in the store (one manifest), by its installed database and its layers; files of no package
/// are held by one without a version, "(files)".
Result<std::vector<PackageComponents>> read_image_components(const Sha256& manifest, Env& env);

codec::Json to_json(const PackageComponents& package);
Result<PackageComponents> components_from_json(const codec::Json& json);

// ---- readers of single files; all of hostile bytes

/// Modules and the Go release of a program, from its ELF section ("go1.22.5" -> "stdlib" 1.22.5, a replaced module as
/// its replacement). Versions "(devel)" are left out.
std::vector<Component> go_components(std::string_view go_build_info);
/// "go1.22rc1 X:exp" -> "1.22.0-rc.1", as the Go project's own records write it; empty for what is no release.
std::string go_release(std::string_view go_version);
/// Crates of a program (zlib stream of JSON in .dep-v0). kInvalid when it is malformed.
Result<std::vector<Component>> cargo_components(std::string_view cargo_audit);
/// Name and Version of METADATA or PKG-INFO.
std::optional<Component> python_component(std::string_view metadata);
/// name and version of a package.json.
std::optional<Component> npm_component(std::string_view package_json);
/// groupId, artifactId and version of a pom.properties.
std::optional<Component> maven_component(std::string_view pom_properties);
/// All pom.properties of a jar, and of jars in it up to two levels down. kInvalid when it is no zip.
Result<std::vector<Component>> jar_components(std::string_view bytes, const std::string& path, int depth = 2);
/// "specifications/rack-3.0.8.gemspec" -> rack 3.0.8.
std::optional<Component> gem_component(std::string_view path);

/// A package URL that an SBOM names, as a component: pkg:github and generic ones with vcs_url as "GIT", pkg:pypi, npm,
/// cargo, gem, maven, golang; nothing for others (pkg:apk, oci, deb).
std::optional<Component> component_of_purl(std::string_view purl);

}  // namespace nacre::advisory
