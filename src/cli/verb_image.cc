#include "base/text.h"
#include "cli/at.h"
#include "cli/flow.h"
#include "cli/image_foreign.h"
#include "cli/lookup.h"
#include "cli/push.h"
#include "cli/verbs.h"
#include "codec/yaml_aliases.h"
#include "publish/layout.h"
#include "publish/static_tree.h"
#include "publish/registry.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

Result<image::ImageSpec> spec_of(const std::string& word, const Workshop& shop) {
  if (word.ends_with(".yaml")) {
    std::string text = TRY(os::read_file(word));
    const codec::YamlTree yaml = TRY(codec::parse_yaml_with_aliases(std::move(text), word));
    return image::read_image_spec(yaml);
  }
  std::vector<image::ImageSpec> specs = TRY(load_image_specs(shop.os.folder, shop.os.arch));
  std::vector<std::string> names;
  for (image::ImageSpec& spec : specs) {
    if (spec.name == word) return std::move(spec);
    names.push_back(spec.name);
  }
  return Error::make(ErrorKind::kNotFound, "no image '{}' in '{}'", word, (shop.os.folder / "images").string())
      .hint(nearest_hint(word, names));
}

/// Puts the packages of a serial on the shelf.
void stock(Workshop& shop, const index::Serial& serial) {
  for (const index::SerialPackage& package : serial.packages) shop.shelf.add(serial.edition, package);
}

/// Puts what `nacre build` made here since the serial was published in its place.
Result<> stock_newer(Workshop& shop, const index::Serial& serial) {
  if (serial.edition != Edition::kCommunity) return {};
  for (const definition::Definition& definition : shop.os.definitions) {
    const std::optional<BuildRecord> record = TRY(latest_build(shop.env(), definition.name));
    if (!record || record->finished <= serial.published) continue;
    for (const index::SerialPackage& package : record->packages) shop.shelf.add(serial.edition, package);
  }
  return {};
}

Json to_json(const ComposedImage& image, const std::vector<image::Descriptor>& layers) {
  Json list = Json::array();
  for (const image::Descriptor& layer : layers) list.push(image::to_json(layer));
  Json out;
  out.set("name", image.entry.name).set("digest", image.entry.index_digest.oci());
  out.set("composed", image.composed).set("sizeBytes", image.size_bytes);
  return out.set("packages", Json::strings(image.entry.packages)).set("layers", std::move(list));
}

Result<int> run_build(const Arguments& arguments, Session& session) {
  const std::string image_name = arguments.text("IMAGE");
  if (image_name.ends_with(".yaml")) {
    const image::LoadedSpec loaded = TRY(image::load_image_spec(image_name, {}));
    if (names_repositories(loaded.spec.contents) || !arguments.list("--repository").empty())
      return build_foreign_image(arguments, session);
  }
  if (!arguments.list("--push").empty())
    return Error::make(ErrorKind::kInvalid, "--push is for images of foreign packages, and '{}' is one of an edition",
                       image_name)
        .hint("publish it with a serial: `nacre up`, then `nacre image publish --registry HOST`");
  if (!arguments.text("--sbom").empty())
    return Error::make(ErrorKind::kInvalid, "'{}' is an image of an edition: its SBOMs are signed and go with it",
                       image_name)
        .hint(fmt::format("`nacre image sbom {}` shows one", image_name));
  const Arch arch = TRY(arch_of(arguments));
  const Edition edition = TRY(edition_of(arguments));
  const index::Serial serial = TRY(serial_of(arguments, session));
  Workshop shop = TRY(open_workshop(session, arch));
  if (edition == Edition::kStage0)
    return Error::make(ErrorKind::kDenied, "edition stage0 builds and never ships: no image is made of it")
        .hint("leave --edition out, or name community or production");
  // The other edition only for the message that says where a missing package is.
  const Edition other = edition == Edition::kCommunity ? Edition::kProduction : Edition::kCommunity;
  if (const std::optional<index::Serial> newest = TRY(index::head(session.env, other))) stock(shop, *newest);
  stock(shop, serial);
  if (!names_serial(arguments)) TRY(stock_newer(shop, serial));
  const image::ImageSpec spec = TRY(spec_of(arguments.text("IMAGE"), shop));
  const ComposedImage image = TRY(compose(shop, spec, edition));
  if (!arguments.flag("--skip-tests")) TRY(test_image(session, shop.os.folder, image.entry, std::nullopt));
  if (const std::string folder = arguments.text("--layout"); !folder.empty())
    TRY(publish::write_layout(folder, {image.entry}, session.env));
  const std::vector<image::Descriptor> layers = TRY(layers_of(image.entry.index_digest, arch, session.env));
  std::string text = fmt::format("{}  {}  {} in {} layers{}\n", image.entry.name, image.entry.index_digest.oci(),
                                 human_bytes(image.size_bytes), layers.size(), image.composed ? "" : "  (known)");
  for (const std::string& package : image.entry.packages) text += fmt::format("  {}\n", package);
  session.print(session.json ? codec::to_pretty_json(to_json(image, layers)) : text);
  return 0;
}

