#pragma once

#include "base/result.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "definition/definition.h"
#include "os/file.h"

#include <optional>
#include <string>
#include <vector>

namespace nacre::image {

/// One entry of `paths:`.
struct PathChange {
  std::string path, source;               ///< Normal.
  std::string written, written_source;    ///< As the file has them.
  std::string type;                       ///< directory, empty-file, hardlink, symlink, permissions.
  std::optional<unsigned> uid, gid, mode;
  bool recursive = false;
  Place place;
};

/// A text under a name: a certificate, a key.
struct NamedText {
  std::string name, content;
  Place place;
};

struct SpecUser : definition::Account {   ///< home is filled in; shell as written.
  bool gid_given = false;
};

struct Entrypoint {
  std::string type;                       ///< "", or "service-bundle".
  std::string command, shell_fragment;    ///< The fragment counts when both are given.
  definition::Pairs services;             ///< Name -> command, for s6.
};

struct Contents {
  std::vector<std::string> repositories;          ///< To choose from, and in etc/apk/repositories.
  std::vector<std::string> build_repositories;    ///< To choose from.
  std::vector<std::string> runtime_repositories;  ///< In etc/apk/repositories.
  std::vector<Place> repository_places;           ///< Of all three, in this order of the file.
  std::vector<std::string> keyring;               ///< Files or addresses of public keys.
  std::vector<NamedText> runtime_keyring;         ///< Keys for the image that choose nothing.
  std::vector<std::string> packages;              ///< The world.
  std::vector<Place> package_places;
  struct BaseImage {
    std::string image, index;                     ///< OCI layout; folder with ARCH/APKINDEX.
    Place place;
  };
  std::optional<BaseImage> base;
};

struct Accounts {
  std::string run_as;
  std::vector<SpecUser> users;
  std::vector<definition::AccountGroup> groups;
};

/// layering.strategy: "origin" as the field has it; "package" and "single" are nacre's own.
struct Layering {
  std::string strategy;
  int budget = 0;
};

struct Certificates {
  std::vector<NamedText> additional;
  std::vector<std::string> providers;     ///< Virtual names: packages that give them bring certificates.
};

/// An image definition, apko's YAML (spec 5.1), strictly read.
struct ImageSpec {
  std::string file, name;                 ///< name: of the file, without ".yaml".
  Contents contents;
  Entrypoint entrypoint;
  std::string cmd, work_dir, stop_signal, vcs_url, include;
  Accounts accounts;
  std::vector<std::string> archs;         ///< apk's names, each once, ordered by OCI name.
  definition::Pairs environment, annotations;
  std::vector<PathChange> paths;
  std::vector<std::string> volumes;
  std::optional<Layering> layering;
  std::optional<Certificates> certificates;
  std::string format;                     ///< "" or "tar".
};
constexpr int kDefaultLayerBudget = 64;
constexpr std::string_view kServiceBundle = "service-bundle", kServiceCommand = "/bin/s6-svscan /sv";

/// kInvalid with place and nearest name for unknown fields, wrong types, and what apko refuses. `include:` is read and
/// kept; load_image_spec() follows it.
Result<ImageSpec> read_image_spec(const codec::YamlTree& yaml);

/// A definition with all that it includes, and what a lock says of it.
struct LoadedSpec {
  ImageSpec spec;
  std::string checksum;                   ///< "sha256-" + base64 over the texts of the file and of each included one.
};

/// Reads a definition file and what it includes, looked for as given and then below `include_paths`.
/// kInvalid for circles.
Result<LoadedSpec> load_image_spec(const std::string& file, const std::vector<std::string>& include_paths);

/// The first of `path` itself and DIRECTORY/`path` that there is; kNotFound names all that were tried.
Result<std::string> find_input(const std::string& path, const std::vector<std::string>& include_paths);

/// Lays `included` under `spec`: single values where `spec` has none, lists before its own, mappings by key.
void merge_included(const ImageSpec& included, ImageSpec& spec);

/// What decides bytes, as apko's field names and order have it; absent where apko leaves empty fields out.
codec::Json spec_to_json(const ImageSpec& spec);

/// One line as Go's encoder writes it, without line end.
std::string go_json(const codec::Json& json);

/// The same as YAML, as `apko show-config` prints it.
std::string spec_to_yaml(const ImageSpec& spec);

/// JSON schema of the format, from the tables that read it.
codec::Json image_schema();

/// The packages that are asked for: those written, and s6 for a service bundle; sorted, each once.
std::vector<std::string> world_of(const ImageSpec& spec);

/// An octal number (0o755, 0755), as people write permissions; 0x and decimals with an 8 or 9 are numbers too.
Result<unsigned> parse_mode(std::string_view text);

}  // namespace nacre::image
