#include "package/header_graph.h"

#include <algorithm>

#include "package/use.h"

namespace nacre::package {

HeaderGraph::Id HeaderGraph::add(std::string_view path, const HeaderItems& items, bool stands) {
  const auto [found, made] = by_path_.emplace(path, static_cast<Id>(nodes_.size()));
  if (made) {
    const StandardHeader standard = standard_header(path);
    const bool system = standard != StandardHeader::kNone || is_inner_folder(path.substr(0, path.rfind('/') + 1));
    nodes_.push_back({path, {}, {}, {}, false, true, system, standard});
    by_name_[word_hash(path.substr(path.rfind('/') + 1))].push_back(found->second);
    for (std::size_t at = 0; at != std::string_view::npos;) {
      by_end_[word_hash(path.substr(at))].push_back(found->second);
      const std::size_t slash = path.find('/', at);
      at = slash == std::string_view::npos ? slash : slash + 1;
    }
  }
  Node& node = nodes_[found->second];
  node.states.push_back(&items);
  node.guarded = node.guarded && items.guarded;
  if (!stands) node.standard = StandardHeader::kNone;
  return found->second;
}

HeaderGraph::Id HeaderGraph::id_of(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? kNone : found->second;
}

std::vector<HeaderGraph::Id> HeaderGraph::meant(std::string_view include) const {
  const std::string plain = plain_include(include);
  const bool by_name = by_name_alone_ || include.starts_with('/') || include.find("..") != std::string_view::npos;
  const auto& table = by_name ? by_name_ : by_end_;
  const auto found = table.find(word_hash(by_name ? plain.substr(plain.rfind('/') + 1) : plain));
  if (found == table.end()) return {};
  std::vector<Id> out = found->second;
  if (by_name || out.size() < 2) return out;
  // Nobody finds <linux/stat.h> as <stat.h>, or finds that in place of the usual one.
  const auto folder_of = [&](Id id) { return path_of(id).substr(0, path_of(id).size() - plain.size()); };
  if (std::any_of(out.begin(), out.end(), [&](Id id) { return folder_of(id) == "usr/include/"; }))
    std::erase_if(out, [&](Id id) { return is_inner_folder(folder_of(id)); });
  return out;
}

std::vector<HeaderGraph::Id> HeaderGraph::surely_meant(std::string_view include) const {
  std::vector<Id> out = meant(include);
  if (out.size() > 1 && !std::all_of(out.begin(), out.end(), [&](Id id) { return order_free(id); })) out.clear();
  return out;
}

void HeaderGraph::finish() {
  for (Node& node : nodes_) {
    for (const HeaderItems* items : node.states)
      for (const HeaderItem& item : items->items) {
        if (item.kind != HeaderItem::Kind::kInclude) {
          // Too large to be looked at.
          if (!item.names.empty() && item.names[0].text == kEveryName) node.computed = true;
          continue;
        }
        if (item.included.empty()) {
          node.computed = true;
          continue;
        }
        const std::vector<Id> meant_by_it = meant(item.included_path);
        node.may.insert(node.may.end(), meant_by_it.begin(), meant_by_it.end());
        const bool everywhere = std::all_of(node.states.begin(), node.states.end(), [&](const HeaderItems* state) {
          return std::any_of(state->items.begin(), state->items.end(),
                             [&](const HeaderItem& its) { return its.digest == item.digest; });
        });
        if (!item.always || !everywhere) continue;
        for (const Id next : surely_meant(item.included_path)) {
          // A standard header asks some for a part of what they say (__need_size_t); one of C never reads one of C++.
          if (node.standard != StandardHeader::kNone &&
              (!nodes_[next].guarded || (is_of_cxx(nodes_[next].path) && !is_of_cxx(node.path))))
            continue;
          node.sure.push_back(next);
        }
      }
    for (std::vector<Id>* ids : {&node.may, &node.sure}) {
      std::sort(ids->begin(), ids->end());
      ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
    }
  }
  // A header that does nothing but include such as do nothing when they are read again.
  for (bool more = true; more;) {
    more = false;
    for (Node& node : nodes_) {
      if (node.guarded || node.computed || node.may.empty()) continue;
      const bool forwards = std::all_of(node.states.begin(), node.states.end(), [](const HeaderItems* items) {
        return std::all_of(items->items.begin(), items->items.end(),
                           [](const HeaderItem& item) { return item.kind == HeaderItem::Kind::kInclude; });
      });
      node.guarded =
          forwards && std::all_of(node.may.begin(), node.may.end(), [&](Id next) { return nodes_[next].guarded; });
      more = more || node.guarded;
    }
  }
}

std::unordered_set<HeaderGraph::Id> HeaderGraph::surely(const std::vector<Id>& of) const {
  std::unordered_set<Id> out(of.begin(), of.end());
  std::vector<Id> todo(of.begin(), of.end());
  while (!todo.empty()) {
    const Id id = todo.back();
    todo.pop_back();
    for (const Id next : nodes_[id].sure)
      if (out.insert(next).second) todo.push_back(next);
  }
  return out;
}

}  // namespace nacre::package
