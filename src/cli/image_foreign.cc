#include "cli/image_foreign.h"

#include "base/field_archs.h"
#include "base/text.h"
#include "cli/foreign_sbom.h"
#include "cli/push.h"
#include "codec/json.h"
#include "publish/archive.h"

namespace nacre::cli {
namespace {

using codec::Json;

std::uint64_t bytes_of(const image::Image& image) {
  std::uint64_t out = 0;
  for (const image::Layer& layer : image.layers) out += layer.blob.size;
  return out;
}

Json to_json(const ComposedImages& all, const std::vector<publish::Receipt>& pushed) {
  Json images = Json::array();
  for (const image::Image& image : all.images) {
    Json layers = Json::array();
    for (const image::Layer& layer : image.layers) layers.push(image::to_json(layer.blob));
    images.push(Json::object({{"architecture", oci_platform(image.arch)},
                              {"digest", image.manifest.digest.oci()},
                              {"sizeBytes", bytes_of(image)},
                              {"packages", Json::strings(image.packages)},
                              {"layers", std::move(layers)}}));
  }
  Json out = Json::object({{"digest", all.index.digest.oci()}, {"images", std::move(images)}});
  return pushed.empty() ? out : out.set("pushed", cli::to_json(pushed));
}

std::string render(const std::string& name, const ComposedImages& all) {
  std::string out = fmt::format("{}  {}\n", name, all.index.digest.oci());
  for (const image::Image& image : all.images)
    out += fmt::format("  {}  {}  {} packages, {} in {} layers\n", oci_platform(image.arch),
                       image.manifest.digest.oci(), image.packages.size(), human_bytes(bytes_of(image)),
                       image.layers.size());
  return out;
}

}  // namespace

bool names_repositories(const image::Contents& contents) {
  return !contents.repositories.empty() || !contents.build_repositories.empty() || contents.base.has_value();
}

Result<int> build_foreign_image(const Arguments& arguments, Session& session) {
  MelangeArguments flags;
  flags.words = {arguments.text("IMAGE")};
  flags.values = {{"--repository-append", arguments.list("--repository")},
                  {"--keyring-append", arguments.list("--key")},
                  {"--arch", split(arguments.text("--arch"), ',')},
                  {"--lockfile", {arguments.text("--lockfile")}}};
  if (arguments.flag("--locked")) flags.values["--locked"] = {"true"};
  ImageJob job = TRY(load_job(flags, session.env));
  const std::string form = arguments.text("--layers");
  if (form == "segments") job.form = image::LayerForm::kSegments;
  else if (form != "reference")
    return Error::make(ErrorKind::kInvalid, "there is no form of layers '{}'", form)
        .hint("there are segments (the packages' own) and reference (as apko writes them)");
  std::vector<publish::Reference> targets;
  for (const std::string& text : arguments.list("--push")) targets.push_back(TRY(push_target(text)));
  const ComposedImages all = TRY(compose_job(job, session.env));
  if (const std::string folder = arguments.text("--layout"); !folder.empty())
    TRY(publish::write_index_layout(folder, all.index.digest, session.env));
  std::vector<ForeignSbom> sboms;
  if (const std::string folder = arguments.text("--sbom"); !folder.empty()) {
    sboms = TRY(foreign_sboms(job, all, {"spdx", "cyclonedx"}, job.spec().name, session.env));
    TRY(write_sboms(sboms, folder));
  }
  std::vector<publish::Receipt> pushed;
  for (const publish::Reference& target : targets)
    pushed.push_back(TRY(push_composed(all, sboms, target, session.env)));
  std::string text = render(job.spec().name, all);
  if (!pushed.empty()) text += cli::render(pushed);
  session.print(session.json ? codec::to_pretty_json(to_json(all, pushed)) : text);
  return 0;
}

}  // namespace nacre::cli
