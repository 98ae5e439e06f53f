#include "image/image.h"

#include "apk/dependency.h"
#include "base/events.h"
#include "codec/digest.h"
#include "image/accounts.h"
#include "image/layer.h"
#include "image/oci.h"
#include "image/top.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::image {
namespace {

using codec::Json;

/// Raised when the composer's output changes for equal input.
constexpr int kComposer = 1;

Result<> check_request(const ComposeRequest& request) {
  const ImageSpec& spec = *request.spec;
  if (request.edition == Edition::kStage0)
    return Error::make(ErrorKind::kDenied,
                       "image '{}' is asked for in edition 'stage0', which builds and never ships",
                       spec.name);
  if (!spec.repositories.empty())
    return Error::make(ErrorKind::kInvalid,
                       "image '{}' names the repository '{}', and its packages come from edition '{}' alone",
                       spec.name, spec.repositories.front(), name_of(request.edition))
        .at(spec.repository_places.empty() ? Place{spec.file, 0, 0} : spec.repository_places.front())
        .hint("leave contents.repositories and contents.keyring out");
  if (!spec.keyring.empty())
    return Error::make(ErrorKind::kInvalid,
                       "image '{}' names the key '{}', and edition '{}' supplies its own", spec.name,
                       spec.keyring.front(), name_of(request.edition))
        .at(Place{spec.file, 0, 0})
        .hint("leave contents.keyring out");
  for (std::size_t i = 0; i < spec.packages.size(); ++i) {
    const apk::Dependency atom = TRY(apk::parse_dependency(spec.packages[i]));
    if (!atom.tag.empty())
      return Error::make(
                 ErrorKind::kInvalid,
                 "image '{}' takes '{}' from the repository '@{}', and its packages come from edition '{}' alone",
                 spec.name, spec.packages[i], atom.tag, name_of(request.edition))
          .at(i < spec.package_places.size() ? spec.package_places[i] : Place{spec.file, 0, 0})
          .hint("leave '@' and what follows out");
  }
  return {};
}

/// The packages, read and checked, the layout first and then in install order.
Result<std::vector<PackageContents>> read_packages(const ComposeRequest& request, const Task& task, Env& env) {
  std::vector<PackageContents> out;
  for (const index::SerialPackage& package : request.packages) {
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    PackageContents contents = TRY(read_contents(package, request, env));
    out.push_back(std::move(contents));
    task.progress(out.size(), request.packages.size());
  }
  if (!out.empty()) {
    const auto layout = out.begin() + static_cast<std::ptrdiff_t>(layout_position(out));
    std::rotate(out.begin(), layout, layout + 1);
  }
  return out;
}

Result<std::vector<Layer>> package_layers(const std::vector<PackageContents>& packages, const MergedTree& tree,
                                          const ImageSpec& spec, Env& env) {
  const int budget = spec.layer_budget > 0 ? spec.layer_budget : kDefaultLayerBudget;
  std::vector<Layer> out;
  for (const std::vector<std::size_t>& group : group_packages(packages, 0, budget)) {
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    std::vector<Piece> pieces;
    std::vector<std::string> labels;
    for (const std::size_t i : group) {
      const Piece piece = TRY(piece_of(i, packages, tree, group.size() == 1, env));
      pieces.push_back(piece);
      labels.push_back(packages[i].label());
    }
    Layer layer = TRY(make_layer(pieces, std::move(labels), env));
    out.push_back(std::move(layer));
  }
  return out;
}

Result<Descriptor> put_json(const Json& json, std::string_view media_type, Env& env) {
  const std::string text = codec::to_json(json);
  Descriptor out;
  out.media_type = media_type;
  out.digest = TRY(env.store.put_bytes(text));
  out.size = text.size();
  return out;
}

Result<> write_documents(Image& image, const ComposeRequest& request, std::string_view passwd, Env& env) {
  auto user = resolve_user(request.spec->run_as, passwd);
  if (!user) return std::move(user).error().at(Place{request.spec->file, 0, 0});
  const Json config = TRY(make_config(request, image, *user));
  image.config = TRY(put_json(config, kConfigType, env));
  image.manifest = TRY(put_json(make_manifest(request, image), kManifestType, env));
  image.index = TRY(put_json(make_index(request, image), kIndexType, env));
  return {};
}

}  // namespace

Sha256 compose_key(const ComposeRequest& request) {
  Json packages = Json::array();
  for (const index::SerialPackage& package : request.packages)
    packages.push(Json::strings({package.record.name, package.record.version, package.apk.hex()}));
  Json key = Json::object();
  key.set("composer", kComposer).set("name", request.spec->name).set("spec", spec_to_json(*request.spec));
  key.set("arch", request.arch.apk)
      .set("edition", name_of(request.edition))
      .set("packages", std::move(packages));
  key.set("public_key", request.public_key).set("repository", request.repository);
  return codec::sha256(codec::to_canonical_json(key));
}

Result<Image> compose_image(const ComposeRequest& request, Env& env) {
  TRY(check_request(request));
  Task task(env.events, "image " + request.spec->name);
  Image image;
  image.name = request.spec->name;
  image.arch = request.arch;
  image.edition = request.edition;
  image.inputs = compose_key(request);
  const std::vector<PackageContents> packages =
      TRY(read_packages(request, task, env), "composing image '{}'", image.name);
  for (const PackageContents& package : packages) {
    image.packages.push_back(package.label());
    image.created = std::max(image.created, package.file.info.build_date);
  }
  std::sort(image.packages.begin(), image.packages.end());

  MergedTree tree = TRY(merge(packages), "composing image '{}'", image.name);
  image.layers = TRY(package_layers(packages, tree, *request.spec, env), "composing image '{}'", image.name);
  TopLayer top(tree, packages, image.created);
  std::string locked = locked_spec(*request.spec, request.arch, image.packages);
  const std::string passwd =
      TRY(fill_top(top, request, packages, tree, std::move(locked), image.created, env),
          "composing image '{}'", image.name);
  Layer layer = TRY(top.write_top(env), "composing image '{}'", image.name);
  image.layers.push_back(std::move(layer));
  TRY(write_documents(image, request, passwd, env), "composing image '{}'", image.name);
  task.finish(fmt::format("{} packages in {} layers", packages.size(), image.layers.size()));
  return image;
}

}  // namespace nacre::image
