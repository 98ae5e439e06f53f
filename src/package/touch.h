#pragma once

#include "package/offer.h"
#include "package/use.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

// Whether what changed of libraries touches who was built with them.
namespace nacre::package {

/// Why a build must be made again, and how soon.
struct Touch {
  std::string why;     ///< "it names deflate_medium of zlib.h, which is new"
  std::string urgent;  ///< Of all reasons the first that cannot wait (docs/decisions/0054); empty: all can.
  std::string in_fix;  ///< The same where what changed is the same release, mended; never empty where `urgent` is not.
};

/// What differs between two states of a build's root, and all that this reaches through the root's headers.
class OfferChanges {
 public:
  /// `before` and `after`: of the packages that changed, by what each was and is; `others`: what stood beside them both
  /// times. They must outlive the object.
  OfferChanges(std::span<const Offer* const> before, std::span<const Offer* const> after,
               std::span<const Offer* const> others);
  ~OfferChanges();
  OfferChanges(const OfferChanges&) = delete;
  OfferChanges& operator=(const OfferChanges&) = delete;

  /// Why a build that uses this must be made again; nullopt: nothing that it can have taken differs. More is taken than
  /// a build took, never less: docs/decisions/0041.
  std::optional<Touch> touches(const Use& use) const;

  /// Names that changed, to be told: at most `most`, and how many there are.
  std::vector<std::string> some_names(std::size_t most) const;
  std::size_t size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nacre::package
