#include "cli/images.h"

#include "attest/cyclonedx.h"
#include "attest/provenance.h"
#include "attest/sbom.h"
#include "base/events.h"
#include "base/field_archs.h"
#include "base/text.h"
#include "cli/image_words.h"
#include "codec/digest.h"
#include "codec/yaml_aliases.h"
#include "os/clock.h"
#include "publish/layout.h"
#include "store/store.h"

#include <algorithm>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

/// Images of equal inputs are found again by this kind, key "EDITION KEY EVIDENCE".
constexpr std::string_view kKind = "image";
constexpr double kTestSeconds = 300;

/// The last word changes when further evidence is attached: images from before get it, too.
std::string state_key(Edition edition, const Sha256& inputs) {
  return fmt::format("{} {} 2", name_of(edition), inputs.hex());
}

Json entry_to_json(const index::SerialImage& entry) {
  index::Serial serial;
  serial.images = {entry};
  return index::serial_to_json(serial);
}

/// The image of these inputs, when every blob of it is in the store.
Result<std::optional<index::SerialImage>> find_image(Env& env, Edition edition, const Sha256& inputs) {
  const auto text = TRY(env.store.state().get(kKind, state_key(edition, inputs)));
  if (!text) return std::optional<index::SerialImage>();
  const Json json = TRY(codec::parse_json(*text, "record of an image"));
  index::Serial serial = TRY(index::serial_from_json(json));
  for (const Sha256& blob : serial.images.at(0).blobs) {
    const bool there = TRY(env.store.holds(blob));
    if (!there) return std::optional<index::SerialImage>();
  }
  return std::optional<index::SerialImage>(std::move(serial.images[0]));
}

/// "1.26.3-r0", "1.26.3", "1.26", "latest": by the package that bears the image's name, or just "latest". "1.26" when
/// that is less than the whole version, and begins with two numbers.
std::vector<std::string> tags_of(const std::string& name, const std::vector<std::string>& packages) {
  std::vector<std::string> out;
  for (const std::string& package : packages) {
    if (!package.starts_with(name + "=")) continue;
    const std::string full = package.substr(name.size() + 1);
    const std::string version = full.substr(0, full.rfind("-r"));
    out = {full, version};
    const std::size_t first = version.find_first_not_of("0123456789");
    if (first == 0 || first == version.npos || version[first] != '.') continue;
    const std::size_t second = version.find_first_not_of("0123456789", first + 1);
    if (second != version.npos && second > first + 1 && (version[second] == '.' || version[second] == '_'))
      out.push_back(version.substr(0, second));
  }
  out.push_back("latest");
  return out;
}

Result<std::vector<Json>> sboms_of(const std::vector<index::SerialPackage>& packages, Env& env) {
  std::vector<Json> out;
  for (const index::SerialPackage& package : packages) {
    const std::string text = TRY(env.store.read(package.sbom));
    out.push_back(TRY(codec::parse_json(text, package.record.name + ".spdx.json")));
  }
  return out;
}

attest::PackageGraph graph_of(const std::vector<index::SerialPackage>& packages) {
  std::vector<apk::IndexRecord> records;
  for (const index::SerialPackage& package : packages) records.push_back(package.record);
  return attest::package_graph(records);
}

void take_evidence(index::SerialImage& entry, const attest::ImageEvidence& evidence) {
  entry.blobs.insert(entry.blobs.end(), evidence.blobs.begin(), evidence.blobs.end());
  entry.referrers = evidence.referrers;
  Json tags = Json::object();
  for (const auto& [tag, manifest] : evidence.tags) tags.set(tag, manifest.oci());
  entry.referrers.set("tags", std::move(tags));
}

