#include "package/changed_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nacre::package {
namespace {

using Kind = HeaderItem::Kind;

constexpr std::size_t kMostOrigins = 64, kMostWheres = 3, kMostGates = 24;

/// By two ways: only who has read gates of both has the same. Whether that asks for more.
bool meet(Gates& gates, const Gates& others) {
  if (gates.empty()) return false;
  if (others.empty()) {
    gates.clear();
    return true;
  }
  bool more = false;
  for (const std::vector<HeaderGraph::Id>& set : others) {
    // Who has one of a set has one of any larger set.
    const auto within = [](const auto& small, const auto& large) {
      return std::includes(large.begin(), large.end(), small.begin(), small.end());
    };
    if (std::any_of(gates.begin(), gates.end(), [&](const auto& has) { return within(has, set); })) continue;
    std::erase_if(gates, [&](const auto& has) { return within(set, has); });
    gates.insert(set);
    more = true;
  }
  if (gates.size() > kMostGates) gates.clear();
  return more;
}

}  // namespace

bool Origin::join(const Origin& other) {
  bool more = meet(gates, other.gates);
  if (other.weight > weight) {
    weight = other.weight;
    more = true;
  }
  if (other.moves == Moves::kRead && moves == Moves::kRead) {
    more = meet(anyway, other.anyway) || more;
  } else if (other.moves > moves) {
    moves = other.moves;
    anyway = other.anyway;
    more = true;
  }
  if (moves == Moves::kRead && anyway.empty()) moves = Moves::kNo;
  return more;
}

std::string How::str() const {
  if (!text.empty()) return std::string(text);
  return of.empty() ? fmt::format("by way of {}", way) : fmt::format("of {}, by way of {}", of, way);
}

std::vector<Origin> ChangedName::ways() const {
  Origin any;
  any.weight = Weight::kCode;
  return everywhere ? std::vector<Origin>{any} : origins;
}

Weight ChangedName::weight() const {
  Weight out = everywhere ? Weight::kCode : Weight::kSight;
  for (const Origin& origin : origins) out = std::max(out, origin.weight);
  return out;
}

void ChangedNames::add(std::uint64_t hash, std::string_view name, const How& how, Origin origin, Kind kind) {
  const auto [found, made] = names_.try_emplace(hash);
  ChangedName& changed = found->second;
  if (made) {
    changed.name = name;
    changed.how = how.str();
  }
  if (changed.macro && kind != Kind::kMacro) {
    changed.macro = false;
    wait(hash, changed);
  }
  if (changed.everywhere) return;
  if (origin.moves == Moves::kNo && kind != Kind::kMacro) origin.moves = Moves::kName;
  // What meddles with it is asked of the changed header alone.
  if (origin.moves == Moves::kOrder)
    origin = {origin.changed, HeaderGraph::kNone, {}, Moves::kOrder, {}, origin.weight};
  put(hash, changed, origin);
}

void ChangedNames::put(std::uint64_t hash, ChangedName& changed, const Origin& origin) {
  const auto is_alike = [&](const Origin& one) {
    return one.changed == origin.changed && (one.moves == Moves::kOrder) == (origin.moves == Moves::kOrder);
  };
  std::size_t same = 0;  // by the same changed header
  for (Origin& one : changed.origins) {
    if (!is_alike(one)) continue;
    ++same;
    if (one.where != origin.where && one.where != HeaderGraph::kNone) continue;
    if (one.join(origin)) wait(hash, changed);
    return;
  }
  if (same >= kMostWheres) {
    // By too many ways: wherever the changed header is read.
    Origin all = origin;
    all.where = HeaderGraph::kNone;
    for (const Origin& one : changed.origins)
      if (is_alike(one)) (void)all.join(one);
    std::erase_if(changed.origins, is_alike);
    changed.origins.push_back(std::move(all));
  } else if (changed.origins.size() < kMostOrigins) {
    changed.origins.push_back(origin);
  } else {
    changed.everywhere = true;
  }
  wait(hash, changed);
}

void ChangedNames::wait(std::uint64_t hash, ChangedName& changed) {
  if (!std::exchange(changed.waits, true)) open_.push_back(hash);
}

std::optional<std::uint64_t> ChangedNames::next() {
  if (open_.empty()) return std::nullopt;
  const std::uint64_t hash = open_.front();
  open_.pop_front();
  return hash;
}

ChangedNames::Seen ChangedNames::see(std::uint64_t hash) {
  ChangedName& changed = names_.at(hash);
  changed.waits = false;
  return {changed.name, changed.macro, changed.ways()};
}

}  // namespace nacre::package
