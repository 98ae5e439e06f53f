#include "package/root_headers.h"

#include <algorithm>

namespace nacre::package {
namespace {

using Kind = HeaderItem::Kind;

bool meets(const std::vector<std::uint64_t>& words, const std::unordered_set<std::uint64_t>& set) {
  return std::any_of(words.begin(), words.end(), [&](std::uint64_t word) { return set.contains(word); });
}

}  // namespace

RootHeaders::RootHeaders(const RootStates& states) {
  add(states.before, false);
  add(states.after, false);
  first_of_others_ = headers_.size();
  add(states.others, true);
  graph_.finish();
  states_.resize(graph_.size());
  for (std::size_t i = 0; i < headers_.size(); ++i) {
    states_[headers_[i].id].push_back(i);
    for (const HeaderItem& item : headers_[i].items->items) {
      known_.add(item);
      if (item.kind == Kind::kMacro) macros_[word_hash(item.names[0].text)].push_back(&item);
    }
  }
  for (std::size_t i = 0; i < headers_.size(); ++i)
    for (const HeaderItem& item : headers_[i].items->items)
      for (const std::uint64_t word : item.mentions) mentions_[word].push_back({i, &item});
  find_lines();
  find_coding();
  find_pasting();
}

/// `stands`: of packages that did not change.
void RootHeaders::add(std::span<const Offer* const> offers, bool stands) {
  for (const Offer* offer : offers) {
    for (const auto& [path, items] : offer->headers)
      headers_.push_back({path, &items, graph_.add(path, items, stands)});
    for (const auto& [path, file] : offer->files)
      if (path.find("/include/") != std::string::npos || path.starts_with("include/")) graph_.mind_links();
  }
}

bool RootHeaders::is_understood(Id id) const {
  return std::all_of(states_[id].begin(), states_[id].end(),
                     [&](std::size_t state) { return headers_[state].items->understood; });
}

std::span<const RootHeaders::Mention> RootHeaders::mentions_of(std::uint64_t word) const {
  const auto found = mentions_.find(word);
  if (found == mentions_.end()) return {};
  return found->second;
}

std::uint64_t RootHeaders::digest_of(const HeaderItem& item) const {
  const bool placed = item.kind == Kind::kOther && meets(item.mentions, lines_);
  return placed ? item.digest * 31 + item.lines : item.digest;
}

bool RootHeaders::puts_code(const HeaderItem& item) const {
  if (item.kind == Kind::kMacro) return item.function_like || item.code;
  if (item.code || item.kind != Kind::kOther) return item.code;
  return meets(item.mentions, coding_) || (!item.numbers && meets(item.mentions, giving_));
}

bool RootHeaders::calls_pasting(const HeaderItem& item) const {
  return item.kind == Kind::kOther && meets(item.mentions, pasting_);
}

std::optional<std::vector<std::uint64_t>> RootHeaders::declared_by_macro(std::uint64_t name) const {
  constexpr std::size_t kMostWords = 4096;
  std::vector<std::uint64_t> words = {name}, out;
  std::unordered_set<std::uint64_t> seen = {name};
  for (std::size_t at = 0; at < words.size(); ++at) {
    const auto found = macros_.find(words[at]);
    if (found == macros_.end()) {
      if (!is_declared_by_others(words[at])) out.push_back(words[at]);
      continue;
    }
    for (const HeaderItem* item : found->second)
      for (const std::uint64_t word : item->says)
        if (!is_language_word(word) && seen.insert(word).second) words.push_back(word);
    if (words.size() > kMostWords) return std::nullopt;
  }
  return out;
}

/// By a piece of its own, not by a macro.
bool RootHeaders::is_declared_by_others(std::uint64_t word) const {
  const std::span<const Mention> mentions = mentions_of(word);
  return std::any_of(mentions.begin(), mentions.end(), [&](const Mention& mention) {
    const std::vector<DeclaredName>& names = mention.item->names;
    return mention.header >= first_of_others_ && !mention.item->call &&
           std::any_of(names.begin(), names.end(),
                       [&](const DeclaredName& its) { return !its.inner && word_hash(its.text) == word; });
  });
}

/// Puts in the macros that lead to these names, by mention.
void RootHeaders::add_macros_above(std::unordered_set<std::uint64_t>& names) const {
  std::deque<std::uint64_t> todo(names.begin(), names.end());
  while (!todo.empty()) {
    const std::span<const Mention> mentions = mentions_of(todo.front());
    todo.pop_front();
    for (const Mention& mention : mentions) {
      if (mention.item->kind != Kind::kMacro) continue;
      const std::uint64_t name = word_hash(mention.item->names[0].text);
      if (names.insert(name).second) todo.push_back(name);
    }
  }
}

void RootHeaders::find_lines() {
  for (const std::string_view word : {"__LINE__", "__COUNTER__", "__builtin_LINE", "source_location", "assert"})
    lines_.insert(word_hash(word));
  add_macros_above(lines_);
}

void RootHeaders::find_coding() {
  for (const Header& header : headers_)
    for (const HeaderItem& item : header.items->items)
      if (item.kind == Kind::kMacro && item.code)
        (item.gives_value ? giving_ : coding_).insert(word_hash(item.names[0].text));
  add_macros_above(coding_);
  add_macros_above(giving_);
}

void RootHeaders::find_pasting() {
  for (const Header& header : headers_)
    for (const HeaderItem& item : header.items->items)
      if (item.pastes) pasting_.insert(word_hash(item.names[0].text));
  for (const Header& header : headers_)
    for (const HeaderItem& item : header.items->items) {
      if (!item.pastes || item.paste_patterns.empty()) continue;
      PastingMacro& macro = pasting_macros_.emplace_back();
      macro.patterns = item.paste_patterns;
      macro.standard = graph_.order_free(header.id);
      macro.by.insert(word_hash(item.names[0].text));
      add_macros_above(macro.by);
    }
  add_macros_above(pasting_);
  for (const Header& header : headers_)
    for (const HeaderItem& item : header.items->items)
      if (item.kind == Kind::kMacro && pasting_.contains(word_hash(item.names[0].text)))
        pasted_words_.insert(item.mentions.begin(), item.mentions.end());
}

}  // namespace nacre::package