/// Signature, provenance and SBOMs on the manifest and on the index.
Result<index::SerialImage> attest_image(Workshop& shop, const image::ComposeRequest& request,
                                        const image::Image& image, std::int64_t started) {
  Env& env = shop.env();
  attest::Builder builder;
  builder.id = shop.session.builder_id;
  builder.version = std::string(program_version());
  builder.edition = request.edition;
  const std::string spec_text = TRY(os::read_file(request.spec->file));
  const Json provenance =
      attest::image_provenance(request, image, codec::sha256(spec_text), started,
                               env.clock.now_seconds(), builder);
  const std::vector<Json> package_sboms = TRY(sboms_of(request.packages, env));
  const std::string repository = repository_of(request.edition, image.name);
  const auto evidence = [&](const Json& spdx, const attest::PackageGraph& graph) {
    return std::vector<std::pair<std::string, Json>>{
        {std::string(attest::kProvenanceType), provenance},
        {std::string(attest::kSpdxType), spdx},
        {std::string(attest::kCycloneDxType), attest::cyclonedx_of(spdx, graph)}};
  };

  index::SerialImage entry;
  entry.name = image.name;
  entry.index_digest = image.index.digest;
  entry.tags = tags_of(image.name, image.packages);
  entry.packages = image.packages;
  entry.inputs = image.inputs;
  entry.blobs = {image.index.digest, image.manifest.digest, image.config.digest};
  for (const image::Layer& layer : image.layers) entry.blobs.push_back(layer.blob.digest);
  const std::vector<attest::Claims> claims = {
      {image.manifest, evidence(attest::image_sbom(image, package_sboms), graph_of(request.packages))},
      {image.index, evidence(attest::image_index_sbom({image}), {})}};
  const attest::ImageEvidence attached = TRY(attest::attach_evidence(claims, repository, image.created, request.edition,
                                                                     shop.session.signer, env.store));
  take_evidence(entry, attached);
  std::sort(entry.blobs.begin(), entry.blobs.end());
  entry.blobs.erase(std::unique(entry.blobs.begin(), entry.blobs.end()), entry.blobs.end());
  return entry;
}

Result<std::uint64_t> layer_bytes(const index::SerialImage& entry, const Arch& arch, Env& env) {
  std::uint64_t sum = 0;
  const std::vector<image::Descriptor> layers = TRY(layers_of(entry.index_digest, arch, env));
  for (const image::Descriptor& layer : layers) sum += layer.size;
  return sum;
}

}  // namespace

std::string repository_of(Edition edition, std::string_view image) {
  return fmt::format("{}/{}", publish::registry_space(edition), image);
}

Result<std::vector<image::ImageSpec>> load_image_specs(const Path& os_dir, const Arch& arch) {
  std::vector<image::ImageSpec> out;
  auto files = yaml_files(os_dir / "images");
  // git keeps no empty directories: a distribution without images may lack this one.
  if (!files && files.error().kind() == ErrorKind::kNotFound) return out;
  if (!files) return std::move(files).error();
  for (const Path& file : *files) {
    std::string text = TRY(os::read_file(file));
    const codec::YamlTree yaml = TRY(codec::parse_yaml_with_aliases(std::move(text), file.string()));
    image::ImageSpec spec = TRY(image::read_image_spec(yaml));
    bool wanted = spec.archs.empty();
    for (const std::string& name : spec.archs) {
      const Arch known = TRY(find_field_arch(name), "reading archs of '{}'", file.string());
      wanted = wanted || known == arch;
    }
    if (wanted) out.push_back(std::move(spec));
  }
  return out;
}

Result<ComposedImage> compose(Workshop& shop, const image::ImageSpec& spec, Edition edition) {
  Env& env = shop.env();
  image::ComposeRequest request;
  request.spec = &spec;
  request.arch = shop.os.arch;
  request.edition = edition;
  solve::World world;
  world.atoms = spec.contents.packages;
  world.places = spec.contents.package_places;
  request.packages = TRY(shop.shelf.closure(world, edition), "choosing packages of image '{}'", spec.name);
  const crypto::PublicKey key = TRY(shop.session.signer.public_key(edition, crypto::Purpose::kPackage));
  request.public_key = key.pem();
  const Sha256 inputs = image::compose_key(request);

  ComposedImage out;
  if (auto known = TRY(find_image(env, edition, inputs))) {
    out.entry = *std::move(known);
    out.entry.tags = tags_of(out.entry.name, out.entry.packages);
    out.size_bytes = TRY(layer_bytes(out.entry, shop.os.arch, env));
    return out;
  }
  Task task(env.events, fmt::format("image {} ({})", spec.name, name_of(edition)));
  const std::int64_t started = env.clock.now_seconds();
  out.image = TRY(image::compose_image(request, env));
  out.entry = TRY(attest_image(shop, request, out.image, started));
  out.entry.inputs = inputs;
  TRY(keep_words(out.image.manifest.digest, words_of(spec), env));
  out.composed = true;
  out.size_bytes = TRY(layer_bytes(out.entry, shop.os.arch, env));
  TRY(env.store.state().put(kKind, state_key(edition, inputs), codec::to_json(entry_to_json(out.entry))));
  task.finish(fmt::format("{} layers, {}", out.image.layers.size(), human_bytes(out.size_bytes)));
  return out;
}

