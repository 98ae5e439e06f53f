#include "package/brought_headers.h"

#include <algorithm>
#include <string>
#include <utility>

namespace nacre::package {

using Id = HeaderGraph::Id;
using Header = RootHeaders::Header;

enum class BroughtHeaders::Reach {
  kAll,     ///< All that may be meant.
  kSurely,  ///< What is brought without any condition and cannot be another.
};

/// States of headers that the #include may mean, or surely means.
std::vector<std::size_t> BroughtHeaders::meant(Id includer, const HeaderItem& include, Reach how) const {
  std::vector<Id> ids = root_.graph().meant(include.included_path);
  if (how == Reach::kSurely) {
    const std::string_view path = root_.graph().path_of(includer);
    const std::string beside = std::string(path.substr(0, path.rfind('/') + 1)) + include.included_path;
    const std::string usual = "usr/include/" + include.included_path;
    std::erase_if(ids, [&](Id id) {
      const std::string_view its = root_.graph().path_of(id);
      return its != beside && its != usual;
    });
    if (ids.size() != 1) return {};
  }
  std::vector<std::size_t> out;
  for (const Id id : ids) out.insert(out.end(), root_.states_of(id).begin(), root_.states_of(id).end());
  return out;
}

/// What an #include of the header `from` brings that is not in `seen`, in the order of finding it; puts it there.
std::vector<std::size_t> BroughtHeaders::reach(Id from, const HeaderItem& include, Reach how,
                                               std::vector<char>& seen) const {
  std::vector<std::size_t> todo, out;
  const auto push = [&](Id includer, const HeaderItem& item) {
    for (const std::size_t header : meant(includer, item, how))
      if (std::exchange(seen[header], 1) == 0) todo.push_back(header);
  };
  push(from, include);
  while (!todo.empty()) {
    const std::size_t at = todo.back();
    todo.pop_back();
    out.push_back(at);
    const Header& header = root_.all()[at];
    for (const HeaderItem& item : header.items->items)
      if (item.kind == HeaderItem::Kind::kInclude && !item.included.empty() &&
          (how == Reach::kAll || (item.always && is_in_both(at, item))))
        push(header.id, item);
  }
  return out;
}

/// Whether the other state of a changed header has the #include, too.
bool BroughtHeaders::is_in_both(std::size_t at, const HeaderItem& include) const {
  for (const std::size_t other : root_.states_of(root_.all()[at].id)) {
    if (other == at) continue;
    const std::vector<HeaderItem>& items = root_.all()[other].items->items;
    if (std::none_of(items.begin(), items.end(), [&](const HeaderItem& its) { return its.digest == include.digest; }))
      return false;
  }
  return true;
}

const BroughtHeaders::Brought& BroughtHeaders::by(Id header, const HeaderItem& include) {
  const auto [place, made] = known_.emplace(std::pair(header, &include), Brought{});
  Brought& out = place->second;
  if (!made) return out;
  std::vector<char> before_it(root_.all().size(), 0), seen(root_.all().size(), 0);
  for (const std::size_t state : root_.states_of(header))
    for (const HeaderItem& its : root_.all()[state].items->items)
      if (its.kind == HeaderItem::Kind::kInclude && its.always && !its.included.empty() &&
          its.digest != include.digest && is_in_both(state, its))
        (void)reach(header, its, Reach::kSurely, before_it);
  out.found = !root_.graph().meant(include.included_path).empty();
  for (const std::size_t brought : reach(header, include, Reach::kAll, seen))
    if (before_it[brought] == 0) out.headers.push_back(brought);
  return out;
}

}  // namespace nacre::package
