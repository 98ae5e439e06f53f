#pragma once

#include "cli/melange.h"
#include "cli/repository_root.h"
#include "image/base.h"
#include "image/image.h"
#include "image/lock_file.h"
#include "publish/registry.h"

#include <optional>
#include <string>
#include <vector>

// `apko` by name: the reference tool's commands with their flags, over nacre's rooms (docs/apko.md).
namespace nacre::cli {

/// The tool's name, its global flags and what of it is not there.
const ToolName& apko_tool();
/// All of them, in the order of the help page.
const std::vector<MelangeCommand>& apko_commands();

/// An image definition with what a call adds to it.
struct ImageJob {
  image::LoadedSpec loaded;                  ///< The definition, with -r, -b, -k and --annotations in it.
  std::vector<Arch> archs;                   ///< Ordered by OCI platform.
  std::vector<std::string> extra_packages;   ///< -p
  std::optional<image::LockFile> lock;       ///< --lockfile: packages come from it alone.
  bool locked = false;                       ///< Keys come from the lock too: nothing is asked for but packages.
  bool as_asked = false;                     ///< The root says what was asked for, not what was chosen.
  bool ignore_signatures = false;
  bool offline = false;                      ///< No socket is opened.
  index::SourceLimits limits;                ///< --max-…
  std::vector<std::string> include_paths;
  std::vector<index::TrustedKey> keys;       ///< Of --key-discovery.
  image::LayerForm form = image::LayerForm::kReference;
  std::int64_t build_date = 0;
  std::optional<std::int64_t> source_date;

  const image::ImageSpec& spec() const { return loaded.spec; }
};

/// Reads the definition that the first word names, and the flags that a command has.
Result<ImageJob> load_job(const MelangeArguments& arguments, Env& env);

/// The packages of one architecture, in install order.
struct ArchPicks {
  Arch arch = host_arch();
  std::vector<RepositoryShelf::Pick> picks;
  std::vector<std::string> places;           ///< Address or path of each .apk.
  std::vector<Sha256> blobs;                 ///< In the store; only after fetch_picks().
};

/// Chooses for every architecture, in step: what one of them has not in that version is taken by none.
Result<std::vector<ArchPicks>> choose(const ImageJob& job, Env& env);
/// Brings them into the store, checked against index or lock.
Result<> fetch_picks(const ImageJob& job, std::vector<ArchPicks>& all, Env& env);

/// Images of all architectures, and what names them.
struct ComposedImages {
  std::vector<image::Image> images;          ///< Ordered by OCI platform.
  image::Descriptor index;
};
/// Chooses, fetches and composes.
Result<ComposedImages> compose_job(const ImageJob& job, Env& env);

/// HOST/NAME:TAG. kInvalid when no registry is named.
Result<publish::Reference> push_target(const std::string& text);
struct ForeignSbom;
/// Pushes composed images and their index under the reference's tag (latest, when it has none), `sboms` as referrers.
Result<publish::Receipt> push_composed(const ComposedImages& images, const std::vector<ForeignSbom>& sboms,
                                       const publish::Reference& to, Env& env);

/// The lock of what was chosen and fetched.
Result<image::LockFile> make_lock(const ImageJob& job, const std::vector<ArchPicks>& all,
                                  const std::string& config_name, Env& env);

/// Of the keys that repositories give of themselves those with a fingerprint that is `named`; each is shown. kDenied
/// when a named one is not among them.
Result<std::vector<index::TrustedKey>> discovered_keys(const std::vector<std::string>& repositories,
                                                       const std::vector<std::string>& named, index::Reach reach,
                                                       Env& env);
MelangeFlag key_discovery_flag();

/// Flags that say which packages: repositories, keys, cache.
std::vector<MelangeFlag> apko_source_flags();
/// The same, and what becomes of them.
std::vector<MelangeFlag> apko_image_flags();

/// Images of all architectures as an archive or an OCI layout, with SBOMs.
MelangeCommand apko_build();
/// The same into a registry.
MelangeCommand apko_publish();
/// The root of one architecture as an initramfs.
MelangeCommand apko_build_cpio();
/// The same as a tar archive.
MelangeCommand apko_build_minirootfs();
/// What was chosen, as a lock file; `resolve` is its old name.
MelangeCommand apko_lock();
MelangeCommand apko_resolve();
/// Questions that compose nothing.
MelangeCommand apko_show_config();
MelangeCommand apko_show_packages();
MelangeCommand apko_dot();
MelangeCommand apko_clean();
/// Keys that repositories give of themselves, into etc/apk/keys.
MelangeCommand apko_install_keys();
/// A login of a registry, for those that read docker's files.
MelangeCommand apko_login();
MelangeCommand apko_completion();
MelangeCommand apko_version();

}  // namespace nacre::cli
