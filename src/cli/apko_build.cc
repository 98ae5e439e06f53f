#include "attest/provenance.h"
#include "base/text.h"
#include "cli/apko.h"
#include "cli/foreign_sbom.h"
#include "cli/melange_common.h"
#include "image/export.h"
#include "image/layer_format.h"
#include "publish/archive.h"
#include "publish/registry.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using F = MelangeFlag;

/// The job of a call that has --format (which is another thing for show-packages).
Result<ImageJob> job_of(const MelangeArguments& arguments, Env& env) {
  ImageJob job = TRY(load_job(arguments, env));
  const std::string format = arguments.text("--format");
  if (format.empty()) return job;
  TRY(image::check_layer_format(format), "reading --format");
  job.loaded.spec.format = format;
  return job;
}

/// What --sbom and --sbom-formats ask for.
Result<std::vector<ForeignSbom>> sboms_of(const MelangeArguments& arguments, const ImageJob& job,
                                          const ComposedImages& images, const std::string& tag, Env& env) {
  if (!arguments.on("--sbom")) return std::vector<ForeignSbom>();
  return foreign_sboms(job, images, arguments.list("--sbom-formats"), tag, env);
}

Result<int> run_build(const MelangeArguments& arguments, Session& session) {
  Env& env = session.env;
  const ImageJob job = TRY(job_of(arguments, env));
  const std::string tag = arguments.words[1];
  TRY(publish::parse_reference(tag), "reading the tag");
  const ComposedImages images = TRY(compose_job(job, env));
  const Path output = arguments.words[2];
  std::error_code error;
  if (arguments.words[2].ends_with('/')) TRY(os::make_dirs(output));
  if (std::filesystem::is_directory(output, error)) TRY(publish::write_index_layout(output, images.index.digest, env));
  else TRY(publish::write_docker_archive(output, images.index.digest, {tag}, env));
  const std::vector<ForeignSbom> sboms = TRY(sboms_of(arguments, job, images, tag, env));
  TRY(write_sboms(sboms, arguments.text("--sbom-path")));
  return 0;
}

/// The images as an archive that the local Docker loads; what it says of that.
Result<std::string> load_into_docker(const ComposedImages& images, const std::vector<std::string>& tags, Env& env) {
  const os::TempDir folder = TRY(os::TempDir::create(std::filesystem::temp_directory_path(), "nacre-load-"));
  const os::Path archive = folder.path() / "images.tar";
  TRY(publish::write_docker_archive(archive, images.index.digest, tags, env));
  os::Command load;
  load.argv = {"docker", "load", "--quiet", "--input", archive.string()};
  load.inherit_env = true;
  auto said = os::run_or_fail(env.processes, load, env.stop);
  if (!said)
    return std::move(said).error().hint(
        "`apko build CONFIG TAG FILE.tar` writes the archive: `docker load` (or `podman load`, `skopeo copy "
        "docker-archive:FILE.tar …`) takes it");
  return said;
}

Result<int> run_publish(const MelangeArguments& arguments, Session& session) {
  Env& env = session.env;
  const ImageJob job = TRY(job_of(arguments, env));
  std::vector<publish::Reference> references;
  const bool local = arguments.on("--local");
  for (std::size_t i = 1; !local && i < arguments.words.size(); ++i)
    references.push_back(TRY(push_target(arguments.words[i])));
  const ComposedImages images = TRY(compose_job(job, env));
  const std::vector<ForeignSbom> sboms = TRY(sboms_of(arguments, job, images, arguments.words[1], env));
  TRY(write_sboms(sboms, arguments.text("--sbom-path")));
  if (local) {
    const std::vector<std::string> tags(arguments.words.begin() + 1, arguments.words.end());
    const std::string said = TRY(load_into_docker(images, tags, env), "giving the image to the local Docker");
    session.print(std::string(trim(said)));
    return 0;
  }
  // Whoever takes the answer for a name wants one: that of the first tag, as the reference has it.
  std::vector<std::string> lines;
  for (const publish::Reference& reference : references) {
    const publish::Receipt receipt = TRY(push_composed(images, sboms, reference, env));
    if (!lines.empty()) continue;
    const std::string name = reference.host + "/" + reference.repository + "@";
    for (const image::Image& image : images.images) lines.push_back(name + image.manifest.digest.oci());
    lines.push_back(name + receipt.digest.oci());
  }
  if (const std::string file = arguments.text("--image-refs"); !file.empty())
    TRY(os::write_file(file, join(lines, "\n") + "\n"));
  session.print(lines.back());
  return 0;
}

