#include "package/sight.h"

#include <algorithm>
#include <deque>

namespace nacre::package {
namespace {

/// Puts what `from` has into `to`; whether that was more than it had.
bool join_rows(std::vector<std::uint64_t>& to, const std::vector<std::uint64_t>& from) {
  bool more = false;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::uint64_t both = to[i] | from[i];
    more = more || both != to[i];
    to[i] = both;
  }
  return more;
}

}  // namespace

Sight::Sight(const HeaderGraph& graph, const Use& use, const std::vector<Id>& asked, const Meddling& meddling)
    : graph_(graph), use_(use), meddling_(meddling) {
  for (const std::vector<Id>* ids : {&asked, &meddling.headers})
    for (const Id id : *ids) place_.emplace(id, place_.size());
  wide_ = (place_.size() + 63) / 64;
  for (const std::string& path : use.includes) {
    meant_.push_back(graph.meant(path));
    surely_.push_back(graph.surely_meant(path));
  }
  look(rows_of_headers());
}

bool Sight::bit(const std::vector<Row>& rows, std::uint32_t file, Id header) const {
  const auto found = place_.find(header);
  return found == place_.end() || (rows[file][found->second / 64] >> (found->second % 64) & 1) != 0;
}

/// A row takes what those have that its edges lead to, until nothing more comes.
bool Sight::spread(std::vector<Row>& rows, const std::vector<std::vector<std::uint32_t>>& edges) const {
  std::vector<std::vector<std::uint32_t>> back(rows.size());
  for (std::uint32_t from = 0; from < edges.size(); ++from)
    for (const std::uint32_t to : edges[from]) back[to].push_back(from);
  std::deque<std::uint32_t> todo;
  std::vector<char> waits(rows.size(), 1);
  for (std::uint32_t i = 0; i < rows.size(); ++i) todo.push_back(i);
  bool any = false;
  while (!todo.empty()) {
    const std::uint32_t at = todo.front();
    todo.pop_front();
    waits[at] = 0;
    for (const std::uint32_t from : back[at])
      if (join_rows(rows[from], rows[at])) {
        any = true;
        if (std::exchange(waits[from], 1) == 0) todo.push_back(from);
      }
  }
  return any;
}

std::vector<Sight::Row> Sight::rows_of_headers() const {
  std::vector<Row> rows(graph_.size(), Row(wide_, 0));
  std::vector<std::vector<std::uint32_t>> edges(graph_.size());
  for (Id id = 0; id < graph_.size(); ++id) {
    edges[id] = graph_.leads_to(id);
    if (graph_.leads_anywhere(id)) rows[id].assign(wide_, ~std::uint64_t{0});
    if (const auto found = place_.find(id); found != place_.end())
      rows[id][found->second / 64] |= std::uint64_t{1} << (found->second % 64);
  }
  (void)spread(rows, edges);
  return rows;
}

/// What is nowhere, and which scripts name: they may have made it and removed it again.
bool Sight::is_made_by_scripts(const UseInclude& include) const {
  if (include.own || !include.files.empty() || !meant_[include.path].empty()) return false;
  const std::string& path = use_.includes[include.path];
  const std::span<const std::uint32_t> in =
      use_.files_of(word_hash(std::string_view(path).substr(path.rfind('/') + 1)));
  return !in.empty() && in.front() == 0;
}

void Sight::look(const std::vector<Row>& headers) {
  includes_.assign(use_.includes.size(), Row(wide_, 0));
  for (std::size_t i = 0; i < meant_.size(); ++i)
    for (const Id id : meant_[i]) join_rows(includes_[i], headers[id]);
  const std::uint32_t count = static_cast<std::uint32_t>(use_.files.size());
  alone_.assign(count, Row(wide_, 0));
  next_.assign(count, {});
  for (std::uint32_t i = 0; i < count; ++i) {
    const UseFile& file = use_.files[i];
    if (file.computed) alone_[i].assign(wide_, ~std::uint64_t{0});
    for (const UseInclude& include : file.includes) {
      next_[i].insert(next_[i].end(), include.files.begin(), include.files.end());
      if (include.own) continue;
      join_rows(alone_[i], includes_[include.path]);
      if (is_made_by_scripts(include)) next_[i].push_back(0);
    }
  }
  for (const auto& [name, ids] : graph_.by_name())
    for (const std::uint32_t file : use_.files_of(name))
      if (use_.files[file].script && !use_.files[file].asks)
        for (const Id id : ids) join_rows(alone_[file], headers[id]);
  for (std::vector<std::uint32_t>& next : next_) {
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
  }
  before_.assign(count, {});
  for (std::uint32_t i = 0; i < count; ++i)
    for (const std::uint32_t next : next_[i]) before_[next].push_back(i);
  (void)spread(alone_, next_);
  together_ = alone_;
  (void)spread(together_, before_);
}

