#include "cli/evidence.h"

#include "attest/provenance.h"
#include "attest/sbom.h"
#include "cli/workshop.h"
#include "crypto/purposes.h"
#include "index/follow_index.h"
#include "index/freshness.h"
#include "os/clock.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {

Result<> check_edition_keys(Session& session, Edition edition, Claim claim) {
  constexpr std::string_view kKind = "edition-key";
  store::State& state = session.env.store.state();
  if (!state.is_shared()) return {};
  for (const crypto::Purpose purpose : crypto::kPurposes) {
    const std::string name = crypto::public_key_name(edition, purpose);
    std::optional<std::string> known = TRY(state.get(kKind, name));
    if (!known && claim == Claim::kNo) continue;
    const crypto::PublicKey key = TRY(session.signer.public_key(edition, purpose));
    const std::string mine = key.fingerprint();
    if (!known) known = TRY(state.claim(kKind, name, mine));
    if (*known == mine) continue;
    return Error::make(ErrorKind::kDenied, "this machine's key '{}' is {}, and edition {} is published with {}", name,
                       mine, name_of(edition), *known)
        .hint("give its signer the keys of the other control planes (NACRE_HOME/signer/keys, or NACRE_SIGNER_SOCKET); "
              "docs/shared-state.md");
  }
  return {};
}

Result<index::Serial> publish_with_index(Session& session, index::Serial next,
                                         std::optional<std::uint64_t> after) {
  Env& env = session.env;
  store::Store& store = env.store;
  const store::Lease lease = TRY(wait_for_lease(fmt::format("publish/{}", name_of(next.edition)), env));
  TRY(check_edition_keys(session, next.edition, Claim::kYes));
  const std::optional<index::Serial> newest = TRY(index::head(env, next.edition));
  const std::uint64_t number = newest ? newest->number + 1 : 1;
  if (after && *after + 1 != number)
    return Error::make(ErrorKind::kConflict, "serial {} of edition {} ({}) was published meanwhile, after serial {}",
                       newest ? newest->number : 0, name_of(next.edition), newest ? newest->reason : "", *after)
        .hint("run the same command again: what was built is kept");
  std::sort(next.packages.begin(), next.packages.end(), [](const auto& a, const auto& b) {
    return std::tie(a.record.name, a.record.version) < std::tie(b.record.name, b.record.version);
  });
  const std::string bytes =
      TRY(index::make_index(next.packages, next.edition, number,
                            index::segment_signer(session.signer, next.edition)));
  next.index = TRY(store.put_bytes(bytes));

  attest::Builder builder;
  builder.id = session.builder_id;
  builder.version = std::string(program_version());
  builder.edition = next.edition;
  const std::int64_t now = env.clock.now_seconds();
  const codec::Json statement =
      attest::statement({{"APKINDEX.tar.gz", next.index}}, attest::kProvenanceType,
                        attest::index_provenance(next.packages, number, now, builder));
  next.index_provenance =
      TRY(attest::sign_statement(statement, next.edition, session.signer, store));
  const codec::Json sbom = attest::repository_sbom(next.packages, next.edition, number, now);
  next.index_sbom = TRY(store.put_bytes(codec::to_pretty_json(sbom)));
  TRY(lease.check(), "publishing serial {} of edition {}", number, name_of(next.edition));
  index::Serial published = TRY(index::publish_serial(env, std::move(next)));
  if (newest) (void)TRY(index::follow_serial(store, *newest, published));
  index::FreshnessOptions freshness;
  freshness.edition = published.edition;
  (void)TRY(index::refresh_edition(env, session.signer, freshness),
            "serial {} of edition {} is published, its freshness metadata is not", published.number,
            name_of(published.edition));
  return published;
}

}  // namespace nacre::cli
