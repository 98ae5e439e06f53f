#include "image/reasons.h"

#include <algorithm>
#include <deque>
#include <set>

#include "apk/dependency.h"
#include "base/text.h"

namespace nacre::image {
namespace {

using codec::Json;

/// Whether a package in this version, or a provide (`version` may be empty), is what the atom asks for.
bool meets(const apk::Dependency& atom, std::string_view version) {
  return atom.op == apk::kAny || atom.op == apk::kByContent || atom.accepts(version);
}

std::string_view name_of(Step::How how) {
  switch (how) {
    case Step::How::kWord: return "word";
    case Step::How::kNeeds: return "needs";
    case Step::How::kInstallIf: return "install_if";
  }
  return "";
}

}  // namespace

Reasons::Reasons(std::vector<PackageContents> packages, std::vector<Word> words) : packages_(std::move(packages)) {
  for (std::size_t i = 0; i < packages_.size(); ++i) {
    const apk::PackageInfo& info = packages_[i].file.info;
    by_name_.try_emplace(info.name, i);
    for (const std::string& text : info.provides)
      if (!text.empty()) provides_.emplace(apk::parse_provide(text).name, std::pair(i, text));
  }
  link_packages();
  if (words.empty()) {
    std::vector<bool> brought(packages_.size(), false);
    for (const Link& link : links_) brought[link.to] = true;
    for (std::size_t i = 0; i < packages_.size(); ++i)
      if (!brought[i]) words.push_back({packages_[i].file.info.name, {}});
  }
  link_words(words);
  out_of_.resize(packages_.size() + 1);
  for (std::size_t i = 0; i < links_.size(); ++i)
    out_of_[links_[i].from == kWords ? packages_.size() : links_[i].from].push_back(i);
}

std::vector<std::pair<std::size_t, std::string>> Reasons::met_by(std::string_view text) const {
  std::vector<std::pair<std::size_t, std::string>> out;
  const auto atom = apk::parse_dependency(text);
  if (!atom || atom->conflict) return out;
  if (const auto own = by_name_.find(atom->name);
      own != by_name_.end() && meets(*atom, packages_[own->second].file.info.version))
    out.emplace_back(own->second, "");
  const auto [begin, end] = provides_.equal_range(atom->name);
  for (auto it = begin; it != end; ++it)
    if (meets(*atom, apk::parse_provide(it->second.second).version)) out.push_back(it->second);
  return out;
}

void Reasons::link_words(const std::vector<Word>& words) {
  for (const Word& word : words)
    for (auto& [package, provide] : met_by(word.atom))
      links_.push_back(
          {kWords, package, {Step::How::kWord, "", word.atom, provide, packages_[package].label(), word.place}});
}

void Reasons::link_packages() {
  for (std::size_t i = 0; i < packages_.size(); ++i) {
    const apk::PackageInfo& info = packages_[i].file.info;
    for (const std::string& atom : info.depends)
      for (auto& [package, provide] : met_by(atom))
        if (package != i)
          links_.push_back(
              {i, package, {Step::How::kNeeds, packages_[i].label(), atom, provide, packages_[package].label(), {}}});
    std::vector<Link> sources;
    bool all = true;
    for (const std::string& atom : info.install_if) {
      if (atom.empty() || atom == "[]") continue;
      const auto found = met_by(atom);
      all = all && !found.empty();
      for (const auto& [package, provide] : found)
        if (package != i)
          sources.push_back(
              {package,
               i,
               {Step::How::kInstallIf, packages_[package].label(), atom, provide, packages_[i].label(), {}}});
    }
    if (all) links_.insert(links_.end(), sources.begin(), sources.end());
  }
}

Result<std::vector<Step>> Reasons::chain(const std::string& name) const {
  const auto wanted = by_name_.find(name);
  if (wanted == by_name_.end()) {
    const auto provider = provides_.find(name);
    std::vector<std::string> names;
    for (const auto& [known, number] : by_name_) names.push_back(known);
    for (const auto& [known, number] : provides_) names.push_back(known);
    return Error::make(ErrorKind::kNotFound, "the image has no package '{}'", name)
        .hint(provider != provides_.end() ? fmt::format("{} provides it", packages_[provider->second.first].label())
                                          : nearest_hint(name, names));
  }
  // Breadth first: the shortest chain, and of equal ones the first in the order of the database.
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> through(packages_.size(), kNone);
  std::deque<std::size_t> queue = {packages_.size()};
  while (!queue.empty() && through[wanted->second] == kNone) {
    const std::size_t at = queue.front();
    queue.pop_front();
    for (const std::size_t link : out_of_[at]) {
      const std::size_t to = links_[link].to;
      if (through[to] != kNone) continue;
      through[to] = link;
      queue.push_back(to);
    }
  }
  std::vector<Step> out;
  for (std::size_t at = wanted->second; at != kWords && through[at] != kNone; at = links_[through[at]].from)
    out.push_back(links_[through[at]].step);
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<Step> Reasons::links_to(const std::string& name) const {
  std::vector<Step> out;
  const auto wanted = by_name_.find(name);
  if (wanted == by_name_.end()) return out;
  for (const Link& link : links_)
    if (link.to == wanted->second) out.push_back(link.step);
  return out;
}

std::string render(const Step& step) {
  const std::string met = step.provide.empty() ? fmt::format("that is {}", step.package)
                                               : fmt::format("{} provides it as '{}'", step.package, step.provide);
  switch (step.how) {
    case Step::How::kWord: {
      const std::string where = step.place.line == 0 ? "" : fmt::format(" ({}:{})", step.place.file, step.place.line);
      return fmt::format("'{}' is asked for{}: {}", step.atom, where, met);
    }
    case Step::How::kNeeds: return fmt::format("{} needs '{}': {}", step.from, step.atom, met);
    case Step::How::kInstallIf:
      return fmt::format("{} comes by itself where '{}' is (install_if), and {} is there", step.package, step.atom,
                         step.from);
  }
  return {};
}

Json to_json(const Step& step) {
  Json out = Json::object({{"how", name_of(step.how)}, {"atom", step.atom}, {"package", step.package}});
  if (!step.from.empty()) out.set("from", step.from);
  if (!step.provide.empty()) out.set("provide", step.provide);
  if (step.place.line != 0)
    out.set("place", Json::object({{"file", step.place.file},
                                   {"line", static_cast<std::int64_t>(step.place.line)},
                                   {"column", static_cast<std::int64_t>(step.place.column)}}));
  return out;
}

}  // namespace nacre::image
