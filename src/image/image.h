#pragma once

#include "base/arch.h"
#include "base/edition.h"
#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "definition/definition.h"
#include "index/index.h"
#include "os/file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nacre::image {

/// One entry of `paths:`.
struct PathChange {
  std::string path, type, source;   ///< type: directory, empty-file, hardlink, symlink, permissions.
  unsigned uid = 0, gid = 0, mode = 0;
  bool owner_given = false, recursive = false;
  Place place;
};

/// An image definition, apko's YAML (spec 5.1), strictly read.
struct ImageSpec {
  std::string file, name;                 ///< name: of the file, without ".yaml".
  std::vector<std::string> packages;      ///< contents.packages: the world.
  std::vector<Place> package_places;
  std::vector<std::string> repositories, keyring;  ///< Refused by compose_image: nacre supplies the edition's own.
  std::vector<Place> repository_places;
  std::string entrypoint_type, entrypoint_command, shell_fragment, cmd, work_dir, stop_signal, run_as;
  std::vector<definition::Account> users;
  std::vector<definition::AccountGroup> groups;
  definition::Pairs environment, annotations;
  std::vector<std::string> archs, volumes;
  std::vector<PathChange> paths;
  std::string vcs_url;
  int layer_budget = 0;                   ///< layering.budget; 0: kDefaultLayerBudget.
};
constexpr int kDefaultLayerBudget = 64;

/// kInvalid with place and nearest name for unknown fields, wrong types, what apko refuses, and features that nacre
/// does not have yet.
Result<ImageSpec> read_image_spec(const codec::YamlTree& yaml);

/// A blob that an image consists of.
struct Descriptor {
  std::string media_type;
  Sha256 digest;
  std::uint64_t size = 0;
};
codec::Json to_json(const Descriptor& descriptor);

struct Layer {
  Descriptor blob;
  Sha256 diff_id;
  std::vector<std::string> packages;      ///< "name=version"; empty for the top layer.
};

/// A composed image: every blob is in the store.
struct Image {
  std::string name;
  Arch arch = host_arch();
  Edition edition = Edition::kCommunity;
  std::vector<Layer> layers;              ///< Bottom first.
  Descriptor config, manifest, index;     ///< index: OCI index that names the manifest with its platform.
  std::vector<std::string> packages;      ///< "name=version", sorted.
  std::int64_t created = 0;
  Sha256 inputs;                          ///< compose_key().
};

struct ComposeRequest {
  const ImageSpec* spec = nullptr;
  Arch arch = host_arch();
  Edition edition = Edition::kCommunity;
  std::vector<index::SerialPackage> packages;  ///< The solved closure, install order, all of `edition`.
  std::string public_key;                      ///< PEM of the edition's package key, put into etc/apk/keys.
  std::string repository;                      ///< Line for etc/apk/repositories; empty: none.
};

/// Digest of everything that decides the image's bytes. Equal key: the image is the same.
Sha256 compose_key(const ComposeRequest& request);

/// Layers straight from package data segments (design, decision 3): one package per layer in stable order while the
/// budget allows, the rest in groups; the layout package first; then one top layer with what no package owns:
/// accounts, apk's database (world, installed, scripts, triggers), keys, `paths:`, os files that apko adds (spec 5.2
/// where it makes sense without a package manager running). A segment that cannot be used as it stands (a directory
/// that crosses another package's symlink, a file that another package replaces, foreign end blocks in the middle) is
/// rewritten once and kept by digest. Layers are kept in the state by key, never recompressed. kConflict names both
/// packages and the path when two give one path with different content and neither replaces the other. kDenied when a
/// package is signed by another edition's key than `edition` (stage0 included), naming it.
Result<Image> compose_image(const ComposeRequest& request, Env& env);

/// Files of an image after all layers, for `nacre image files` and `nacre why`: path -> package, as the image's own
/// installed database says ("" when no package has it).
struct ImageFile {
  std::string path;
  std::string package;                    ///< "name=version"
  char type = '0';
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0, size = 0;
  std::string link;
};
Result<std::vector<ImageFile>> list_files(const Sha256& manifest, Env& env);

/// Unpacks all layers (whiteouts too, bounded) into an empty directory: the root of a container. Owners kept when root.
Result<> unpack_image(const Sha256& manifest, const os::Path& folder, Env& env);

/// The manifest for `arch` that an OCI index in the store names (or the digest itself when it is a manifest).
Result<Sha256> manifest_for(const Sha256& index_or_manifest, const Arch& arch, Env& env);

}  // namespace nacre::image
