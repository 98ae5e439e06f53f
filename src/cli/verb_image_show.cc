#include <algorithm>
#include <map>
#include <set>

#include "base/field_archs.h"
#include "base/text.h"
#include "cli/at.h"
#include "cli/image_notices.h"
#include "cli/image_words.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "image/base.h"
#include "image/export.h"
#include "image/read.h"
#include "image/reasons.h"
#include "store/store.h"

// What an image holds, and why: files, inspect, why.
namespace nacre::cli {
namespace {

using codec::Json;

const std::set<std::string> kDatabases = {"usr/lib/apk/db/installed", "lib/apk/db/installed"};

/// An image, and its manifest for the architecture that is asked for.
struct Shown {
  FoundImage found;
  Sha256 manifest;
};
Result<Shown> shown_image(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(find_field_arch(arguments.text("--arch")));
  Shown out;
  out.found = TRY(find_image(arguments.text("IMAGE"), arguments, session));
  out.manifest = TRY(image::manifest_for(out.found.digest, arch, session.env));
  return out;
}

Json to_json(const image::ImageFile& file) {
  Json row;
  row.set("path", file.path).set("type", std::string(1, file.type)).set("mode", fmt::format("{:04o}", file.mode));
  row.set("uid", file.uid).set("gid", file.gid).set("size", file.size).set("package", file.package);
  if (!file.link.empty()) row.set("link", file.link);
  return row;
}

Json to_json(const std::vector<image::ImageFile>& files) {
  Json out = Json::array();
  for (const image::ImageFile& file : files) out.push(to_json(file));
  return out;
}

std::string long_row(const image::ImageFile& file) {
  return fmt::format("{:04o} {:>6} {:>6} {:>10} {:<24} {}{}\n", file.mode, file.uid, file.gid, file.size, file.package,
                     file.path, file.link.empty() ? "" : " -> " + file.link);
}

Result<int> run_files(const Arguments& arguments, Session& session) {
  const Shown image = TRY(shown_image(arguments, session));
  const std::vector<image::ImageFile> files = TRY(image::list_files(image.manifest, session.env));
  std::string text;
  for (const image::ImageFile& file : files) text += arguments.flag("--long") ? long_row(file) : file.path + "\n";
  session.print(session.json ? codec::to_pretty_json(to_json(files)) : text);
  return 0;
}

/// Something attached to an image: signature, provenance, SBOM.
struct Attached {
  std::string subject, digest, kind, predicate;
  std::int64_t size = 0;
};

Result<std::vector<Attached>> attached_to(const Shown& image, Session& session) {
  std::vector<Attached> out;
  const auto add = [&out](const Sha256& subject, const Json& list) {
    for (const Json& row : list.items()) {
      const std::string& artifact = row["artifactType"].as_string();
      out.push_back({subject.oci(), row["digest"].as_string(),
                     artifact.empty() ? row["mediaType"].as_string() : artifact,
                     row["annotations"]["dev.sigstore.bundle.predicateType"].as_string(), row["size"].as_int()});
    }
  };
  std::vector<Sha256> subjects = {image.found.digest};
  if (image.manifest != image.found.digest) subjects.push_back(image.manifest);
  const std::optional<attest::ImageSource> source = TRY(evidence_of(image.found, session));
  if (!source) return out;
  for (const Sha256& subject : subjects) {
    const Json list = TRY(source->referrers(subject), "asking for what is attached to {}", subject.oci());
    add(subject, list);
    if (!image.found.entry) continue;
    for (const auto& [tag, manifest] : image.found.entry->referrers["tags"].members())
      if (tag.starts_with("sha256-" + subject.hex()))
        out.push_back({subject.oci(), manifest.as_string(), "tag " + tag, "", 0});
  }
  return out;
}

Json to_json(const std::vector<Attached>& evidence) {
  Json out = Json::array();
  for (const Attached& one : evidence) {
    Json row = Json::object({{"subject", one.subject}, {"digest", one.digest}, {"kind", one.kind}});
    if (!one.predicate.empty()) row.set("predicateType", one.predicate);
    if (one.size > 0) row.set("size", one.size);
    out.push(std::move(row));
  }
  return out;
}

/// "linux/amd64" and the manifest of each platform that an index has.
std::vector<std::pair<std::string, std::string>> platforms_of(const Json& index) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Json& row : index["manifests"].items()) {
    const Json& platform = row["platform"];
    const std::string& variant = platform["variant"].as_string();
    out.emplace_back(fmt::format("{}/{}{}", platform["os"].as_string(), platform["architecture"].as_string(),
                                 variant.empty() ? "" : "/" + variant),
                     row["digest"].as_string());
  }
  return out;
}

