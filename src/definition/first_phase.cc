#include "definition/parse.h"
#include "definition/regex.h"
#include "definition/substitute.h"

#include <algorithm>

namespace nacre::definition {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using Names = std::map<std::string, std::string, std::less<>>;

constexpr std::size_t kMaxSubpackages = 2000;
constexpr int kMaxDepth = 32;

YamlNode* find(YamlNode& mapping, std::string_view key) {
  for (auto& entry : mapping.entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

std::string scalar(const YamlNode* node) {
  return node && node->kind == YamlKind::kScalar ? node->text : "";
}

/// Names of the package and its variables; `--vars-file` before the definition's own.
Result<Names> base_names(const codec::YamlTree& tree, const CompileOptions& options) {
  Names names;
  if (const YamlNode* package = tree.root.find("package")) {
    for (const char* key : {"name", "version", "description", "epoch"})
      names[std::string("package.") + key] = scalar(package->find(key));
    if (names["package.epoch"].empty()) names["package.epoch"] = "0";
    names["package.full-version"] = names["package.version"] + "-r" + names["package.epoch"];
  }
  if (const YamlNode* vars = tree.root.find("vars")) {
    const Pairs pairs = TRY((Value{&tree, vars}.pairs()), "reading 'vars'");
    for (const auto& [name, value] : pairs) names["vars." + name] = value;
  }
  for (const auto& [name, value] : options.vars) names["vars." + name] = value;
  return names;
}

Result<> transform_vars(const codec::YamlTree& tree, Names& names) {
  const YamlNode* node = tree.root.find("var-transforms");
  if (!node) return {};
  const std::vector<Value> list = TRY((Value{&tree, node}.list()), "reading 'var-transforms'");
  const LookUp look_up = [&](std::string_view name) -> Result<std::string> {
    if (const auto found = names.find(name); found != names.end()) return found->second;
    Scope known;
    for (const auto& [key, value] : names) known.set(key, value);
    return unknown_variable(name, known);
  };
  for (const Value& item : list) {
    VarTransform transform;
    TRY(read_mapping(item, nullptr, transform));
    const auto& [from, match, replace, to, from_value] = transform;
    const std::string given = TRY(expand_with(from, look_up, from_value.value_or(item)));
    auto made = replace_matches(given, match, replace);
    if (!made) return std::move(made).error().at(item.place());
    names["vars." + to] = *std::move(made);
  }
  return {};
}

Result<> steps(Replacer& replacer, YamlNode* list, int depth = 0) {
  if (!list || depth > kMaxDepth) return {};
  for (YamlNode& step : list->items) {
    TRY(replacer.fields(
        step, {"name", "with", "runs", "needs", "if", "working-directory", "environment"}));
    TRY(steps(replacer, find(step, "pipeline"), depth + 1));
  }
  return {};
}

Result<> environment(Replacer& replacer, YamlNode* node) {
  if (!node) return {};
  return replacer.fields(*node, {"contents", "entrypoint", "cmd", "stop-signal", "work-dir",
                                 "environment", "vcs-url", "annotations", "volumes"});
}

Result<> test(Replacer& replacer, YamlNode* node) {
  if (!node) return {};
  TRY(environment(replacer, find(*node, "environment")));
  return steps(replacer, find(*node, "pipeline"));
}

Result<> package(Replacer& replacer, YamlNode* node) {
  if (!node) return {};
  TRY(replacer.fields(*node, {"name", "version", "description", "annotations", "url",
                              "target-architecture", "dependencies", "scriptlets"}));
  if (YamlNode* copyright = find(*node, "copyright"))
    for (YamlNode& entry : copyright->items)
      TRY(replacer.fields(entry, {"paths", "license", "license-path"}));
  return {};
}

Result<> subpackage(Replacer& replacer, YamlNode& node) {
  TRY(replacer.fields(
      node, {"if", "name", "dependencies", "scriptlets", "description", "annotations", "url"}));
  TRY(steps(replacer, find(node, "pipeline")));
  return test(replacer, find(node, "test"));
}

Result<> update(Replacer& replacer, YamlNode* node) {
  if (!node) return {};
  for (const char* backend : {"github", "git", "release-monitor"})
    if (YamlNode* fields = find(*node, backend))
      TRY(replacer.fields(*fields,
                          {"identifier", "tag-filter", "tag-filter-prefix", "tag-filter-contains",
                           "version-filter-prefix", "version-filter-contains"}));
  return {};
}

/// `data` as name -> items ordered bytewise by key.
Result<std::map<std::string, Names>> ranges(const codec::YamlTree& tree) {
  std::map<std::string, Names> out;
  const YamlNode* node = tree.root.find("data");
  if (!node) return out;
  const std::vector<Value> list = TRY((Value{&tree, node}.list()), "reading 'data'");
  for (const Value& item : list) {
    RangeData data;
    TRY(read_mapping(item, nullptr, data));
    const auto& [name, items] = data;
    if (out.contains(name)) return item.invalid("data '{}' is given twice", name);
    out[name] = Names(items.begin(), items.end());
  }
  return out;
}

std::string range_hint(const std::string& name, const std::vector<std::string>& known) {
  std::string near = nearest_hint(name, known);
  if (!near.empty()) return near;
  return known.empty() ? "add it to data:, with a name and items:" : "data: has " + join(known, ", ");
}

/// Each subpackage with a range becomes one per item, where it stands.
Result<> subpackages(Replacer& replacer, const codec::YamlTree& tree, YamlNode& list) {
  const std::map<std::string, Names> data = TRY(ranges(tree));
  std::vector<YamlNode> out;
  for (YamlNode& node : list.items) {
    const YamlNode* range = node.find("range");
    const std::string name = scalar(range);
    if (name.empty()) {
      TRY(subpackage(replacer, node));
      out.push_back(std::move(node));
    } else {
      const auto found = data.find(name);
      if (found == data.end()) {
        std::vector<std::string> known;
        for (const auto& [key, items] : data) known.push_back(key);
        return Error::make(ErrorKind::kNotFound, "no data '{}' for this range", name)
            .at(tree.place(range->span))
            .hint(range_hint(name, known));
      }
      for (const auto& [key, value] : found->second) {
        Replacer ranged = replacer.with_range(key, value);
        out.push_back(node);
        TRY(subpackage(ranged, out.back()));
        if (out.size() > kMaxSubpackages) break;
      }
    }
    if (out.size() > kMaxSubpackages)
      return Value{&tree, &list}.invalid("more than {} subpackages", kMaxSubpackages);
  }
  list.items = std::move(out);
  return {};
}

}  // namespace

Result<std::map<std::string, std::string, std::less<>>> first_names(const codec::YamlTree& tree,
                                                                    const CompileOptions& options) {
  Names names = TRY(base_names(tree, options));
  TRY(transform_vars(tree, names));
  return names;
}

Result<FirstPhase> run_first_phase(const codec::YamlTree& tree, const CompileOptions& options) {
  FirstPhase out;
  out.root = tree.root;
  out.names = TRY(first_names(tree, options));
  Replacer replacer(out.names);
  TRY(package(replacer, find(out.root, "package")));
  TRY(environment(replacer, find(out.root, "environment")));
  TRY(steps(replacer, find(out.root, "pipeline")));
  TRY(test(replacer, find(out.root, "test")));
  TRY(update(replacer, find(out.root, "update")));
  if (YamlNode* list = find(out.root, "subpackages"))
    if (list->kind == YamlKind::kSequence) TRY(subpackages(replacer, tree, *list));
  return out;
}

}  // namespace nacre::definition