Json written_json(const std::vector<index::SerialImage>& images, const std::string& folder) {
  Json rows = Json::array();
  for (const index::SerialImage& image : images)
    rows.push(Json().set("name", image.name).set("digest", image.index_digest.oci()));
  return Json().set("folder", folder).set("images", std::move(rows));
}

Result<int> run_publish(const Arguments& arguments, Session& session) {
  const index::Serial serial = TRY(serial_of(arguments, session));
  std::vector<index::SerialImage> images;
  const std::vector<std::string> wanted = arguments.list("IMAGE");
  for (const std::string& name : wanted) {
    const auto of_serial = std::find_if(serial.images.begin(), serial.images.end(),
                                        [&](const index::SerialImage& image) { return image.name == name; });
    if (of_serial == serial.images.end()) {
      std::vector<std::string> names;
      for (const index::SerialImage& image : serial.images) names.push_back(image.name);
      return Error::make(ErrorKind::kNotFound, "no image '{}' in serial {} of edition {}", name, serial.number,
                         name_of(serial.edition))
          .hint(nearest_hint(name, names));
    }
    images.push_back(*of_serial);
  }
  if (wanted.empty()) images = serial.images;
  if (const std::string folder = arguments.text("--layout"); !folder.empty()) {
    TRY(publish::write_layout(folder, images, session.env));
    session.print(session.json ? codec::to_json(written_json(images, folder))
                               : fmt::format("{} images written to the OCI layout '{}'", images.size(), folder));
    return 0;
  }
  if (const std::string folder = arguments.text("--static"); !folder.empty()) {
    images = TRY(with_tags(std::move(images), serial, session));
    const index::Serial own = TRY(index::load_serial(session.env, serial.edition, serial.number));
    TRY(publish::write_static_tree(folder, own, images, session.env));
    session.print(session.json ? codec::to_json(written_json(images, folder))
                               : fmt::format("{} images written to '{}'; {}/nginx.conf serves them", images.size(),
                                             folder, folder));
    return 0;
  }
  const std::string host = arguments.text("--registry");
  if (host.empty())
    return Error::make(ErrorKind::kInvalid, "where to? none of --registry, --layout, --static was given")
        .hint("`nacre image publish --registry 127.0.0.1:5000`; `nacre serve` needs no publishing");
  const std::vector<publish::Receipt> receipts = TRY(push_images(images, serial, host, session));
  session.print(session.json ? codec::to_pretty_json(cli::to_json(receipts)) : cli::render(receipts));
  return 0;
}

}  // namespace

Verb verb_image_build() {
  Verb verb;
  verb.name = "image build";
  verb.summary = "compose one image from packages of one edition, attest and test it, without publishing";
  verb.arguments = {{"IMAGE", "name, or FILE.yaml", true, false, Completion::kImage}};
  verb.options = {kArchOption,
                  kEditionOption,
                  kSerialOption,
                  kAtOption,
                  {"--layout", OptionType::kText, "DIR", "", "also write an OCI layout here", Completion::kFolder},
                  {"--repository", OptionType::kList, "PLACE", "", "take packages from here (a foreign image)",
                   Completion::kFolder},
                  {"--key", OptionType::kList, "FILE", "", "public key of such a repository", Completion::kFile},
                  {"--lockfile", OptionType::kText, "FILE", "",
                   "take exactly the packages of this lock (a foreign image)", Completion::kFile},
                  {"--locked", OptionType::kFlag, "", "", "with --lockfile: ask for nothing but packages",
                   Completion::kNone},
                  {"--layers", OptionType::kText, "FORM", "segments", "of a foreign image: segments or reference",
                   Completion::kNone},
                  {"--push", OptionType::kList, "HOST/NAME:TAG", "", "push a foreign image to a registry",
                   Completion::kNone},
                  {"--sbom", OptionType::kText, "DIR", "", "write SBOMs of a foreign image here, and push them with it",
                   Completion::kFolder},
                  {"--skip-tests", OptionType::kFlag, "", "", "do not run the image's test", Completion::kNone}};
  verb.run = run_build;
  return verb;
}

Verb verb_image_publish() {
  Verb verb;
  verb.name = "image publish";
  verb.summary = "push images of a serial, with signatures and attestations, to a registry or an OCI layout";
  verb.arguments = {{"IMAGE", "only these", false, true, Completion::kImage}};
  verb.options = {kEditionOption,
                  kSerialOption,
                  kAtOption,
                  {"--registry", OptionType::kText, "HOST", "", "host[:port][/prefix] to push to", Completion::kNone},
                  {"--layout", OptionType::kText, "DIR", "", "write an OCI layout instead", Completion::kFolder},
                  {"--static", OptionType::kText, "DIR", "", "write files for web servers", Completion::kFolder}};
  verb.run = run_publish;
  return verb;
}

}  // namespace nacre::cli
