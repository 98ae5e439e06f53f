#include "attest/provenance.h"

#include "base/encoding.h"
#include "os/clock.h"
#include "store/store.h"

namespace nacre::attest {
namespace {

using codec::Json;

Json digest_of(const std::string& sha256) {
  Json out;
  return out.set("sha256", sha256);
}

Json dependency(std::string_view kind, const std::string& uri, const std::string& sha256) {
  Json notes, out;
  out.set("uri", uri).set("digest", digest_of(sha256));
  return out.set("annotations", notes.set("kind", kind));
}

Json package_dependency(std::string_view kind, std::string_view edition, const std::string& name,
                        const std::string& version, const std::string& sha256) {
  const std::string uri = fmt::format("pkg:apk/nacre-{}/{}@{}", edition, percent_encode(name),
                                      percent_encode(version));
  return dependency(kind, uri, sha256);
}

Json run_details(const Builder& builder, const std::string& invocation, std::int64_t started,
                 std::int64_t finished) {
  Json id, version, metadata, out;
  id.set("id", builder.id).set("version", version.set("nacre", builder.version));
  metadata.set("invocationId", invocation);
  metadata.set("startedOn", os::rfc3339(started)).set("finishedOn", os::rfc3339(finished));
  return out.set("builder", std::move(id)).set("metadata", std::move(metadata));
}

Json predicate(std::string_view build_type, Json external, Json internal, Json dependencies,
               Json run) {
  Json definition, out;
  definition.set("buildType", build_type).set("externalParameters", std::move(external));
  definition.set("internalParameters", std::move(internal));
  definition.set("resolvedDependencies", std::move(dependencies));
  return out.set("buildDefinition", std::move(definition)).set("runDetails", std::move(run));
}

}  // namespace

Json statement(const std::vector<Subject>& subjects, std::string_view predicate_type,
               Json predicate) {
  Json list = Json::array();
  for (const Subject& subject : subjects) {
    Json row;
    if (!subject.name.empty()) row.set("name", subject.name);
    list.push(row.set("digest", digest_of(subject.digest.hex())));
  }
  Json out;
  out.set("_type", "https://in-toto.io/Statement/v1").set("subject", std::move(list));
  return out.set("predicateType", predicate_type).set("predicate", std::move(predicate));
}

Json build_provenance(const build::BuildRequest& request, const build::BuiltTree& built,
                      const std::string& definition_path, const Sha256& definition_digest,
                      const std::string& commit, const Builder& builder) {
  Json external, internal, dependencies = Json::array();
  external.set("definition", definition_path).set("package", request.definition->name);
  external.set("version", request.definition->full_version());
  external.set("architecture", request.arch.apk).set("edition", name_of(builder.edition));
  internal.set("sourceDateEpoch", request.source_date_epoch).set("network", request.network);
  if (request.network) {
    // The machine's own network namespace: docs/decisions/0010-network.md.
    internal.set("networkReach", "machine").set("networkAskedBy", request.grant.asked_by);
    std::vector<std::string> files;
    for (const build::HostFile& file : request.grant.files) files.push_back("/" + file.inside.str());
    internal.set("networkEnvironment", Json::strings(request.grant.environment));
    internal.set("networkFiles", Json::strings(files)).set(
        "networkCaches", !request.grant.caches.empty() && request.grant.earlier_caches);
  }
  if (!built.secrets.empty()) internal.set("secrets", Json::strings(built.secrets));
  if (built.kept_state) {
    Json resumed = Json::object();
    resumed.set("steps", built.kept_steps).set("of", built.steps.size()).set("state", built.kept_state->oci());
    internal.set("resumed", std::move(resumed));
  }
  internal.set("builderVersion", build::kBuilderVersion);
  Json definition = dependency("definition", definition_path, definition_digest.hex());
  if (commit != "unknown") definition.set("name", "commit " + commit);
  dependencies.push(std::move(definition));
  for (const build::FetchedSource& source : request.sources) {
    Json row = dependency("source", source.uri, source.sha256.hex());
    if (!source.commit.empty()) {
      Json digest;
      row.set("uri", "git+" + source.uri + (source.ref.empty() ? "" : "@" + source.ref));
      row.set("digest", digest.set("gitCommit", source.commit));
    }
    Json notes = row["annotations"];
    notes.set("from", source.origin).set("repacked", source.repacked);
    dependencies.push(row.set("annotations", std::move(notes)));
  }
  for (const build::RootPackage& package : request.root)
    dependencies.push(package_dependency("build-package", package.edition, package.name,
                                         package.version, package.content.hex()));
  Json run = run_details(builder, built.action_key.hex(), built.started, built.finished);
  Json log, products = Json::array();
  log.set("name", "build.log").set("digest", digest_of(built.log.hex()));
  run.set("byproducts", products.push(std::move(log)));
  return predicate(kPackageBuildType, std::move(external), std::move(internal),
                   std::move(dependencies), std::move(run));
}

std::vector<std::string> build_remarks(const Json& predicate) {
  std::vector<std::string> out;
  const Json& build = predicate["buildDefinition"];
  if (build["buildType"].as_string() != kPackageBuildType) return out;
  const Json& internal = build["internalParameters"];
  if (internal["network"].as_bool()) {
    const std::string& asked = internal["networkAskedBy"].as_string();
    std::string line = "with the machine's network";
    if (!asked.empty()) line += ", asked for by the " + asked;
    if (internal["networkCaches"].as_bool()) line += ", with caches of package managers";
    out.push_back(std::move(line));
  }
  if (const Json* resumed = internal.find("resumed"))
    out.push_back(fmt::format("resumed after {} of {} steps, from the state {}", (*resumed)["steps"].as_int(),
                              (*resumed)["of"].as_int(), (*resumed)["state"].as_string()));
  return out;
}

Json image_provenance(const image::ComposeRequest& request, const image::Image& image,
                      const Sha256& spec_digest, std::int64_t started, std::int64_t finished,
                      const Builder& builder) {
  Json external, dependencies = Json::array();
  const std::string spec = fmt::format("os/images/{}.yaml", request.spec->name);
  external.set("image", request.spec->name).set("definition", spec);
  external.set("architecture", request.arch.apk).set("edition", name_of(request.edition));
  dependencies.push(dependency("definition", spec, spec_digest.hex()));
  for (const index::SerialPackage& package : request.packages)
    dependencies.push(package_dependency("package", name_of(request.edition), package.record.name,
                                         package.record.version, package.apk.hex()));
  return predicate(kImageBuildType, std::move(external), Json::object(), std::move(dependencies),
                   run_details(builder, image.inputs.hex(), started, finished));
}

Json index_provenance(const std::vector<index::SerialPackage>& packages, std::uint64_t serial,
                      std::int64_t now, const Builder& builder) {
  Json external, dependencies = Json::array();
  external.set("edition", name_of(builder.edition)).set("serial", serial);
  for (const index::SerialPackage& package : packages)
    dependencies.push(package_dependency("package", name_of(builder.edition), package.record.name,
                                         package.record.version, package.apk.hex()));
  const std::string invocation = fmt::format("{}-{}", name_of(builder.edition), serial);
  return predicate(kIndexBuildType, std::move(external), Json::object(), std::move(dependencies),
                   run_details(builder, invocation, now, now));
}

Json stage0_provenance(const std::vector<std::pair<std::string, Sha256>>& debs,
                       const Builder& builder) {
  Json external, dependencies = Json::array();
  external.set("edition", name_of(builder.edition)).set("table", "os/stage0.yaml");
  for (const auto& [file, digest] : debs)
    dependencies.push(dependency("deb", "pkg:deb/debian/" + percent_encode(file), digest.hex()));
  Json id, run;
  id.set("id", builder.id);
  return predicate(kStage0BuildType, std::move(external), Json::object(), std::move(dependencies),
                   run.set("builder", std::move(id)));
}

Result<Sha256> sign_statement(const Json& statement, Edition edition, crypto::Signer& signer,
                              store::Store& store) {
  const Json envelope =
      TRY(crypto::dsse_sign(signer, edition, crypto::kInTotoPayload, codec::to_json(statement)));
  const crypto::PublicKey key =
      TRY(signer.public_key(edition, crypto::Purpose::kAttestation));
  return store.put_bytes(codec::to_json(crypto::bundle_of_envelope(envelope, key)));
}

}  // namespace nacre::attest
