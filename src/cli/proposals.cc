#include "cli/proposals.h"

#include "store/store.h"

namespace nacre::cli {
namespace {

/// The lock with the new sources in the place of those that they follow.
std::vector<build::LockedSource> with_entries(std::vector<build::LockedSource> sources,
                                              const watch::Proposal& proposal) {
  std::erase_if(sources, [&](const build::LockedSource& source) {
    for (const build::LockedSource& entry : proposal.lock_entries)
      if (source.sha256 == entry.sha256) return true;
    for (const auto& [from, to] : proposal.digests)
      if (source.sha256 == from && source.used_by.size() <= 1) return true;
    return false;
  });
  sources.insert(sources.end(), proposal.lock_entries.begin(), proposal.lock_entries.end());
  return sources;
}

}  // namespace

Result<> apply_proposal(const watch::Proposal& proposal, ByHand by_hand, Workshop& shop) {
  if (!proposal.problem.empty())
    return Error::make(ErrorKind::kUnavailable, "{} {} cannot be applied by itself: {}", proposal.package, proposal.to,
                       proposal.problem);
  if (proposal.by_hand && by_hand == ByHand::kNo)
    return Error::make(ErrorKind::kDenied, "{} {} is not applied: the definition asks for updates by hand",
                       proposal.package, proposal.to)
        .at({proposal.file, 0, 0})
        .hint(fmt::format("`nacre update {}` names it; on a farm `nacre farm release CHANGE` lets it go on",
                          proposal.package));
  if (!proposal.lock_entries.empty()) {
    std::vector<build::LockedSource> sources = with_entries(shop.os.sources, proposal);
    for (const build::LockedSource& entry : proposal.lock_entries) {
      definition::Source source;
      source.uri = entry.uri;
      source.sha256 = entry.sha256.hex();
      source.place = {proposal.file, 0, 0};
      TRY(build::fetch_source(source, sources, shop.places, shop.env()), "updating {} to {}", proposal.package,
          proposal.to);
    }
    TRY(os::write_file(shop.os.folder / "sources.lock", build::write_sources_lock(sources)));
    shop.os.sources = std::move(sources);
  }
  for (const watch::SideChange& change : proposal.side_files) {
    if (change.text) TRY(os::write_file(change.path, *change.text));
    else TRY(os::remove_tree(change.path));
  }
  return os::write_file(proposal.file, proposal.new_text);
}

}  // namespace nacre::cli
