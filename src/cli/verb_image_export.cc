#include "base/field_archs.h"
#include "cli/at.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "image/diff.h"
#include "image/export.h"
#include "publish/archive.h"
#include "store/store.h"

#include <algorithm>
#include <optional>

namespace nacre::cli {
namespace {

using codec::Json;

const std::string kFormNames = "tar, cpio, erofs, disk, docker or oci";

/// What one call of export writes.
struct Export {
  FoundImage image;
  Path file;
  std::string tag;
  Arch arch;
  std::optional<image::RootFormat> root;  ///< Of forms that hold one architecture's root file system.
};

Result<> write_root(const Export& what, Env& env) {
  const Sha256 manifest = TRY(image::manifest_for(what.image.digest, what.arch, env));
  return image::export_root(manifest, *what.root, what.file, env);
}

Result<> write_docker(const Export& what, Env& env) {
  const std::string name = what.image.entry ? what.image.entry->name : "image";
  return publish::write_docker_archive(what.file, what.image.digest, {what.tag.empty() ? name + ":latest" : what.tag},
                                       env);
}

Result<> write_oci(const Export& what, Env& env) {
  return publish::write_index_layout(what.file, what.image.digest, env);
}

/// A form by name: how it is written.
struct Form {
  std::string name;
  Result<> (*write)(const Export& what, Env& env);
  std::optional<image::RootFormat> root;
};

std::vector<Form> forms() {
  std::vector<Form> out;
  for (const image::NamedFormat& format : image::root_formats())
    out.push_back({std::string(format.name), write_root, format.format});
  out.push_back({"docker", write_docker, {}});
  out.push_back({"oci", write_oci, {}});
  return out;
}

Result<int> run_export(const Arguments& arguments, Session& session) {
  const std::string wanted = arguments.text("--format");
  const std::vector<Form> all = forms();
  const auto form = std::find_if(all.begin(), all.end(), [&](const Form& one) { return one.name == wanted; });
  if (form == all.end())
    return Error::make(ErrorKind::kInvalid, "there is no format '{}'", wanted).hint("there are " + kFormNames);
  Arch arch = TRY(find_field_arch(arguments.text("--arch")));
  FoundImage found = TRY(find_image(arguments.text("IMAGE"), arguments, session));
  const Export what{std::move(found), arguments.text("FILE"), arguments.text("--tag"), arch, form->root};
  TRY(form->write(what, session.env));
  Json json;
  json.set("digest", what.image.digest.oci()).set("format", wanted).set("file", what.file.string());
  session.print(session.json ? codec::to_json(json)
                             : fmt::format("{} written to '{}'", what.image.digest.oci(), what.file.string()));
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
  verb.summary = "write an image as a root file system, an initramfs, a disk, an archive or a layout";
  verb.arguments = {{"IMAGE", "name, reference, digest or layout directory", true, false, Completion::kImage},
                    {"FILE", "file, or directory for oci", true, false, Completion::kFile}};
  verb.options = {kAtOption,
                  {"--format", OptionType::kText, "FORMAT", "tar", kFormNames, Completion::kNone},
                  {"--tag", OptionType::kText, "TAG", "", "name in a docker archive", Completion::kNone},
                  kArchOption};
  verb.run = run_export;
  return verb;
}

Verb verb_image_diff() {
  Verb verb;
  verb.name = "image diff";
  verb.summary = "what is different between two images";
  verb.arguments = {{"BEFORE", "name, reference, digest or layout directory", true, false, Completion::kImage},
                    {"AFTER", "name, reference, digest or layout directory", true, false, Completion::kImage}};
  verb.options = {kArchOption};
  verb.run = run_diff;
  return verb;
}

}  // namespace nacre::cli
