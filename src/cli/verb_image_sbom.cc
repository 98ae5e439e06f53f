#include "attest/cyclonedx.h"
#include "attest/image_spdx.h"
#include "base/field_archs.h"
#include "cli/at.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "image/read.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using codec::Json;

/// ADDRESS@COMMIT of what the definition of a foreign image is from, as its index has it.
std::string vcs_url_of(const Json& document) {
  const Json& notes = document["annotations"];
  const std::string &source = notes["org.opencontainers.image.source"].as_string(),
                    &revision = notes["org.opencontainers.image.revision"].as_string();
  return source.empty() || revision.empty() ? std::string() : source + "@" + revision;
}

/// Of an image without attestations: from what its packages say of themselves inside it.
Result<Json> made_of_manifest(const FoundImage& found, const Sha256& manifest, Env& env) {
  const Json top = TRY(image::read_document(found.digest, env));
  image::ImageSpec spec;
  spec.vcs_url = vcs_url_of(top);
  const image::Image image = TRY(attest::stored_image(manifest, env));
  const std::string text = TRY(attest::reference_image_spdx(spec, image, found.name, env));
  return codec::parse_json(text, found.name);
}

Result<Json> made_of_index(const FoundImage& found, Env& env) {
  const Json top = TRY(image::read_document(found.digest, env));
  image::ImageSpec spec;
  spec.vcs_url = vcs_url_of(top);
  std::vector<image::Image> images;
  for (const Json& row : top["manifests"].items()) {
    const Sha256 digest = TRY(parse_sha256(row["digest"].as_string()));
    image::Image image = TRY(attest::stored_image(digest, env));
    images.push_back(std::move(image));
  }
  if (images.empty())
    return Error::make(ErrorKind::kInvalid, "{} is no index of images", found.name).hint("leave --index out");
  const std::uint64_t size = TRY(env.store.size(found.digest));
  const image::Descriptor index{top["mediaType"].as_string(), found.digest, size};
  const std::string first = TRY(attest::reference_image_spdx(spec, images.front(), found.name, env));
  const Json of_first = TRY(codec::parse_json(first, found.name));
  const std::string text =
      attest::reference_index_spdx(spec, images, index, found.name, attest::supplier_of(of_first));
  return codec::parse_json(text, found.name);
}

Result<Json> sbom_of(const FoundImage& found, const Arguments& arguments, Session& session) {
  const std::string format = arguments.text("--format");
  const bool cyclonedx = format == "cyclonedx", of_index = arguments.flag("--index");
  if (!cyclonedx && format != "spdx")
    return Error::make(ErrorKind::kInvalid, "there is no SBOM format '{}'", format)
        .hint("there are spdx and cyclonedx");
  Sha256 subject = found.digest;
  if (!of_index) {
    const Arch arch = TRY(find_field_arch(arguments.text("--arch")));
    subject = TRY(image::manifest_for(found.digest, arch, session.env));
  }
  const std::optional<attest::ImageSource> source = TRY(evidence_of(found, session));
  if (source) {
    std::optional<Json> attested =
        TRY(attest::find_predicate(subject, cyclonedx ? attest::kCycloneDxType : attest::kSpdxType, *source));
    if (attested) return *std::move(attested);
  }
  const Json spdx = TRY(of_index ? made_of_index(found, session.env) : made_of_manifest(found, subject, session.env));
  if (!cyclonedx) return spdx;
  attest::PackageGraph graph;
  if (!of_index) graph = TRY(attest::graph_of_image(subject, session.env));
  return attest::cyclonedx_of(spdx, graph);
}

Result<int> run_sbom(const Arguments& arguments, Session& session) {
  const FoundImage found = TRY(find_image(arguments.text("IMAGE"), arguments, session));
  const Json sbom = TRY(sbom_of(found, arguments, session));
  session.print(codec::to_pretty_json(sbom));
  return 0;
}

}  // namespace

Verb verb_image_sbom() {
  Verb verb;
  verb.name = "image sbom";
  verb.summary = "what an image consists of, as SPDX or CycloneDX";
  verb.arguments = {{"IMAGE", "name, reference, digest or layout directory", true, false, Completion::kImage}};
  verb.options = {kArchOption,
                  kAtOption,
                  {"--format", OptionType::kText, "FORMAT", "spdx", "spdx (2.3) or cyclonedx (1.6)", Completion::kNone},
                  {"--index", OptionType::kFlag, "", "", "of the index of all architectures", Completion::kNone}};
  verb.run = run_sbom;
  return verb;
}

}  // namespace nacre::cli