/// What `inspect` tells, as JSON: the text is made of it.
Result<Json> inspection(const Shown& image, bool with_files, Session& session) {
  Env& env = session.env;
  const Json top = TRY(image::read_document(image.found.digest, env));
  const Json manifest = TRY(image::read_document(image.manifest, env));
  const image::Descriptor config_blob = TRY(image::read_descriptor(manifest["config"]));
  const Json config = TRY(image::read_document(config_blob.digest, env));
  const image::ImageParts parts = TRY(image::read_parts(image.manifest, env));
  const std::vector<image::ImageFile> files = TRY(image::list_files(image.manifest, env));
  std::vector<std::set<std::string>> packages_of(parts.layers.size());
  std::vector<std::int64_t> files_of(parts.layers.size(), 0);
  std::set<std::string> packages;
  for (const image::ImageFile& file : files) {
    if (file.type == '5') continue;
    ++files_of.at(file.layer);
    if (file.package.empty()) continue;
    packages_of.at(file.layer).insert(file.package);
    packages.insert(file.package);
  }
  const auto databases = TRY(image::read_files(image.manifest, kDatabases, env));
  for (const auto& [path, text] : databases) {
    const auto installed = TRY(image::parse_database(text, path));
    for (const image::PackageContents& package : installed) packages.insert(package.label());
  }
  Json platforms = Json::array(), layers = Json::array();
  for (const auto& [platform, digest] : platforms_of(top))
    platforms.push(Json::object({{"platform", platform}, {"digest", digest}}));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < parts.layers.size(); ++i) {
    bytes += parts.layers[i].size;
    layers.push(Json::object({{"digest", parts.layers[i].digest.oci()},
                              {"diffId", parts.diff_ids[i].oci()},
                              {"mediaType", parts.layers[i].media_type},
                              {"sizeBytes", parts.layers[i].size},
                              {"files", files_of[i]},
                              {"packages", Json::strings({packages_of[i].begin(), packages_of[i].end()})}}));
  }
  const std::string& variant = config["variant"].as_string();
  Json out = Json::object({{"name", image.found.name}, {"digest", image.found.digest.oci()}});
  if (image.found.edition) out.set("edition", name_of(*image.found.edition));
  if (!platforms.items().empty()) out.set("platforms", std::move(platforms));
  if (!top["annotations"].is_null() && image.manifest != image.found.digest)
    out.set("indexAnnotations", top["annotations"]);
  out.set("platform", fmt::format("{}/{}{}", config["os"].as_string(), config["architecture"].as_string(),
                                  variant.empty() ? "" : "/" + variant));
  out.set("manifest", image.manifest.oci()).set("created", config["created"].as_string());
  out.set("sizeBytes", bytes).set("layers", std::move(layers));
  out.set("packages", Json::strings({packages.begin(), packages.end()}));
  out.set("config", config["config"]);
  if (!manifest["annotations"].is_null()) out.set("annotations", manifest["annotations"]);
  const std::vector<Attached> evidence = TRY(attached_to(image, session));
  out.set("evidence", to_json(evidence));
  const std::vector<index::Notice> notices = TRY(notices_of(image.found, session));
  Json notes = Json::array();
  for (const index::Notice& notice : notices) {
    Json row = index::to_json(notice);
    notes.push(row.set("text", index::render(notice)));
  }
  out.set("notices", std::move(notes));
  if (with_files) out.set("files", to_json(files));
  return out;
}

void render_annotations(std::string& out, const char* title, const Json& annotations) {
  if (annotations.is_null()) return;
  out += fmt::format("{}:\n", title);
  for (const auto& [key, value] : annotations.members()) out += fmt::format("  {}: {}\n", key, value.as_string());
}

