#pragma once

#include "base/sha256.h"
#include "package/offer.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace nacre::cli {

/// What packages offer, each read once. Safe to ask from several threads.
class Offers {
 public:
  /// Of the package with that content, whose tree is `tree`; `version` with its epoch.
  Result<std::shared_ptr<const package::Offer>> of(const Sha256& content, const std::string& version,
                                                   const os::Path& tree);

 private:
  std::mutex mutex_;
  std::map<Sha256, std::shared_ptr<const package::Offer>> known_;
};

}  // namespace nacre::cli
