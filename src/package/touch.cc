#include "package/touch.h"

#include <algorithm>

#include "package/build_file_changes.h"
#include "package/header_changes.h"
#include "package/library_changes.h"
#include "package/root_headers.h"
#include "package/touch_headers.h"

namespace nacre::package {

struct OfferChanges::State {
  explicit State(const RootStates& states)
      : root(states),
        headers(compare_headers(root, states)),
        libraries(compare_libraries(states)),
        build_files(compare_build_files(states, libraries)) {}

  RootHeaders root;
  HeaderChanges headers;
  LibraryChanges libraries;
  BuildFileChanges build_files;

  std::optional<std::string> reason(HeaderTouch& touch, const Use& use, Weight least) const;
  std::optional<std::string> urgent_reason(HeaderTouch& touch, const Use& use) const;
};

OfferChanges::OfferChanges(std::span<const Offer* const> before, std::span<const Offer* const> after,
                           std::span<const Offer* const> others)
    : state_(std::make_unique<State>(RootStates{before, after, others})) {}

OfferChanges::~OfferChanges() = default;

/// Why the build must be made again, by the first reason that there is; of what headers say, only by such a weight.
std::optional<std::string> OfferChanges::State::reason(HeaderTouch& touch, const Use& use, Weight least) const {
  if (use.lines && least == Weight::kSight)
    return "it was compiled with debug information, which holds the lines of headers";
  for (const auto* reasons : {&headers.for_all, &libraries.for_all, &build_files.for_all})
    if (!reasons->empty()) return reasons->front();
  if (auto why = touch.as_a_whole(least)) return why;
  if (auto why = touch.by_names(least)) return why;
  if (auto why = libraries.touches(use)) return why;
  if (auto why = touch.by_headers(least)) return why;
  if (auto why = build_files.touches(use)) return why;
  if (auto why = build_files.touches_by_version(use)) return why;
  return touch.by_pasting(least);
}

/// By the first that cannot wait.
std::optional<std::string> OfferChanges::State::urgent_reason(HeaderTouch& touch, const Use& use) const {
  for (const auto* reasons : {&headers.for_all, &build_files.for_all})
    if (!reasons->empty()) return reasons->front();
  if (auto why = libraries.breaks(use)) return why;
  if (auto why = touch.as_a_whole(Weight::kCode)) return why;
  if (auto why = touch.by_names(Weight::kCode)) return why;
  if (auto why = touch.by_headers(Weight::kCode)) return why;
  return touch.by_pasting(Weight::kCode);
}

std::optional<Touch> OfferChanges::touches(const Use& use) const {
  const auto& [root, headers, libraries, build_files] = *state_;
  if (headers.other_bytes.empty() && headers.empty() && libraries.empty() && build_files.empty()) return std::nullopt;
  HeaderTouch touch(root, headers, use);
  std::optional<std::string> why = state_->reason(touch, use, Weight::kSight);
  if (!why) return std::nullopt;
  Touch out{*std::move(why), state_->urgent_reason(touch, use).value_or(""), {}};
  out.in_fix = out.urgent.empty() ? state_->reason(touch, use, Weight::kValue).value_or("") : out.urgent;
  return out;
}

std::vector<std::string> OfferChanges::some_names(std::size_t most) const {
  std::vector<std::string> out;
  for (const auto& [hash, changed] : state_->headers.effects.names) out.push_back(changed.name);
  for (const auto& [name, how] : state_->libraries.symbols)
    if (!name.starts_with("_Z")) out.push_back(name);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > most) out.resize(most);
  return out;
}

std::size_t OfferChanges::size() const { return some_names(static_cast<std::size_t>(-1)).size(); }

}  // namespace nacre::package
