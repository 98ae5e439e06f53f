#include "apk/index_file.h"
#include "attest/provenance.h"
#include "base/text.h"
#include "cli/melange_build.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "codec/json.h"
#include "codec/tar.h"
#include "store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxIndexBytes = 256u << 20;

/// A gzip member that holds a tar of one file, without the blocks that end an archive.
Result<std::string> member_of(const std::string& name, const std::string& content, std::int64_t mtime,
                              bool end_of_archive) {
  codec::TarHeader header;
  header.path = name;
  header.uname = header.gname = "root";
  header.size = content.size();
  header.mtime = mtime;
  std::string tar = TRY(codec::tar_header(header));
  tar += content;
  tar.append(codec::tar_padding(content.size()), '\0');
  if (end_of_archive) tar += codec::tar_end();
  return codec::gzip(tar);
}

/// Packages of somebody else's repositories stood in the root: the statement must not name an edition of ours.
Json foreign_predicate(Json predicate, const std::string& repository) {
  Json definition = predicate["buildDefinition"];
  Json external = definition["externalParameters"];
  external.set("edition", kForeignEdition);
  if (!repository.empty()) external.set("repository", repository);
  definition.set("externalParameters", std::move(external));
  predicate.set("buildDefinition", std::move(definition));
  return predicate;
}

Result<> append(const Path& file, const std::string& text) {
  const os::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return os::system_error(errno, fmt::format("write '{}'", file.string()));
  return {};
}

}  // namespace

Result<> update_index(const MelangeBuilt& done, Env& env) {
  const Path file = done.out_dir / "APKINDEX.tar.gz";
  // Builds that write to one directory at once take turns.
  const std::string lease_name = "melange-index/" + codec::sha256(std::filesystem::absolute(file).string()).hex();
  const store::Lease lease = TRY(env.store.lease(lease_name));
  apk::IndexFile index;
  if (os::exists(file)) {
    const std::string bytes = TRY(os::read_file(file, kMaxIndexBytes));
    index = TRY(apk::read_index(bytes, file.string()), "adding to the index");
  }
  for (const apk::PackageFile& package : done.files) merge_record(index.records, package.record());
  const std::string bytes = TRY(apk::pack_index(index.records, index.description, done.signer));
  return os::write_file(file, bytes);
}

Result<> write_dependency_log(const MelangeBuilt& done) {
  const std::string file = fmt::format("{}.{}", done.arguments.text("--dependency-log"), done.request.arch.apk);
  std::string text;
  for (const std::string& package : done.built.packages) {
    std::vector<Path> siblings;
    for (const std::string& other : done.built.packages)
      if (other != package) siblings.push_back(done.built.output / other);
    const package::Scan scan =
        TRY(package::scan_tree(done.built.output / package, siblings, *done.request.definition, package));
    Json row;
    row.set("package", package).set("runtime", Json::strings(scan.depends));
    row.set("provides", Json::strings(scan.provides)).set("vendored", Json::strings(scan.vendored));
    text += codec::to_json(row) + "\n";
  }
  return os::write_file(file, text);
}

Result<> append_build_log(const MelangeBuilt& done) {
  std::string text;
  for (const apk::PackageFile& file : done.files)
    text += fmt::format("{}|{}|{}|{}\n", file.info.arch, file.info.origin, file.info.name, file.info.version);
  return append("packages.log", text);
}

Result<> write_provenance(const MelangeBuilt& done, const Session& session) {
  const definition::Definition& definition = *done.request.definition;
  attest::Builder builder;
  builder.id = session.builder_id;
  builder.version = std::string(program_version());
  const std::string name = Path(definition.file).filename().string();
  const Json predicate =
      foreign_predicate(attest::build_provenance(done.request, done.built, name, codec::sha256(definition.yaml->source),
                                                 done.commit, builder),
                        done.arguments.text("--git-repo-url"));
  for (const apk::PackageFile& file : done.files) {
    const std::string identity = fmt::format("{}-{}", file.info.name, file.info.version);
    const Json statement =
        attest::statement({{identity + ".apk", file.data_sha256}}, attest::kProvenanceType, predicate);
    const std::string body =
        TRY(member_of(identity + ".attestation", codec::to_json(statement), done.request.source_date_epoch, true));
    std::string head;
    if (done.signer) {
      const apk::SegmentSignature signature = TRY(done.signer(body), "signing the provenance of '{}'", identity);
      head = TRY(
          member_of(".SIGN.RSA256." + signature.key_name, signature.signature, done.request.source_date_epoch, false));
    }
    TRY(os::write_file(done.out_dir / (identity + ".attest.tar.gz"), head + body));
  }
  return {};
}

Result<std::vector<build::FetchedSource>> fetch_ahead(const definition::Definition& definition,
                                                      const MelangeArguments& arguments, Env& env) {
  std::vector<build::FetchedSource> out;
  std::vector<definition::Source> wanted;
  for (const definition::Source& source : definition.sources)
    if (!source.sha256.empty() || !source.sha512.empty() || !source.commit.empty()) wanted.push_back(source);
  if (wanted.empty()) return out;
  // The cache names files "sha256:HEX"; a directory of sources is asked by digest and by file name.
  const os::TempDir links = TRY(os::TempDir::create(env.store.work_dir(), "cache-"));
  build::FetchPlaces places = build::places_of_machine();
  places.directories.insert(places.directories.begin(), links.path());
  for (const char* flag : {"--cache-dir", "--cache-source"}) {
    if (arguments.text(flag).empty()) continue;
    const Path folder = std::filesystem::absolute(arguments.text(flag));
    for (const definition::Source& source : wanted) {
      const bool longer = source.sha256.empty();
      const Path kept = folder / (longer ? "sha512:" + source.sha512 : "sha256:" + source.sha256);
      const Path link = links.path() / (longer ? Path(source.uri).filename() : Path(source.sha256));
      if (source.kind != definition::Source::Kind::kFetch || !os::exists(kept) || os::exists(link)) continue;
      std::error_code failed;
      std::filesystem::create_symlink(kept, link, failed);
      if (failed) return os::system_error(failed.value(), fmt::format("link '{}'", kept.string()));
    }
  }
  for (const definition::Source& source : wanted) {
    auto fetched = build::fetch_source(source, {}, places, env);
    if (fetched) {
      out.push_back(*std::move(fetched));
      continue;
    }
    if (fetched.error().kind() != ErrorKind::kUnavailable || env.stop.stop_requested())
      return std::move(fetched).error();
    tell(env, fmt::format("'{}' could not be had before the build: its step will ask for it",
                          source.uri.empty() ? source.repository : source.uri));
  }
  return out;
}

}  // namespace nacre::cli
