#include "cli/stage0.h"

#include "attest/provenance.h"
#include "attest/sbom.h"
#include "base/events.h"
#include "cli/evidence.h"
#include "cli/workshop.h"
#include "codec/digest.h"
#include "package/stage0.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

/// Digest of the table and of every file that it may name.
Result<Sha256> table_digest(const Path& os_dir, const Arch& arch) {
  codec::Hasher hasher;
  hasher.update(fmt::format("stage0 {} {}\n", package::kImporterVersion, arch.apk));
  const std::string table = TRY(os::read_file(os_dir / "stage0.yaml"));
  hasher.update(table);
  for (const std::string_view folder : {"stage0", "files"}) {  // where a table keeps what it names
    if (!os::exists(os_dir / folder)) continue;
    const std::vector<os::TreeEntry> files = TRY(os::walk_tree(os_dir / folder));
    for (const os::TreeEntry& file : files) {
      if (file.type != os::FileType::kRegular) continue;
      const std::string bytes = TRY(os::read_beneath(os_dir / folder, file.path));
      hasher.update(fmt::format("\n{} {}\n", file.path.str(), codec::sha256(bytes).hex()));
    }
  }
  return hasher.finish_sha256();
}

Result<index::SerialPackage> take_in(const package::Stage0Package& made, const Session& session) {
  std::vector<std::pair<std::string, Sha256>> debs;
  for (const package::DebFile& deb : made.debs) debs.emplace_back(deb.file_name, deb.sha256);
  attest::Builder builder;
  builder.id = session.builder_id;
  builder.version = std::string(program_version());
  builder.edition = Edition::kStage0;
  index::SerialPackage out;
  out.record = made.apk.record();
  out.apk = made.apk.file_sha256;
  const std::string name = fmt::format("{}-{}.apk", out.record.name, out.record.version);
  const codec::Json statement = attest::statement(
      {{name, out.apk}}, attest::kProvenanceType, attest::stage0_provenance(debs, builder));
  store::Store& store = session.env.store;
  out.provenance = TRY(attest::sign_statement(statement, Edition::kStage0, session.signer, store));
  const codec::Json sbom = attest::repository_sbom({out}, Edition::kStage0, 0, made.apk.info.build_date);
  out.sbom = TRY(store.put_bytes(codec::to_pretty_json(sbom)));
  return out;
}

}  // namespace

Result<index::Serial> ensure_stage0(Session& session, const Arch& arch, Refresh refresh) {
  Env& env = session.env;
  const store::Lease lease = TRY(wait_for_lease("stage0", env));
  const Sha256 digest = TRY(table_digest(session.os_dir, arch));
  const std::optional<index::Serial> newest = TRY(index::head(env, Edition::kStage0));
  const std::optional<std::string> made_from = TRY(env.store.state().get("stage0-table", arch.apk));
  if (refresh == Refresh::kNo && newest && made_from == digest.hex()) return *newest;

  package::Stage0Request request;
  request.os_dir = session.os_dir;
  request.arch = arch;
  request.signer = index::segment_signer(session.signer, Edition::kStage0);
  request.out_dir = env.store.work_dir() / "stage0";
  TRY(os::make_dirs(request.out_dir));
  const std::vector<package::Stage0Package> made = TRY(package::make_stage0(request, env));
  Task task(env.events, "stage0 repository");
  index::Serial next;
  next.edition = Edition::kStage0;
  next.arch = std::string(arch.apk);
  next.reason = newest ? "stage0 changed" : "first";
  for (const package::Stage0Package& package : made)
    next.packages.push_back(TRY(take_in(package, session)));
  const index::Serial published = TRY(publish_with_index(session, std::move(next)));
  TRY(env.store.state().put("stage0-table", arch.apk, digest.hex()));
  task.finish(fmt::format("serial {}, {} packages", published.number, published.packages.size()));
  return published;
}

Result<Stage0Export> export_stage0(Session& session, const Arch& arch, const Path& table, const Path& folder) {
  Env& env = session.env;
  const store::Lease lease = TRY(wait_for_lease("stage0", env));
  package::Stage0Request request;
  request.os_dir = table.parent_path().empty() ? Path(".") : table.parent_path();
  request.table = table.filename().string();
  request.arch = arch;
  request.signer = index::segment_signer(session.signer, Edition::kStage0);
  request.out_dir = env.store.work_dir() / "stage0";
  TRY(os::make_dirs(request.out_dir));
  const std::vector<package::Stage0Package> made = TRY(package::make_stage0(request, env));

  Stage0Export out;
  const Path place = folder / std::string(arch.apk);
  TRY(os::make_dirs(place));
  TRY(os::make_dirs(folder / "keys"));
  std::vector<index::SerialPackage> rows;
  for (const package::Stage0Package& package : made) {
    index::SerialPackage row;
    row.record = package.apk.record();
    row.apk = package.apk.file_sha256;
    const Path file = place / fmt::format("{}-{}.apk", row.record.name, row.record.version);
    if (!os::exists(file)) {
      const std::string bytes = TRY(os::read_file(package.apk.path, std::uint64_t{8} << 30));
      TRY(os::write_file(file, bytes));
      ++out.written;
    }
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.record.name < b.record.name; });
  const crypto::PublicKey key = TRY(session.signer.public_key(Edition::kStage0, crypto::Purpose::kPackage));
  out.key = folder / "keys" / crypto::public_key_name(Edition::kStage0, crypto::Purpose::kPackage);
  TRY(os::write_file(out.key, key.pem()));
  const std::string bytes = TRY(index::make_index(rows, Edition::kStage0, 0, request.signer));
  out.index = place / "APKINDEX.tar.gz";
  TRY(os::write_file(out.index, bytes));
  out.packages = rows.size();
  return out;
}

}  // namespace nacre::cli
