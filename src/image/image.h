#pragma once

#include "base/arch.h"
#include "base/edition.h"
#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"
#include "image/spec.h"
#include "index/index.h"
#include "os/file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nacre::image {

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

/// How package files stand in layers.
enum class LayerForm {
  kSegments,   ///< The packages' own data segments (design, decision 3): owners as in the package.
  kReference,  ///< Written anew exactly as apko does: package files are root's; uncompressed bytes equal apko's.
};

struct BaseImage;

struct ComposeRequest {
  const ImageSpec* spec = nullptr;
  Arch arch = host_arch();
  Edition edition = Edition::kCommunity;
  std::vector<index::SerialPackage> packages;  ///< The solved closure, install order, all of `edition`.
  std::string public_key;                      ///< PEM of the edition's package key, put into etc/apk/keys.
  std::string repository;                      ///< Line for etc/apk/repositories; empty: none.

  /// Of packages from repositories that somebody named, checked against their signed indexes by the caller: no
  /// edition. `packages` need name, version and checksum in the record, and the blob.
  bool foreign = false;
  LayerForm form = LayerForm::kSegments;
  definition::Pairs keys;                      ///< File name and PEM, for etc/apk/keys.
  std::vector<std::string> repositories;       ///< Lines for etc/apk/repositories.
  std::vector<std::string> world;              ///< Lines for etc/apk/world; empty: the packages chosen.
  std::vector<std::string> locked;             ///< contents.packages of etc/apko.json; empty: the packages chosen.
  bool as_asked = false;                       ///< etc/apko.json says what the file says, not what was made of it.
  const BaseImage* base = nullptr;             ///< Below all else (image/base.h); `form` is kReference.
  std::int64_t build_date = 0;                 ///< The image is at least this new.
  std::optional<std::int64_t> source_date;     ///< The image is exactly this old (SOURCE_DATE_EPOCH).
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
///
/// An image of foreign packages gets all that apko itself writes into a root (spec 5.2) instead.
Result<Image> compose_image(const ComposeRequest& request, Env& env);

/// The OCI index over images of several architectures: manifests ordered by OCI platform. `created`: of the newest.
Result<Descriptor> make_image_index(const ImageSpec& spec, const std::vector<Image>& images, Env& env);

/// Files of an image after all layers, for `nacre image files` and `nacre why`: path -> package, as the image's own
/// installed database says ("" when no package has it).
struct ImageFile {
  std::string path;
  std::string package;                    ///< "name=version"
  char type = '0';
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0, size = 0;
  std::string link;
  std::size_t layer = 0;                  ///< By position, bottom first: the one that last names it.
};
Result<std::vector<ImageFile>> list_files(const Sha256& manifest, Env& env);

/// Unpacks all layers (whiteouts too, bounded) into an empty directory: the root of a container. Owners kept when root.
Result<> unpack_image(const Sha256& manifest, const os::Path& folder, Env& env);

/// The manifest for `arch` that an OCI index in the store names (or the digest itself when it is a manifest).
Result<Sha256> manifest_for(const Sha256& index_or_manifest, const Arch& arch, Env& env);

}  // namespace nacre::image
