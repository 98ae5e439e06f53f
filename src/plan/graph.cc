#include "plan/graph.h"

#include "apk/dependency.h"

#include <deque>

namespace nacre::plan {

Result<> PackageGraph::add(const definition::Definition& definition, std::size_t maker,
                           const std::string& name, const definition::Dependencies& dependencies) {
  const std::size_t index = packages_.size();
  const auto [known, fresh] = by_name_.emplace(name, index);
  if (!fresh)
    return Error::make(ErrorKind::kConflict, "package '{}' is made by {} and by {}", name,
                       files_[packages_[known->second].maker], definition.file)
        .hint("a package has one maker: rename or remove one of them");
  packages_.push_back({name, maker, {}});
  named_[name].push_back({index, definition.full_version()});
  for (const std::string& text : dependencies.provides) {
    const apk::Provide provide = apk::parse_provide(text);
    if (provide.name != name) provided_[provide.name].push_back({index, provide.version});
  }
  return {};
}

Result<PackageGraph> PackageGraph::make(
    const std::vector<const definition::Definition*>& definitions) {
  PackageGraph graph;
  for (const definition::Definition* definition : definitions)
    graph.files_.push_back(definition->file);
  std::vector<const definition::Dependencies*> dependencies;
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    const definition::Definition& definition = *definitions[i];
    TRY(graph.add(definition, i, definition.name, definition.dependencies));
    dependencies.push_back(&definition.dependencies);
    for (const definition::Subpackage& sub : definition.subpackages) {
      TRY(graph.add(definition, i, sub.name, sub.dependencies));
      dependencies.push_back(&sub.dependencies);
    }
  }
  // Only now are all givers known.
  for (std::size_t i = 0; i < graph.packages_.size(); ++i) {
    for (const std::string& atom : dependencies[i]->runtime) {
      Need need = TRY(graph.resolve(atom, graph.files_[graph.packages_[i].maker]));
      if (!need.givers.empty()) graph.packages_[i].needs.push_back(std::move(need));
    }
  }
  return graph;
}

Result<PackageGraph::Need> PackageGraph::resolve(const std::string& atom,
                                                 const std::string& file) const {
  auto parsed = apk::parse_dependency(atom);
  if (!parsed) return std::move(parsed).error().at({file, 0, 0});
  Need need;
  if (parsed->conflict) return need;
  for (const auto* givers : {&named_, &provided_}) {
    const auto found = givers->find(parsed->name);
    if (found == givers->end()) continue;
    for (const Giver& giver : found->second)
      if (parsed->accepts(giver.version)) need.givers.push_back(giver.package);
    if (!need.givers.empty()) break;
  }
  return need;
}

Result<PackageGraph::Root> PackageGraph::root_of(const std::vector<std::string>& atoms,
                                                 const std::string& file) const {
  std::map<std::size_t, bool> seen;  // package -> sure
  std::deque<std::size_t> open;
  const auto enter = [&](const Need& need, bool sure) {
    sure = sure && need.givers.size() == 1;
    for (const std::size_t giver : need.givers) {
      const auto [entry, fresh] = seen.emplace(giver, sure);
      if (!fresh && (entry->second || !sure)) continue;
      entry->second = sure;  // A sure path makes sure all that lies behind it.
      open.push_back(giver);
    }
  };
  for (const std::string& atom : atoms) {
    const Need need = TRY(resolve(atom, file));
    enter(need, true);
  }
  while (!open.empty()) {
    const std::size_t package = open.front();
    open.pop_front();
    const bool sure = seen.at(package);
    for (const Need& need : packages_[package].needs) enter(need, sure);
  }
  Root root;
  for (const auto& [package, sure] : seen)
    root.emplace(packages_[package].name, Member{packages_[package].maker, sure});
  return root;
}

std::ptrdiff_t PackageGraph::maker_of(const std::string& package) const {
  const auto found = by_name_.find(package);
  return found == by_name_.end() ? -1 : static_cast<std::ptrdiff_t>(packages_[found->second].maker);
}

std::vector<std::string> PackageGraph::package_names() const {
  std::vector<std::string> names;
  for (const auto& [name, index] : by_name_) names.push_back(name);
  return names;
}

}  // namespace nacre::plan
