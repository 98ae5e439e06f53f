#include "cli/proposals.h"

#include "store/store.h"

namespace nacre::cli {
namespace {

/// The lock with the new source in the place of those that it follows.
std::vector<build::LockedSource> with_entry(std::vector<build::LockedSource> sources, const watch::Proposal& proposal) {
  std::erase_if(sources, [&](const build::LockedSource& source) {
    if (source.sha256 == proposal.lock_entry->sha256) return true;
    for (const auto& [from, to] : proposal.digests)
      if (source.sha256 == from && source.used_by.size() <= 1) return true;
    return false;
  });
  sources.push_back(*proposal.lock_entry);
  return sources;
}

}  // namespace

Result<> apply_proposal(const watch::Proposal& proposal, Workshop& shop) {
  if (!proposal.problem.empty())
    return Error::make(ErrorKind::kUnavailable, "{} {} cannot be applied by itself: {}", proposal.package, proposal.to,
                       proposal.problem);
  if (proposal.lock_entry) {
    std::vector<build::LockedSource> sources = with_entry(shop.os.sources, proposal);
    definition::Source source;
    source.uri = proposal.lock_entry->uri;
    source.sha256 = proposal.lock_entry->sha256.hex();
    source.place = {proposal.file, 0, 0};
    TRY(build::fetch_source(source, sources, shop.places, shop.env()), "updating {} to {}", proposal.package,
        proposal.to);
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
