#include "attest/provenance.h"
#include "base/text.h"
#include "cli/at.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "cli/workshop.h"
#include "crypto/dsse.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

/// Where a package comes from, as its signed provenance says.
struct Origin {
  std::string definition, definition_digest, builder;
  std::vector<std::pair<std::string, std::string>> sources;  ///< uri, digest
  std::vector<std::string> remarks;                          ///< attest::build_remarks()
};

Result<Origin> origin_of(const index::SerialPackage& package, Session& session) {
  const std::string text = TRY(session.env.store.read(package.provenance));
  const Json bundle = TRY(codec::parse_json(text, "provenance"));
  const Json envelope = TRY(crypto::envelope_of_bundle(bundle));
  Edition edition = Edition::kCommunity;
  if (package.record.maintainer == "nacre stage0") edition = Edition::kStage0;
  const crypto::PublicKey key = TRY(session.signer.public_key(edition, crypto::Purpose::kAttestation));
  std::string payload;
  if (auto verified = crypto::dsse_verify(envelope, key)) {
    payload = *std::move(verified);
  } else {
    const crypto::PublicKey other =
        TRY(session.signer.public_key(Edition::kProduction, crypto::Purpose::kAttestation));
    payload = TRY(crypto::dsse_verify(envelope, other));
  }
  const Json statement = TRY(codec::parse_json(payload, "provenance"));
  const Json& build = statement["predicate"]["buildDefinition"];
  Origin out;
  out.remarks = attest::build_remarks(statement["predicate"]);
  out.builder = statement["predicate"]["runDetails"]["builder"]["id"].as_string();
  out.definition = build["externalParameters"]["definition"].as_string();
  for (const Json& dependency : build["resolvedDependencies"].items()) {
    const Json* commit = dependency["digest"].find("gitCommit");
    const std::string digest = commit != nullptr ? commit->as_string() : dependency["digest"]["sha256"].as_string();
    const std::string& kind = dependency["annotations"]["kind"].as_string();
    if (kind == "definition") out.definition_digest = digest;
    if (kind == "source") out.sources.emplace_back(dependency["uri"].as_string(), digest);
  }
  return out;
}

/// The chain of packages from one of the image's world to `name`: who asks for it.
std::vector<std::string> chain_to(const std::string& name, const index::Serial& serial,
                                  const std::vector<std::string>& members) {
  const auto in_image = [&](const std::string& package) {
    return std::any_of(members.begin(), members.end(),
                       [&](const std::string& m) { return m.starts_with(package + "="); });
  };
  const index::SerialPackage* wanted = nullptr;
  for (const index::SerialPackage& package : serial.packages)
    if (package.record.name == name) wanted = &package;
  std::vector<std::string> out;
  if (wanted == nullptr) return out;
  std::vector<std::string> gives = {name};
  for (const std::string& provide : wanted->record.provides) gives.push_back(apk::parse_provide(provide).name);
  for (const index::SerialPackage& package : serial.packages) {
    if (!in_image(package.record.name) || package.record.name == name) continue;
    for (const std::string& depend : package.record.depends) {
      const auto atom = apk::parse_dependency(depend);
      if (!atom || atom->conflict || std::find(gives.begin(), gives.end(), atom->name) == gives.end()) continue;
      out.push_back(fmt::format("{} needs {}", package.record.name, depend));
      break;
    }
  }
  return out;
}

struct Answer {
  Json json;
  std::string text;
};