/// One architecture, whatever the definition says of architectures and layers.
Result<int> run_root(const MelangeArguments& arguments, Session& session, image::RootFormat format) {
  ImageJob job = TRY(load_job(arguments, session.env));
  image::ImageSpec& spec = job.loaded.spec;
  if (spec.layering && (!spec.layering->strategy.empty() || spec.layering->budget != 0))
    tell(session.env, "layering is of no account here: a root file system is one piece");
  spec.layering.reset();
  job.as_asked = true;
  const ComposedImages images = TRY(compose_job(job, session.env));
  TRY(image::export_root(images.images.front().manifest.digest, format, arguments.words[1], session.env));
  return 0;
}

Result<int> run_cpio(const MelangeArguments& arguments, Session& session) {
  return run_root(arguments, session, image::RootFormat::kCpio);
}
Result<int> run_minirootfs(const MelangeArguments& arguments, Session& session) {
  return run_root(arguments, session, image::RootFormat::kTar);
}

std::vector<MelangeFlag> limits() {
  return {{"--max-apk-control-size", 0, F::kText, "", "largest control segment, in bytes; -1: any", ""},
          {"--max-apk-data-size", 0, F::kText, "", "most content of a data segment, in bytes; -1: any", ""},
          {"--max-apkindex-decompressed-size", 0, F::kText, "", "largest index, inflated, in bytes; -1: any", ""},
          {"--max-http-response-size", 0, F::kText, "", "largest answer of a server, in bytes; -1: any", ""}};
}

std::vector<MelangeFlag> plus(std::vector<MelangeFlag> flags, const std::vector<MelangeFlag>& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

/// Flags of a root file system: of one architecture, without SBOMs.
std::vector<MelangeFlag> root_flags() {
  std::vector<MelangeFlag> out =
      plus(plus(apko_source_flags(), limits()),
           {{"--build-arch", 0, F::kText, "host", "architecture", ""},
            {"--build-date", 0, F::kText, "", "date of what is in the image, RFC 3339", ""},
            {"--sbom-path", 0, F::kText, "", "directory for SBOMs", "none is made of a root file system"}});
  std::erase_if(out, [](const MelangeFlag& flag) { return flag.name == "--arch"; });
  return out;
}

}  // namespace

namespace {

/// What Registry::push() takes: every blob of the index under a tag, and the SBOMs as its referrers.
Result<index::SerialImage> entry_of(const ComposedImages& images, const std::vector<ForeignSbom>& sboms,
                                    const publish::Reference& to, Env& env) {
  index::SerialImage out;
  out.name = to.repository;
  out.index_digest = images.index.digest;
  out.tags = {to.tag.empty() ? "latest" : to.tag};
  for (const image::Image& image : images.images) {
    out.blobs.push_back(image.manifest.digest);
    out.blobs.push_back(image.config.digest);
    for (const image::Layer& layer : image.layers) out.blobs.push_back(layer.blob.digest);
  }
  out.blobs.push_back(images.index.digest);
  std::vector<attest::Document> documents;
  for (const ForeignSbom& sbom : sboms) documents.push_back({sbom.subject, sbom.media_type, sbom.text});
  const std::int64_t created = images.images.empty() ? 0 : images.images.front().created;
  attest::ImageEvidence said = TRY(attest::attach_documents(documents, created, env.store));
  out.referrers = std::move(said.referrers);
  out.blobs.insert(out.blobs.end(), said.blobs.begin(), said.blobs.end());
  return out;
}

}  // namespace

