#include "base/field_archs.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "image/diff.h"
#include "image/export.h"
#include "publish/archive.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using codec::Json;

constexpr double kErofsSeconds = 600;

/// mkfs.erofs over the unpacked root: owners need root.
Result<> write_erofs(const Sha256& manifest, const Path& file, Env& env) {
  const os::TempDir folder = TRY(os::TempDir::create(env.store.work_dir(), "erofs-"));
  const Path root = folder.path() / "root";
  TRY(os::make_dirs(root));
  TRY(image::unpack_image(manifest, root, env));
  os::Command command;
  command.inherit_env = true;
  command.timeout_seconds = kErofsSeconds;
  // The date of the file system and its id are the same for every image: bytes depend on the files alone.
  command.argv = {"mkfs.erofs",        "--quiet", "-T0", "-U", "00000000-0000-0000-0000-000000000000", "-zlz4hc",
                  file.string(), root.string()};
  const auto done = env.processes.run(command, env.stop);
  if (!done)
    return Error::make(ErrorKind::kNotFound, "mkfs.erofs cannot be run").hint("install erofs-utils");
  if (!done->ok()) return Error::make(ErrorKind::kInvalid, "mkfs.erofs failed:\n  {}", done->err);
  return {};
}

Result<int> run_export(const Arguments& arguments, Session& session) {
  Env& env = session.env;
  const std::string format = arguments.text("--format");
  const Path file = arguments.text("FILE");
  const FoundImage found = TRY(find_image(arguments.text("IMAGE"), session));
  if (format == "docker" || format == "oci") {
    std::string tag = arguments.text("--tag");
    if (tag.empty()) tag = found.entry ? found.entry->name + ":latest" : "image:latest";
    if (format == "oci") TRY(publish::write_index_layout(file, found.digest, env));
    else TRY(publish::write_docker_archive(file, found.digest, {tag}, env));
  } else {
    const Arch arch = TRY(find_field_arch(arguments.text("--arch")));
    const Sha256 manifest = TRY(image::manifest_for(found.digest, arch, env));
    if (format == "erofs") TRY(write_erofs(manifest, file, env));
    else if (format == "tar") TRY(image::export_root(manifest, image::RootFormat::kTar, file, env));
    else if (format == "cpio") TRY(image::export_root(manifest, image::RootFormat::kCpio, file, env));
    else
      return Error::make(ErrorKind::kInvalid, "there is no format '{}'", format)
          .hint("there are tar, cpio, docker, oci and erofs");
  }
  session.print(fmt::format("{} written to '{}'", found.digest.oci(), file.string()));
  return 0;
}

Result<image::ImageView> view_of(const std::string& reference, const Arch& arch, Session& session) {
  const FoundImage found = TRY(find_image(reference, session));
  const Sha256 manifest = TRY(image::manifest_for(found.digest, arch, session.env));
  return image::view_image(manifest, session.env);
}

Result<int> run_diff(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(find_field_arch(arguments.text("--arch")));
  const image::ImageView before = TRY(view_of(arguments.text("BEFORE"), arch, session));
  const image::ImageView after = TRY(view_of(arguments.text("AFTER"), arch, session));
  const Json diff = image::diff_images(before, after);
  const std::string text = image::render_diff(diff);
  session.print(session.json ? codec::to_pretty_json(diff) : text.empty() ? "no difference" : text);
  return diff.members().empty() ? 0 : 1;
}

}  // namespace

Verb verb_image_export() {
  Verb verb;
  verb.name = "image export";
  verb.summary = "write an image as a root file system, an initramfs, an archive or a layout";
  verb.arguments = {{"IMAGE", "name, reference or digest", true, false, Completion::kImage},
                    {"FILE", "file, or directory for oci", true, false, Completion::kFile}};
  verb.options = {{"--format", OptionType::kText, "FORMAT", "tar", "tar, cpio, docker, oci or erofs",
                   Completion::kNone},
                  {"--tag", OptionType::kText, "TAG", "", "name in a docker archive", Completion::kNone},
                  kArchOption};
  verb.run = run_export;
  return verb;
}

Verb verb_image_diff() {
  Verb verb;
  verb.name = "image diff";
  verb.summary = "what is different between two images";
  verb.arguments = {{"BEFORE", "name, reference or digest", true, false, Completion::kImage},
                    {"AFTER", "name, reference or digest", true, false, Completion::kImage}};
  verb.options = {kArchOption};
  verb.run = run_diff;
  return verb;
}

}  // namespace nacre::cli
