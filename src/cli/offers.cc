#include "cli/offers.h"

namespace nacre::cli {

Result<std::shared_ptr<const package::Offer>> Offers::of(const Sha256& content, const std::string& version,
                                                         const os::Path& tree) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(content); found != known_.end()) return found->second;
  }
  const package::PackageTree walked = TRY(package::PackageTree::walk(tree));
  const std::string release = version.substr(0, version.rfind("-r"));
  package::Offer offer = TRY(package::read_offer(walked, release), "reading what '{}' offers", tree.string());
  auto made = std::make_shared<const package::Offer>(std::move(offer));
  const std::lock_guard lock(mutex_);
  return known_.emplace(content, std::move(made)).first->second;
}

}  // namespace nacre::cli