Result<publish::Reference> push_target(const std::string& text) {
  publish::Reference out = TRY(publish::parse_reference(text));
  if (!out.digest.empty())
    return Error::make(ErrorKind::kInvalid, "'{}' names a digest, and a push gives a tag", text)
        .hint("write HOST/NAME:TAG");
  if (!out.host.empty()) return out;
  return Error::make(ErrorKind::kInvalid, "'{}' names no registry", text).hint("write HOST/NAME:TAG");
}

Result<publish::Receipt> push_composed(const ComposedImages& images, const std::vector<ForeignSbom>& sboms,
                                       const publish::Reference& to, Env& env) {
  const index::SerialImage entry = TRY(entry_of(images, sboms, to, env));
  publish::Registry registry(env, to);
  publish::Receipt out = TRY(registry.push(entry), "pushing '{}'", to.str());
  return out;
}

std::vector<MelangeFlag> apko_source_flags() {
  return {{"--arch", 0, F::kList, "", "architectures; those of the definition, else all", ""},
          {"--build-repository-append", 'b', F::kList, "", "repositories to choose from", ""},
          {"--repository-append", 'r', F::kList, "", "repositories to choose from, kept in the image", ""},
          {"--keyring-append", 'k', F::kList, "", "files or addresses of public keys", ""},
          key_discovery_flag(),
          {"--package-append", 'p', F::kList, "", "further packages", ""},
          {"--include-paths", 0, F::kList, "", "directories where included files are looked for", ""},
          {"--ignore-signatures", 0, F::kSwitch, "", "take indexes without looking at their signatures", ""},
          {"--cache-dir", 0, F::kText, "", "directory for fetched files",
           "they are kept in nacre's store, which NACRE_HOME names"},
          {"--offline", 0, F::kSwitch, "", "open no connection: all is in the store or in files", ""}};
}

std::vector<MelangeFlag> apko_image_flags() {
  return plus(apko_source_flags(),
              {{"--annotations", 0, F::kList, "", "KEY:VALUE, of manifest and index", ""},
               {"--build-date", 0, F::kText, "", "date of what is in the image, RFC 3339", ""},
               {"--format", 0, F::kText, "", "of layers: tar; the definition's when absent", ""},
               {"--lockfile", 0, F::kText, "", "take exactly the packages of this lock", ""},
               {"--locked", 0, F::kSwitch, "", "with --lockfile: ask for nothing but packages", ""},
               {"--sbom", 0, F::kSwitch, "true", "write SBOMs", ""},
               {"--sbom-path", 0, F::kText, "", "directory for SBOMs; this one when absent", ""},
               {"--sbom-formats", 0, F::kList, "spdx", "formats of SBOMs: spdx, cyclonedx", ""},
               {"--vcs", 0, F::kSwitch, "true", "say which git commit the definition is of", ""}});
}

MelangeCommand apko_build() {
  return {.name = "build",
          .summary = "build an image: an archive for `docker load`, or an OCI layout when OUTPUT is a directory",
          .usage = "CONFIG TAG OUTPUT",
          .flags = plus(apko_image_flags(), limits()),
          .min_words = 3,
          .max_words = 3,
          .run = run_build};
}

MelangeCommand apko_publish() {
  return {.name = "publish",
          .summary = "build an image and push it",
          .usage = "CONFIG TAG…",
          .flags = plus(plus(apko_image_flags(), limits()),
                        {{"--image-refs", 0, F::kText, "", "file that gets a line for each image, the index last", ""},
                         {"--local", 0, F::kSwitch, "", "push nothing: give the image to the local Docker", ""}}),
          .min_words = 2,
          .max_words = 64,
          .run = run_publish};
}

MelangeCommand apko_build_cpio() {
  return {.name = "build-cpio",
          .summary = "build an initramfs (cpio, newc)",
          .usage = "CONFIG FILE",
          .flags = root_flags(),
          .min_words = 2,
          .max_words = 2,
          .run = run_cpio};
}

MelangeCommand apko_build_minirootfs() {
  return {.name = "build-minirootfs",
          .summary = "build a root file system (tar)",
          .usage = "CONFIG FILE",
          .flags = root_flags(),
          .min_words = 2,
          .max_words = 2,
          .run = run_minirootfs};
}

}  // namespace nacre::cli
