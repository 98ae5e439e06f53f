#include "image/image.h"

#include "apk/dependency.h"
#include "base/events.h"
#include "base/field_archs.h"
#include "codec/digest.h"
#include "image/accounts.h"
#include "image/base.h"
#include "image/database.h"
#include "image/layer.h"
#include "image/oci.h"
#include "image/read.h"
#include "image/top.h"
#include "os/threads.h"
#include "store/store.h"

#include <algorithm>
#include <atomic>

namespace nacre::image {
namespace {

using codec::Json;
using Durability = store::Store::Durability;

/// An image can be made again; what a serial is going to name, its publishing settles, all of it at once.
constexpr Durability kWhen = Durability::kLater;

/// Raised when the composer's output changes for equal input.
constexpr int kComposer = 4;
/// The same, of images of foreign packages alone.
constexpr int kForeignComposer = 2;

/// Over a base image stands one layer, written as apko does.
Result<> check_base(const ComposeRequest& request) {
  const ImageSpec& spec = *request.spec;
  if (request.base == nullptr) return {};
  if (spec.layering && (!spec.layering->strategy.empty() || spec.layering->budget != 0))
    return Error::make(ErrorKind::kInvalid, "image '{}' has 'layering', and over a base image there is one layer",
                       spec.name)
        .at(spec.contents.base->place)
        .hint("leave layering out");
  return {};
}

/// A layer with a folder where the base has a link, or a file where it has a folder, would hide what is beneath. The
/// composer's own link to apk's database takes the place of an older layout's folder, as with apko.
Result<> check_over_base(const MergedTree& tree, const std::vector<PackageContents>& packages, const BaseImage& base,
                         Env& env) {
  const ImageParts parts = TRY(read_parts(base.manifest.digest, env));
  const FileMap below = TRY(read_file_map(parts, env), "reading the base image");
  for (const auto& [path, node] : tree.nodes) {
    const auto found = below.nodes().find(path);
    if (found == below.nodes().end() || (node.type == '5') == (found->second.header.type == '5')) continue;
    if (node.package < 0 && node.type == '2') continue;
    const codec::TarHeader& old = found->second.header;
    const std::string owner = node.package < 0 ? std::string("apk's own files")
                                               : packages[static_cast<std::size_t>(node.package)].label();
    return Error::make(ErrorKind::kConflict, "{} has '{}' as {}, and the base image as {}: it would hide what is there",
                       owner, path, node.type == '5' ? "a directory" : "a file or link",
                       old.type == '5'   ? std::string("a directory")
                       : old.type == '2' ? fmt::format("a link to '{}'", old.link)
                                         : std::string("a file"))
        .hint("take packages that are laid out as the base image is, or make the whole image of packages");
  }
  return {};
}

Result<> check_request(const ComposeRequest& request) {
  const ImageSpec& spec = *request.spec;
  if (request.foreign) return check_base(request);
  if (spec.contents.base)
    return Error::make(ErrorKind::kInvalid,
                       "image '{}' builds upon a base image, and its packages come from edition '{}' alone", spec.name,
                       name_of(request.edition))
        .at(spec.contents.base->place)
        .hint("name the repositories that it takes packages from");
  if (request.edition == Edition::kStage0)
    return Error::make(ErrorKind::kDenied,
                       "image '{}' is asked for in edition 'stage0', which builds and never ships",
                       spec.name);
  std::vector<std::string> repositories = spec.contents.repositories;
  for (const auto& more : {spec.contents.build_repositories, spec.contents.runtime_repositories})
    repositories.insert(repositories.end(), more.begin(), more.end());
  if (!repositories.empty())
    return Error::make(ErrorKind::kInvalid,
                       "image '{}' names the repository '{}', and its packages come from edition '{}' alone",
                       spec.name, repositories.front(), name_of(request.edition))
        .at(spec.contents.repository_places.empty() ? Place{spec.file, 0, 0} : spec.contents.repository_places.front())
        .hint("leave contents.repositories and contents.keyring out");
  if (!spec.contents.keyring.empty())
    return Error::make(ErrorKind::kInvalid,
                       "image '{}' names the key '{}', and edition '{}' supplies its own", spec.name,
                       spec.contents.keyring.front(), name_of(request.edition))
        .at(Place{spec.file, 0, 0})
        .hint("leave contents.keyring out");
  for (std::size_t i = 0; i < spec.contents.packages.size(); ++i) {
    const apk::Dependency atom = TRY(apk::parse_dependency(spec.contents.packages[i]));
    if (!atom.tag.empty())
      return Error::make(
                 ErrorKind::kInvalid,
                 "image '{}' takes '{}' from the repository '@{}', and its packages come from edition '{}' alone",
                 spec.name, spec.contents.packages[i], atom.tag, name_of(request.edition))
          .at(i < spec.contents.package_places.size() ? spec.contents.package_places[i] : Place{spec.file, 0, 0})
          .hint("leave '@' and what follows out");
  }
  return {};
}

/// The packages, read and checked, the layout first and then in install order.
Result<std::vector<PackageContents>> read_packages(const ComposeRequest& request, const Task& task, Env& env) {
  std::vector<PackageContents> out(request.packages.size());
  std::atomic<std::size_t> done{0};
  const auto read_one = [&](std::size_t i) -> Result<> {
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    out[i] = TRY(read_contents(request.packages[i], request, env));
    task.progress(++done, out.size());
    return {};
  };
  TRY(os::for_each(out.size(), 0, read_one));
  if (!out.empty() && !request.foreign) {
    const auto layout = out.begin() + static_cast<std::ptrdiff_t>(layout_position(out));
    std::rotate(out.begin(), layout, layout + 1);
  }
  return out;
}

Result<std::vector<Layer>> package_layers(const std::vector<PackageContents>& packages, const MergedTree& tree,
                                          const ImageSpec& spec, Durability when, Env& env) {
  const Layering layering = spec.layering.value_or(Layering{});
  const int budget = layering.budget > 0 ? layering.budget : kDefaultLayerBudget;
  const std::vector<std::vector<std::size_t>> groups =
      group_packages(packages, layout_position(packages), budget, layering.strategy,
                     layering.budget > 0 ? Small::kAlone : Small::kGrouped);
  std::vector<Layer> out(groups.size());
  const auto make_one = [&](std::size_t number) -> Result<> {
    const std::vector<std::size_t>& group = groups[number];
    if (env.stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    std::vector<Piece> pieces;
    std::vector<std::string> labels;
    for (const std::size_t i : group) {
      const Piece piece = TRY(piece_of(i, packages, tree, group.size() == 1, env));
      pieces.push_back(piece);
      labels.push_back(packages[i].label());
    }
    out[number] = TRY(make_layer(pieces, std::move(labels), when, env));
    return {};
  };
  TRY(os::for_each(groups.size(), 0, make_one));
  return out;
}

/// What is kept of an image of foreign packages.
constexpr std::string_view kKind = "foreign-image";

Json record_of(const Image& image) {
  Json layers = Json::array();
  for (const Layer& layer : image.layers)
    layers.push(Json::object({{"blob", to_json(layer.blob)},
                              {"diff_id", layer.diff_id.hex()},
                              {"packages", Json::strings(layer.packages)}}));
  return Json::object({{"layers", std::move(layers)},
                       {"config", to_json(image.config)},
                       {"manifest", to_json(image.manifest)},
                       {"index", to_json(image.index)},
                       {"packages", Json::strings(image.packages)},
                       {"created", image.created}});
}

/// The image of an equal request, when every blob of it is in the store.
Result<std::optional<Image>> known_image(const ComposeRequest& request, Env& env) {
  std::optional<Image> out;
  const Sha256 inputs = compose_key(request);
  const auto text = TRY(env.store.state().get(kKind, inputs.hex()));
  if (!text) return out;
  const Json json = TRY(codec::parse_json(*text, "a kept image"));
  Image image;
  image.name = request.spec->name;
  image.arch = request.arch;
  image.inputs = inputs;
  image.config = TRY(read_descriptor(json["config"]));
  image.manifest = TRY(read_descriptor(json["manifest"]));
  image.index = TRY(read_descriptor(json["index"]));
  image.packages = json["packages"].as_strings();
  image.created = json["created"].as_int();
  for (const Json& row : json["layers"].items()) {
    Layer layer;
    layer.blob = TRY(read_descriptor(row["blob"]));
    layer.diff_id = TRY(parse_sha256(row["diff_id"].as_string()));
    layer.packages = row["packages"].as_strings();
    if (!env.store.has(layer.blob.digest)) return out;
    image.layers.push_back(std::move(layer));
  }
  for (const Descriptor* part : {&image.config, &image.manifest, &image.index})
    if (!env.store.has(part->digest)) return out;
  out = std::move(image);
  return out;
}

/// Layers as apko writes them.
Result<std::vector<Layer>> whole_layers(TopLayer& top, const std::vector<PackageContents>& packages,
                                        const MergedTree& tree, const ImageSpec& spec, Env& env) {
  const Layering layering = spec.layering.value_or(Layering{});
  if (layering.strategy == "single" || (layering.strategy.empty() && layering.budget == 0))
    return top.write_whole({}, {}, env);
  const std::vector<std::vector<std::size_t>> groups = reference_groups(packages, layering.budget);
  const std::vector<std::string> all = reference_database(packages, tree);
  std::vector<std::string> databases;
  for (const std::vector<std::size_t>& group : groups) {
    std::string& text = databases.emplace_back();
    for (const std::size_t i : group) text += all[i];
  }
  return top.write_whole(groups, databases, env);
}

Result<Descriptor> put_text(const std::string& text, std::string_view media_type, Durability when, Env& env) {
  Descriptor out;
  out.media_type = media_type;
  out.digest = TRY(env.store.put_bytes(text, when));
  out.size = text.size();
  return out;
}

Result<Descriptor> put_json(const Json& json, std::string_view media_type, Env& env) {
  return put_text(codec::to_json(json), media_type, kWhen, env);
}

Result<> write_documents(Image& image, const ComposeRequest& request, std::string_view passwd, Env& env) {
  auto user = resolve_user(request.spec->accounts.run_as, passwd);
  if (!user) return std::move(user).error().at(Place{request.spec->file, 0, 0});
  if (request.foreign) {
    const Json config = TRY(foreign_config(request, image, *user));
    image.config = TRY(put_text(go_json(config), kConfigType, Durability::kLater, env));
    image.manifest =
        TRY(put_text(go_json(foreign_manifest(request, image)), kManifestType, Durability::kLater, env));
    image.index = TRY(make_image_index(*request.spec, {image}, env));
    return {};
  }
  const Json config = TRY(make_config(request, image, *user));
  image.config = TRY(put_json(config, kConfigType, env));
  image.manifest = TRY(put_json(make_manifest(request, image), kManifestType, env));
  image.index = TRY(put_json(make_index(request, image), kIndexType, env));
  return {};
}

/// All that no package owns; gives the content of etc/passwd.
Result<std::string> fill(TopLayer& top, const ComposeRequest& request, const std::vector<PackageContents>& packages,
                         MergedTree& tree, const Image& image, Env& env) {
  if (request.foreign) return fill_foreign(top, request, packages, tree, image.created, env);
  std::string locked = locked_spec(*request.spec, request.arch, image.packages);
  return fill_top(top, request, packages, tree, std::move(locked), image.created, env);
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
  if (request.foreign) {
    Json keys = Json::array();
    for (const auto& [name, pem] : request.keys) keys.push(Json::strings({name, pem}));
    key.set("foreign_composer", kForeignComposer);
    key.set("foreign", request.form == LayerForm::kReference ? "reference" : "segments").set("keys", std::move(keys));
    key.set("repositories", Json::strings(request.repositories)).set("world", Json::strings(request.world));
    key.set("locked", Json::strings(request.locked)).set("build_date", request.build_date);
    key.set("source_date", request.source_date.value_or(-1));
    if (request.as_asked)
      key.set("as_asked", true).set("vcs_url", request.spec->vcs_url).set("include", request.spec->include);
    if (request.base != nullptr)
      key.set("base", request.base->manifest.digest.hex()).set("base_database", request.base->database.hex());
  }
  return codec::sha256(codec::to_canonical_json(key));
}

Result<Image> compose_image(const ComposeRequest& request, Env& env) {
  TRY(check_request(request));
  std::optional<Image> known;
  if (request.foreign) known = TRY(known_image(request, env));
  if (known) return *std::move(known);
  Task task(env.events, "image " + request.spec->name);
  const Durability when = kWhen;
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
  if (request.base != nullptr) {
    TRY(bring_layers(*request.base, env), "composing image '{}'", image.name);
    for (const PackageContents& package : request.base->packages) {
      image.packages.push_back(package.label());
      image.created = std::max(image.created, package.file.info.build_date);
    }
  }
  std::sort(image.packages.begin(), image.packages.end());

  const bool reference = request.foreign && request.form == LayerForm::kReference;
  if (request.foreign) image.created = request.source_date.value_or(std::max(image.created, request.build_date));
  FileDigests digests(packages, env);
  MergedTree tree = TRY(merge(packages, digests, request.form, reference ? foreign_seeds() : std::vector<Seed>()),
                        "composing image '{}'", image.name);
  TopLayer top(tree, packages, reference ? 0 : image.created, request.form, request.foreign);
  std::string passwd;
  if (reference) {
    passwd = TRY(fill(top, request, packages, tree, image, env), "composing image '{}'", image.name);
    image.layers = TRY(whole_layers(top, packages, tree, *request.spec, env), "composing image '{}'", image.name);
    if (request.base != nullptr) {
      TRY(check_over_base(tree, packages, *request.base, env), "composing image '{}'", image.name);
      image.layers.insert(image.layers.begin(), request.base->layers.begin(), request.base->layers.end());
    }
  } else {
    // The packages' layers and the one above them have nothing to do with each other: at the same time.
    std::vector<Layer> above(1);
    const auto make = [&](std::size_t which) -> Result<> {
      if (which == 0) {
        image.layers = TRY(package_layers(packages, tree, *request.spec, when, env));
        return {};
      }
      passwd = TRY(fill(top, request, packages, tree, image, env));
      above[0] = TRY(top.write_top(when, env));
      return {};
    };
    TRY(os::for_each(2, 0, make), "composing image '{}'", image.name);
    image.layers.push_back(std::move(above[0]));
  }
  TRY(write_documents(image, request, passwd, env), "composing image '{}'", image.name);
  if (request.foreign) TRY(env.store.state().put(kKind, image.inputs.hex(), codec::to_json(record_of(image))));
  task.finish(fmt::format("{} packages in {} layers", packages.size(), image.layers.size()));
  return image;
}

Result<Descriptor> make_image_index(const ImageSpec& spec, const std::vector<Image>& images, Env& env) {
  std::vector<Image> ordered = images;
  std::sort(ordered.begin(), ordered.end(),
            [](const Image& a, const Image& b) { return oci_platform(a.arch) < oci_platform(b.arch); });
  std::int64_t created = 0;
  for (const Image& image : ordered) created = std::max(created, image.created);
  return put_text(go_json(foreign_index(spec, ordered, created)), kIndexType, Durability::kLater, env);
}

}  // namespace nacre::image