const std::vector<std::uint32_t>& Sight::units_of(std::uint32_t file) {
  const auto found = units_.find(file);
  if (found != units_.end()) return found->second;
  std::vector<std::uint32_t>& out = units_[file];
  std::vector<char> seen(before_.size(), 0);
  std::vector<std::uint32_t> todo = {file};
  seen[file] = 1;
  while (!todo.empty()) {
    const std::uint32_t at = todo.back();
    todo.pop_back();
    if (use_.files[at].unit || use_.files[at].script || before_[at].empty()) out.push_back(at);
    for (const std::uint32_t from : before_[at])
      if (std::exchange(seen[from], 1) == 0) todo.push_back(from);
  }
  if (out.empty()) out.push_back(file);  // files that include each other
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::uint32_t> Sight::reach_of(std::uint32_t unit) const {
  std::vector<char> seen(next_.size(), 0);
  std::vector<std::uint32_t> out = {unit};
  seen[unit] = 1;
  for (std::size_t i = 0; i < out.size(); ++i)
    for (const std::uint32_t next : next_[out[i]])
      if (std::exchange(seen[next], 1) == 0) out.push_back(next);
  return out;
}

/// The headers that a file surely reads before it may read `header`. True: it may have read it.
bool Sight::walk(std::uint32_t file, Id header, std::vector<char>& seen, std::vector<Id>& had) const {
  if (std::exchange(seen[file], 1) != 0) return false;
  if (use_.files[file].computed || use_.files[file].script) return true;
  for (const UseInclude& include : use_.files[file].includes) {
    const bool root = !include.own && !meant_[include.path].empty();
    if (root && bit(includes_, include.path, header)) return true;
    if (is_made_by_scripts(include) && bit(alone_, 0, header)) return true;
    if (!root && include.always && include.files.size() == 1) {
      if (walk(include.files[0], header, seen, had)) return true;
      continue;
    }
    for (const std::uint32_t next : include.files)
      if (bit(alone_, next, header)) return true;
    if (root && include.always && include.files.empty())
      had.insert(had.end(), surely_[include.path].begin(), surely_[include.path].end());
  }
  return false;
}

const std::unordered_set<Sight::Id>& Sight::surely_before(std::uint32_t unit, Id header) {
  const auto key = std::pair(unit, header);
  const auto found = sure_.find(key);
  if (found != sure_.end()) return found->second;
  std::vector<char> seen(use_.files.size(), 0);
  std::vector<Id> had;
  (void)walk(unit, header, seen, had);
  return sure_.emplace(key, graph_.surely(had)).first->second;
}

bool Sight::had_before(std::uint32_t file, Id header, const std::vector<Id>& gates) {
  for (const std::uint32_t unit : units_of(file)) {
    if (!includes(unit, header)) continue;
    const std::unordered_set<Id>& sure = surely_before(unit, header);
    if (std::none_of(gates.begin(), gates.end(), [&](Id gate) { return graph_.once(gate) && sure.contains(gate); }))
      return false;
  }
  return true;
}

bool Sight::may_include(const UseInclude& include, Id header) const {
  if (!include.own && !meant_[include.path].empty() && bit(includes_, include.path, header)) return true;
  if (is_made_by_scripts(include) && bit(alone_, 0, header)) return true;
  return std::any_of(include.files.begin(), include.files.end(),
                     [&](std::uint32_t next) { return bit(alone_, next, header); });
}

/// Of a word that the file has.
bool Sight::has_part(const UseFile& file, std::uint32_t word, Behind::Part part) {
  const auto in = [word](const auto& words) { return std::binary_search(words.begin(), words.end(), word); };
  return part == Behind::Part::kWhole || in(file.between) || (part == Behind::Part::kBegin && in(file.ahead));
}

/// Whether that part of the file defines a macro that a standard header mentions.
bool Sight::meddles(std::uint32_t file, Behind::Part part) const {
  const UseFile& its = use_.files[file];
  if (!its.told || its.computed || its.script) return true;
  return std::any_of(its.defines.begin(), its.defines.end(), [&](std::uint32_t word) {
    return meddling_.words.contains(use_.words[word]) && has_part(its, word, part);
  });
}

void Sight::step(std::uint32_t file, Behind::Part part, Behind& out) const {
  out.steps.push_back({file, part, meddles(file, part)});
  out.meddled = out.meddled || out.steps.back().meddles;
}

void Sight::begin(Behind& out) const {
  if (std::exchange(out.begun, true)) return;
  for (const std::uint32_t file : out.open) step(file, Behind::Part::kBetween, out);
}

/// It and all that it may include may be read here.
void Sight::pass_over(std::uint32_t file, Behind& out) const {
  if (std::exchange(out.passed[file], 1) != 0) return;
  for (const std::uint32_t next : reach_of(file)) {
    step(next, Behind::Part::kWhole, out);
    out.passed[next] = 1;
  }
  const std::vector<Id>& headers = meddling_.headers;
  if (std::any_of(headers.begin(), headers.end(), [&](Id id) { return bit(alone_, file, id); })) meddle(out);
}

void Sight::meddle(Behind& out) const {
  out.steps.push_back({out.open.back(), Behind::Part::kBetween, true});
  out.meddled = true;
}

void Sight::put_read(const std::vector<Id>& headers, Behind& out) const {
  std::vector<Id> todo = headers;
  while (!todo.empty()) {
    const Id id = todo.back();
    todo.pop_back();
    if (!out.read.emplace(id, out.steps.size()).second) continue;
    todo.insert(todo.end(), graph_.brings(id).begin(), graph_.brings(id).end());
  }
}

void Sight::walk_behind(std::uint32_t file, Id header, Behind& out) const {
  if (std::exchange(out.seen[file], 1) != 0) {
    if (out.begun) pass_over(file, out);
    return;
  }
  out.open.push_back(file);
  // What it includes is not known.
  if (use_.files[file].computed || use_.files[file].script) begin(out);
  for (const UseInclude& include : use_.files[file].includes) {
    const bool root = !include.own && !meant_[include.path].empty();
    if (!root && include.always && include.files.size() == 1) {
      if (out.begun) step(include.files[0], Behind::Part::kBegin, out);
      walk_behind(include.files[0], header, out);
      if (out.begun) step(include.files[0], Behind::Part::kWhole, out);
      continue;
    }
    if (out.begun || may_include(include, header)) {
      begin(out);
      bool meddled = is_made_by_scripts(include);
      for (const std::uint32_t next : include.files) pass_over(next, out);
      for (const Id id : meddling_.headers) meddled = meddled || (root && bit(includes_, include.path, id));
      if (meddled) meddle(out);
    }
    if (root && include.always && include.files.empty()) put_read(surely_[include.path], out);
  }
  out.open.pop_back();
}

const Sight::Behind& Sight::behind(std::uint32_t unit, Id header) {
  const auto [found, made] = behind_.try_emplace(std::pair(unit, header));
  Behind& out = found->second;
  if (!made) return out;
  out.seen.assign(use_.files.size(), 0);
  out.passed.assign(use_.files.size(), 0);
  walk_behind(unit, header, out);
  out.seen = out.passed = {};
  return out;
}

bool Sight::has_anyway(std::uint32_t file, Id header, const std::vector<Id>& gates, std::uint64_t word) {
  const std::span<const std::uint32_t> named = use_.files_of(word);
  const std::uint32_t number =
      static_cast<std::uint32_t>(std::lower_bound(use_.words.begin(), use_.words.end(), word) - use_.words.begin());
  for (const std::uint32_t unit : units_of(file)) {
    if (!includes(unit, header)) continue;
    const Behind& its = behind(unit, header);
    std::size_t until = its.steps.size() + 1;
    for (const Id gate : gates)
      if (const auto at = its.read.find(gate); at != its.read.end() && graph_.order_free(gate) && graph_.once(gate))
        until = std::min(until, at->second);
    if (until > its.steps.size()) return false;
    for (std::size_t i = 0; i < until; ++i) {
      const Behind::Step& at = its.steps[i];
      const bool names = std::binary_search(named.begin(), named.end(), at.file);
      if (at.meddles || (names && has_part(use_.files[at.file], number, at.part))) return false;
    }
  }
  return true;
}

bool Sight::is_meddled(std::uint32_t file, Id header) {
  const std::vector<std::uint32_t>& units = units_of(file);
  return std::any_of(units.begin(), units.end(), [&](std::uint32_t unit) {
    return includes(unit, header) && behind(unit, header).meddled;
  });
}

}  // namespace nacre::package