Result<> explain(const std::string& name, const index::Serial& serial, const std::vector<std::string>& members,
                 Session& session, Answer& answer) {
  const index::SerialPackage package = TRY(find_package(serial, name));
  const Origin origin = TRY(origin_of(package, session));
  const std::vector<std::string> chain = chain_to(name, serial, members);
  Json row, sources = Json::array();
  std::string text = fmt::format("{}-{}  ({}, origin {})\n", name, package.record.version,
                                 human_bytes(package.record.size_bytes), package.record.origin);
  for (const std::string& asker : chain) text += fmt::format("  because {}\n", asker);
  text += fmt::format("  from    {} (sha256:{})\n", origin.definition, origin.definition_digest);
  for (const auto& [uri, digest] : origin.sources) {
    Json source;
    const bool commit = uri.starts_with("git+");
    sources.push(source.set("uri", uri).set(commit ? "gitCommit" : "sha256", digest));
    text += fmt::format("  source  {} ({}{})\n", uri, commit ? "commit " : "sha256:", digest);
  }
  for (const std::string& remark : origin.remarks) text += fmt::format("  built   {}\n", remark);
  row.set("package", name).set("version", package.record.version).set("because", Json::strings(chain));
  row.set("definition", origin.definition).set("definitionSha256", origin.definition_digest);
  row.set("sources", std::move(sources)).set("builder", origin.builder);
  if (!origin.remarks.empty()) row.set("remarks", Json::strings(origin.remarks));
  answer.json.push(std::move(row));
  answer.text += text;
  return {};
}

Result<int> run_why(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  const index::Serial serial = TRY(serial_of(arguments, session));
  const std::string what = arguments.text("WHAT");
  const std::string in = arguments.text("--image");
  Answer answer{Json::array(), {}};

  std::vector<const index::SerialImage*> images;
  for (const index::SerialImage& image : serial.images)
    if (in.empty() ? image.name == what || what.find('/') != std::string::npos : image.name == in)
      images.push_back(&image);
  const bool is_image =
      std::any_of(images.begin(), images.end(), [&](const auto* image) { return image->name == what; });
  if (what.find('/') != std::string::npos) {
    TreePath path = TRY(TreePath::parse(what));
    for (const index::SerialImage* image : images) {
      const Sha256 manifest = TRY(image::manifest_for(image->index_digest, arch, session.env));
      const std::vector<image::ImageFile> files = TRY(image::list_files(manifest, session.env));
      for (const image::ImageFile& file : files) {
        if (file.path != path.str()) continue;
        answer.text += fmt::format(
            "/{} in image {}: {}\n", file.path, image->name,
            file.package.empty() ? "made by the composer (owned by no package)" : "package " + file.package);
        if (!file.package.empty())
          TRY(explain(file.package.substr(0, file.package.find('=')), serial, image->packages, session, answer));
      }
    }
    if (answer.text.empty())
      return Error::make(ErrorKind::kNotFound, "no image of serial {} holds '{}'", serial.number, what)
          .hint("`nacre image files IMAGE` lists what an image holds");
  } else if (is_image) {
    answer.text += fmt::format("image {} ({}):\n", what, images.front()->index_digest.oci());
    for (const std::string& member : images.front()->packages)
      TRY(explain(member.substr(0, member.find('=')), serial, images.front()->packages, session, answer));
  } else {
    std::vector<std::string> members;
    for (const index::SerialPackage& package : serial.packages)
      members.push_back(package.record.name + "=" + package.record.version);
    TRY(explain(what, serial, members, session, answer));
    for (const index::SerialImage& image : serial.images)
      for (const std::string& member : image.packages)
        if (member.starts_with(what + "=")) answer.text += fmt::format("  in image {}\n", image.name);
  }
  session.print(session.json ? codec::to_pretty_json(answer.json) : answer.text);
  return 0;
}

}  // namespace

Verb verb_why() {
  Verb verb;
  verb.name = "why";
  verb.summary = "why is this here: file -> package -> definition -> source digest";
  verb.arguments = {{"WHAT", "/path in an image, package, or image", true, false, Completion::kPackage}};
  verb.options = {
      kArchOption,
      kEditionOption,
      kSerialOption,
      kAtOption,
      {"--image", OptionType::kText, "IMAGE", "", "look for the path in this image only", Completion::kImage}};
  verb.run = run_why;
  return verb;
}

}  // namespace nacre::cli