std::string render(const Json& image) {
  std::string out = fmt::format("{}  {}\n", image["name"].as_string(), image["digest"].as_string());
  for (const Json& row : image["platforms"].items())
    out += fmt::format("  {}  {}\n", row["platform"].as_string(), row["digest"].as_string());
  out += fmt::format("{}: {} packages, {} in {} layers, created {}\n", image["platform"].as_string(),
                     image["packages"].items().size(),
                     human_bytes(static_cast<std::uint64_t>(image["sizeBytes"].as_int())),
                     image["layers"].items().size(), image["created"].as_string());
  for (const Json& row : image["notices"].items()) out += fmt::format("note: {}\n", row["text"].as_string());
  out += "configuration:\n";
  for (const auto& [key, value] : image["config"].members())
    if (key != "Labels") out += fmt::format("  {}: {}\n", key, codec::to_json(value));
  out += "layers:\n";
  for (const Json& layer : image["layers"].items())
    out += fmt::format("  {}  {:>10}  {} files  {}\n", layer["digest"].as_string().substr(0, 19),
                       human_bytes(static_cast<std::uint64_t>(layer["sizeBytes"].as_int())), layer["files"].as_int(),
                       join(layer["packages"].as_strings(), " "));
  render_annotations(out, "annotations", image["annotations"]);
  render_annotations(out, "annotations of the index", image["indexAnnotations"]);
  out += image["evidence"].items().empty() ? "evidence: none is attached\n" : "evidence:\n";
  for (const Json& row : image["evidence"].items()) {
    const std::string& predicate = row["predicateType"].as_string();
    out += fmt::format("  {}  {}{}\n", row["digest"].as_string().substr(0, 19), row["kind"].as_string(),
                       predicate.empty() ? "" : "  " + predicate);
  }
  return out;
}

Result<int> run_inspect(const Arguments& arguments, Session& session) {
  const Shown image = TRY(shown_image(arguments, session));
  const bool with_files = arguments.flag("--files");
  const Json found = TRY(inspection(image, with_files, session));
  if (session.json) {
    session.print(codec::to_pretty_json(found));
    return 0;
  }
  std::string text = render(found);
  if (with_files) {
    const std::vector<image::ImageFile> files = TRY(image::list_files(image.manifest, session.env));
    text += "files:\n";
    for (const image::ImageFile& file : files) text += long_row(file);
  }
  session.print(text);
  return 0;
}

/// The words that an image was asked for: of the definition that is named, else as they were kept, else the image's
/// world where it is more than the list of its packages.
Result<std::vector<image::Word>> words_of_image(const Arguments& arguments, const Shown& image,
                                                const std::vector<image::PackageContents>& packages, Session& session) {
  if (const std::string file = arguments.text("--definition"); !file.empty()) {
    const image::LoadedSpec loaded = TRY(image::load_image_spec(file, {}));
    return words_of(loaded.spec);
  }
  std::vector<image::Word> out = TRY(kept_words(image.manifest, session.env));
  if (!out.empty()) return out;
  const auto world = TRY(image::read_files(image.manifest, {"etc/apk/world"}, session.env));
  std::set<std::string> labels;
  for (const image::PackageContents& package : packages) labels.insert(package.label());
  bool says_more = false;
  for (const auto& [path, text] : world)
    for (const std::string& line : split(text, '\n')) {
      if (trim(line).empty()) continue;
      out.push_back({std::string(trim(line)), {}});
      says_more = says_more || !labels.contains(out.back().atom);
    }
  if (!says_more) out.clear();
  return out;
}

/// The file at `path`, links on the way followed. kNotFound with the nearest name of its directory.
Result<image::ImageFile> file_at(const std::string& path, const std::vector<image::ImageFile>& files) {
  std::map<std::string, const image::ImageFile*, std::less<>> by_path;
  for (const image::ImageFile& file : files) by_path.emplace(file.path, &file);
  const TreePath wanted = TRY(TreePath::parse(path));
  const std::string at =
      TRY(image::resolve(wanted.str(), image::Last::kKeep, [&](std::string_view one) -> const std::string* {
        const auto found = by_path.find(one);
        return found != by_path.end() && found->second->type == '2' ? &found->second->link : nullptr;
      }));
  if (const auto found = by_path.find(at); found != by_path.end()) return *found->second;
  const std::string name = image::name_of_path(at);
  std::vector<std::string> near;
  for (const auto& [other, file] : by_path)
    if (image::parent_of(other) == image::parent_of(at) || image::name_of_path(other) == name)
      near.push_back("/" + other);
  const auto same = std::find_if(near.begin(), near.end(),
                                 [&](const std::string& other) { return image::name_of_path(other) == name; });
  return Error::make(ErrorKind::kNotFound, "the image has no file '{}'", path)
      .hint(same != near.end() ? fmt::format("there is '{}'", *same) : nearest_hint("/" + at, near));
}

