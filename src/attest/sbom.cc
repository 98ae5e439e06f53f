#include "attest/sbom.h"

#include "attest/spdx.h"
#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "definition/cpe.h"
#include "os/clock.h"

namespace nacre::attest {
namespace {

using codec::Json;

constexpr std::string_view kSystemId = "SPDXRef-OperatingSystem-nacre";

Json operating_system() {
  Json out = SpdxDocument::package(std::string(kSystemId), "nacre", "rolling", "nacre");
  out.set("primaryPackagePurpose", "OPERATING_SYSTEM");
  return out;
}

/// A namespace that says nothing is no distribution either.
std::string package_purl(std::string_view name, std::string_view version, std::string_view arch,
                         std::string_view name_space = "nacre") {
  std::string out = fmt::format("pkg:apk/{}/{}@{}?arch={}", percent_encode(name_space), percent_encode(name),
                                percent_encode(version), arch);
  if (name_space != "unknown") out += "&distro=" + percent_encode(name_space);
  return out;
}

std::string package_id(std::string_view name, std::string_view version) {
  return spdx_id("Package", fmt::format("{}-{}", name, version));
}

/// Licences of a definition joined; each that is no expression is kept as a LicenseRef.
std::string declared_license(const definition::Definition& definition, const SbomOptions& options,
                             SpdxDocument& document) {
  std::vector<std::string> parts;
  for (const definition::Copyright& entry : definition.copyright) {
    SpdxLicense license = spdx_license(entry.license);
    const auto text = options.license_texts.find(entry.license_path);
    if (!license.reference.empty() && text != options.license_texts.end()) {
      license.name = license.text;
      license.text = text->second;
    }
    document.license(license);
    const bool compound = license.expression.find(" OR ") != std::string::npos;
    parts.push_back(compound && definition.copyright.size() > 1 ? "(" + license.expression + ")"
                                                                : license.expression);
  }
  return parts.empty() ? "NOASSERTION" : join(parts, " AND ");
}

/// The definition itself, where a repository holds it at a commit.
Json definition_package(const definition::Definition& definition, const SbomOptions& options) {
  constexpr std::string_view kGitHub = "https://github.com/";
  std::string repository = options.repository;
  if (repository.ends_with(".git")) repository.resize(repository.size() - 4);
  const std::string id = spdx_id("Definition", fmt::format("{}-{}", options.path, options.commit));
  Json out = SpdxDocument::package(id, options.path, options.commit, options.name_space);
  out.set("primaryPackagePurpose", "INSTALL").set("licenseDeclared", options.definition_license);
  out.set("downloadLocation", fmt::format("git+{}@{}#{}", repository, options.commit, options.path));
  const std::string purl =
      repository.starts_with(kGitHub)
          ? fmt::format("pkg:github/{}@{}#{}", repository.substr(kGitHub.size()), options.commit, options.path)
          : fmt::format("pkg:generic/{}@{}?vcs_url={}#{}", percent_encode(definition.name), options.commit,
                        percent_encode("git+" + repository), options.path);
  Json references = Json::array();
  return out.set("externalRefs", references.push(purl_reference(purl)));
}

/// A history on GitHub by owner, name and tag; any other by its address.
std::string git_purl(const definition::Definition& definition, const build::FetchedSource& source) {
  constexpr std::string_view kGitHub = "https://github.com/", kTags = "refs/tags/";
  std::string path = source.uri;
  if (path.ends_with(".git")) path.resize(path.size() - 4);
  const bool tagged = source.ref.starts_with(kTags);
  if (path.starts_with(kGitHub))
    return fmt::format("pkg:github/{}@{}", path.substr(kGitHub.size()),
                       percent_encode(tagged ? source.ref.substr(kTags.size()) : source.commit));
  return fmt::format("pkg:generic/{}@{}?vcs_url={}", percent_encode(definition.name),
                     percent_encode(definition.version),
                     percent_encode(fmt::format("git+{}@{}", source.uri, source.commit)));
}

Json source_package(const definition::Definition& definition, const build::FetchedSource& source,
                    std::size_t number, std::int64_t date) {
  const std::string id = spdx_id(
      "Source", fmt::format("{}-{}-{}", definition.name, definition.version, number));
  Json out = SpdxDocument::package(id, definition.name, definition.version, definition.name);
  out.set("primaryPackagePurpose", "SOURCE");
  std::string purl;
  if (source.commit.empty()) {
    out.set("downloadLocation", source.uri).set("checksums", sha256_checksums(source.sha256.hex()));
    purl = fmt::format("pkg:generic/{}@{}?checksum=sha256:{}&download_url={}", percent_encode(definition.name),
                       percent_encode(definition.version), source.sha256.hex(), percent_encode(source.uri));
  } else {
    out.set("downloadLocation", fmt::format("git+{}@{}", source.uri, source.commit));
    purl = git_purl(definition, source);
  }
  Json references = Json::array();
  out.set("externalRefs", references.push(purl_reference(purl)));
  if (source.repacked) {
    Json note, notes = Json::array();
    note.set("annotationDate", os::rfc3339(date)).set("annotationType", "OTHER");
    note.set("annotator", "Tool: nacre");
    note.set("comment", "repacked: these are not the bytes that upstream published");
    out.set("annotations", notes.push(std::move(note)));
  }
  return out;
}

void take_over(SpdxDocument& document, const Json& sbom, const std::string& container) {
  for (const Json& package : sbom["packages"].items()) document.add(package);
  for (const Json& row : sbom["relationships"].items())
    if (row["relationshipType"].as_string() != "DESCRIBES")
      document.relate(row["spdxElementId"].as_string(), row["relationshipType"].as_string(),
                      row["relatedSpdxElement"].as_string());
  for (const Json& row : sbom["hasExtractedLicensingInfos"].items())
    document.license({{}, row["licenseId"].as_string(), row["extractedText"].as_string()});
  for (const std::string& id : sbom["documentDescribes"].as_strings())
    document.relate(container, "CONTAINS", id);
}

/// An OCI thing by digest, as a package.
Json oci_package(const std::string& id, const image::Descriptor& what, const std::string& image_name,
                 const std::string& qualifiers) {
  const std::string digest = what.digest.oci();
  Json out = SpdxDocument::package(id, image_name, digest, "nacre");
  out.set("primaryPackagePurpose", "CONTAINER");
  out.set("checksums", sha256_checksums(what.digest.hex()));
  const std::string purl =
      fmt::format("pkg:oci/{}@{}?{}", percent_encode(image_name), percent_encode(digest), qualifiers);
  Json references = Json::array();
  return out.set("externalRefs", references.push(purl_reference(purl)));
}

std::string image_id(const image::Descriptor& descriptor) {
  return spdx_id("Package-Image", descriptor.digest.oci());
}

std::string image_qualifiers(const image::Image& image, const image::Descriptor& what) {
  return fmt::format("arch={}&mediaType={}&os=linux", image.arch.oci, percent_encode(what.media_type));
}

}  // namespace

Json package_sbom(const definition::Definition& definition, const std::string& package,
                  const Arch& arch, const std::vector<build::FetchedSource>& sources,
                  const std::string& commit, std::int64_t source_date_epoch, const SbomOptions& options) {
  const std::string version = definition.full_version();
  codec::Hasher unique;
  unique.update(fmt::format("{} {} {}\n", package, version, arch.apk));
  for (const build::FetchedSource& source : sources)
    unique.update((source.commit.empty() ? source.sha256.hex() : source.identity()) + "\n");
  const std::string name_space = fmt::format("https://nacre.dev/spdx/package/{}-{}/{}", package, version,
                                             unique.finish_sha256().hex());
  SpdxDocument document(fmt::format("apk-{}-{}", package, version), name_space, source_date_epoch);

  const std::string id = package_id(package, version);
  Json main = SpdxDocument::package(id, package, version, options.name_space);
  main.set("licenseDeclared", declared_license(definition, options, document));
  std::vector<std::string> attestations;
  for (const definition::Copyright& entry : definition.copyright)
    if (!entry.attestation.empty()) attestations.push_back(entry.attestation);
  if (!attestations.empty()) main.set("copyrightText", join(attestations, "\n"));
  main.set("primaryPackagePurpose", "INSTALL");
  if (!definition.url.empty()) main.set("homepage", definition.url);
  if (!commit.empty()) main.set("sourceInfo", "definition at commit " + commit);
  Json references = Json::array();
  references.push(purl_reference(package_purl(package, version, arch.apk, options.name_space)));
  if (const std::string cpe = definition::cpe_name(definition); !cpe.empty()) {
    Json row;
    row.set("referenceCategory", "SECURITY").set("referenceType", "cpe23Type");
    references.push(row.set("referenceLocator", cpe));
  }
  main.set("externalRefs", std::move(references));
  document.describe(id);
  Json system = operating_system();
  if (options.name_space != "nacre") system.set("name", options.name_space);
  document.add(std::move(system));
  document.add(std::move(main));
  document.relate(std::string(kSystemId), "CONTAINS", id);
  if (!options.repository.empty() && !options.path.empty() && !options.commit.empty()) {
    Json place = definition_package(definition, options);
    document.relate(id, "DESCRIBED_BY", place["SPDXID"].as_string());
    document.add(std::move(place));
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    Json source = source_package(definition, sources[i], i, source_date_epoch);
    document.relate(id, "GENERATED_FROM", source["SPDXID"].as_string());
    document.add(std::move(source));
  }
  return std::move(document).finish();
}

Result<std::map<std::string, std::string>> license_texts(const definition::Definition& definition,
                                                         const os::Path& workspace) {
  constexpr std::uint64_t kMaxLicenseBytes = 4u << 20;
  std::map<std::string, std::string> out;
  for (const definition::Copyright& entry : definition.copyright) {
    if (entry.license_path.empty()) continue;
    const TreePath path = TRY(TreePath::parse(entry.license_path), "reading license-path of '{}'", definition.name);
    std::string text = TRY(os::read_beneath(workspace, path, kMaxLicenseBytes),
                           "reading license-path of '{}', which is relative to the workspace", definition.name);
    out[entry.license_path] = std::move(text);
  }
  return out;
}

TreePath package_sbom_path(const std::string& package, const std::string& full_version) {
  return TreePath::literal(fmt::format("var/lib/db/sbom/{}-{}.spdx.json", package, full_version));
}

Json image_sbom(const image::Image& image, const std::vector<Json>& package_sboms) {
  const std::string digest = image.manifest.digest.hex();
  SpdxDocument document("sbom-" + image.manifest.digest.oci(),
                        "https://nacre.dev/spdx/image/" + digest, image.created);
  const std::string id = image_id(image.manifest);
  document.describe(id);
  document.add(oci_package(id, image.manifest, image.name, image_qualifiers(image, image.manifest)));
  for (const image::Layer& layer : image.layers) {
    const std::string layer_id = spdx_id("Package-ImageLayer", layer.blob.digest.oci());
    Json package = oci_package(layer_id, layer.blob, image.name, image_qualifiers(image, layer.blob));
    if (!layer.packages.empty()) package.set("comment", "holds " + join(layer.packages, " "));
    document.add(std::move(package));
    document.relate(id, "CONTAINS", layer_id);
  }
  for (const Json& sbom : package_sboms) take_over(document, sbom, id);
  document.relate(id, "CONTAINS", std::string(kSystemId));
  if (!document.has(kSystemId)) document.add(operating_system());
  return std::move(document).finish();
}

Json image_index_sbom(const std::vector<image::Image>& images) {
  const image::Image& first = images.front();
  SpdxDocument document("sbom-" + first.index.digest.oci(),
                        "https://nacre.dev/spdx/index/" + first.index.digest.hex(), first.created);
  const std::string id = image_id(first.index);
  document.describe(id);
  document.add(oci_package(id, first.index, first.name,
                           fmt::format("mediaType={}&os=linux", percent_encode(first.index.media_type))));
  for (const image::Image& image : images) {
    const std::string manifest = image_id(image.manifest);
    document.add(oci_package(manifest, image.manifest, image.name, image_qualifiers(image, image.manifest)));
    document.relate(id, "VARIANT_OF", manifest);
    document.relate(id, "CONTAINS", manifest);
  }
  return std::move(document).finish();
}

Json repository_sbom(const std::vector<index::SerialPackage>& packages, Edition edition,
                     std::uint64_t serial, std::int64_t created) {
  codec::Hasher unique;
  for (const index::SerialPackage& package : packages) unique.update(package.apk.hex());
  const std::string name = fmt::format("repository-{}-{}", name_of(edition), serial);
  SpdxDocument document(name, fmt::format("https://nacre.dev/spdx/{}/{}", name, unique.finish_sha256().hex()),
                        created);
  const std::string id = spdx_id("Package-Repository", fmt::format("{}-{}", name_of(edition), serial));
  document.describe(id);
  document.add(SpdxDocument::package(id, fmt::format("nacre-{}", name_of(edition)), std::to_string(serial), "nacre"));
  for (const index::SerialPackage& package : packages) {
    const std::string member = package_id(package.record.name, package.record.version);
    Json row = SpdxDocument::package(member, package.record.name, package.record.version, "nacre");
    row.set("checksums", sha256_checksums(package.apk.hex()));
    Json references = Json::array();
    references.push(purl_reference(package_purl(package.record.name, package.record.version, package.record.arch)));
    document.add(row.set("externalRefs", std::move(references)));
    document.relate(id, "CONTAINS", member);
  }
  return std::move(document).finish();
}

}  // namespace nacre::attest