Result<> test_image(Session& session, const Path& os_dir, const index::SerialImage& image,
                    const std::optional<index::SerialImage>& before) {
  Env& env = session.env;
  const Path script = os_dir / "images" / (image.name + ".test.sh");
  if (!os::exists(script)) return {};
  const std::string text = TRY(os::read_file(script));
  const bool replaces = before && before->index_digest != image.index_digest;
  const std::string old = replaces ? before->index_digest.oci() : "";
  const Sha256 key = codec::sha256(fmt::format("{}\n{}\n{}", text, image.index_digest.hex(), old));
  if (TRY(env.store.state().get("image-tested", key.hex()))) return {};

  Task task(env.events, "test image " + image.name);
  os::Command command;
  command.inherit_env = true;
  command.argv = {"bash", script.string()};
  command.env = {"NACRE=" + session.program.string(), "NACRE_HOME=" + session.home.string(),
                 "IMAGE=" + image.index_digest.oci(), "IMAGE_OLD=" + old};
  command.timeout_seconds = kTestSeconds;
  std::vector<std::string> lines;
  command.on_line = [&](std::string_view line) {
    task.output(line);
    if (lines.size() >= 20) lines.erase(lines.begin());
    lines.emplace_back(line.substr(0, 400));
  };
  const os::Exit exit = TRY(env.processes.run(command, env.stop));
  if (!exit.ok())
    return Error::make(ErrorKind::kInvalid, "the test of image '{}' {}:\n  {}", image.name,
                       exit.timed_out ? fmt::format("took more than {} s", kTestSeconds)
                                      : fmt::format("failed (exit {})", exit.code),
                       join(lines, "\n  "))
        .at({script.string(), 0, 0})
        .hint(fmt::format("try it by hand: IMAGE={} NACRE={} bash {}", image.index_digest.oci(),
                          session.program.string(), script.string()));
  TRY(env.store.state().put("image-tested", key.hex(), image.name));
  task.finish("passed");
  return {};
}

Result<std::vector<image::Descriptor>> layers_of(const Sha256& index_or_manifest, const Arch& arch, Env& env) {
  const Sha256 digest = TRY(image::manifest_for(index_or_manifest, arch, env));
  const std::string text = TRY(env.store.read(digest));
  const Json manifest = TRY(codec::parse_json(text, "manifest"));
  std::vector<image::Descriptor> out;
  for (const Json& layer : manifest["layers"].items()) {
    image::Descriptor descriptor;
    descriptor.media_type = layer["mediaType"].as_string();
    descriptor.digest = TRY(parse_sha256(layer["digest"].as_string()));
    descriptor.size = static_cast<std::uint64_t>(layer["size"].as_int());
    out.push_back(std::move(descriptor));
  }
  return out;
}

Result<PullCost> pull_cost(const std::optional<index::SerialImage>& before, const index::SerialImage& after,
                           const Arch& arch, Env& env) {
  std::set<Sha256> present;
  if (before) {
    const std::vector<image::Descriptor> layers = TRY(layers_of(before->index_digest, arch, env));
    for (const image::Descriptor& layer : layers) present.insert(layer.digest);
  }
  PullCost out;
  const std::vector<image::Descriptor> layers = TRY(layers_of(after.index_digest, arch, env));
  out.layers_total = static_cast<int>(layers.size());
  for (const image::Descriptor& layer : layers) {
    if (present.contains(layer.digest)) continue;
    out.bytes += layer.size;
    ++out.layers;
    out.digests.push_back(layer.digest.oci());
  }
  return out;
}

}  // namespace nacre::cli