Result<int> run_why(const Arguments& arguments, Session& session) {
  const Shown image = TRY(shown_image(arguments, session));
  const std::string what = arguments.text("WHAT");
  const auto databases = TRY(image::read_files(image.manifest, kDatabases, session.env));
  if (databases.empty())
    return Error::make(ErrorKind::kNotFound, "image {} has no database of apk: nobody says what it is made of",
                       image.found.name);
  std::vector<image::PackageContents> packages =
      TRY(image::parse_database(databases.begin()->second, databases.begin()->first));
  Json out = Json::object({{"image", image.found.digest.oci()}});
  std::string text, name = what;
  if (what.find('/') != std::string::npos) {
    const std::vector<image::ImageFile> files = TRY(image::list_files(image.manifest, session.env));
    const image::ImageFile file = TRY(file_at(what, files));
    out.set("file", to_json(file));
    text = file.package.empty() ? fmt::format("/{} belongs to no package: who composed the image made it\n", file.path)
                                : fmt::format("/{} belongs to {}\n", file.path, file.package);
    name = file.package.substr(0, file.package.find('='));
  }
  if (!name.empty()) {
    const std::vector<image::Word> words = TRY(words_of_image(arguments, image, packages, session));
    const image::Reasons reasons(std::move(packages), words);
    const std::vector<image::Step> chain = TRY(reasons.chain(name));
    const std::vector<image::Step> links = reasons.links_to(name);
    Json steps = Json::array(), others = Json::array();
    std::string also;
    for (const image::Step& step : chain) {
      steps.push(image::to_json(step));
      text += fmt::format("{}\n", image::render(step));
    }
    for (const image::Step& link : links) {
      others.push(image::to_json(link));
      if (chain.empty() || link.from != chain.back().from || link.atom != chain.back().atom)
        also += fmt::format("  {}\n", image::render(link));
    }
    if (chain.empty()) text += fmt::format("nothing that was asked for leads to {}\n", name);
    if (!also.empty()) text += fmt::format("{}:\n{}", chain.empty() ? "what brings it" : "besides", also);
    if (words.empty())
      text +=
          "what the image was asked for is not known: what nothing needs is taken for it; "
          "--definition FILE says it\n";
    out.set("package", name).set("wordsKnown", !words.empty());
    out.set("chain", std::move(steps)).set("broughtBy", std::move(others));
  }
  session.print(session.json ? codec::to_pretty_json(out) : text);
  return 0;
}

const Argument kImageArgument = {"IMAGE", "name, reference, digest or layout directory", true, false,
                                 Completion::kImage};

}  // namespace

Verb verb_image_files() {
  Verb verb;
  verb.name = "image files";
  verb.summary = "every file of an image and the package that it comes from";
  verb.arguments = {kImageArgument};
  verb.options = {kArchOption,
                  kAtOption,
                  {"--long", OptionType::kFlag, "", "", "with mode, owner, size and package", Completion::kNone}};
  verb.run = run_files;
  return verb;
}

Verb verb_image_inspect() {
  Verb verb;
  verb.name = "image inspect";
  verb.summary = "what an image is: platforms, configuration, layers, annotations, evidence";
  verb.arguments = {kImageArgument};
  verb.options = {
      kArchOption,
      kAtOption,
      {"--files", OptionType::kFlag, "", "", "each file, with mode, owner, size and package", Completion::kNone}};
  verb.run = run_inspect;
  return verb;
}

Verb verb_image_why() {
  Verb verb;
  verb.name = "image why";
  verb.summary = "what brought a package or a file into an image";
  verb.arguments = {kImageArgument, {"WHAT", "package, or /path", true, false, Completion::kPackage}};
  verb.options = {
      kArchOption,
      kAtOption,
      {"--definition", OptionType::kText, "FILE", "", "the definition that the image was made of", Completion::kFile}};
  verb.run = run_why;
  return verb;
}

}  // namespace nacre::cli
