#include "farm/policy.h"

#include "base/text.h"

#include <charconv>
#include <functional>
#include <vector>

namespace nacre::farm {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

/// What reads one key's value.
using Reader = std::function<Result<>(const YamlNode& value)>;

/// Every key of a mapping by its reader; a key without one is a fault.
Result<> read_keys(const YamlTree& tree, const YamlNode& node, std::string_view what,
                   const std::map<std::string, Reader>& readers) {
  if (node.kind == YamlKind::kNull) return {};
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected {} as keys and values", what).at(tree.place(node.span));
  std::vector<std::string> known;
  for (const auto& [key, reader] : readers) known.push_back(key);
  for (const YamlNode::Entry& entry : node.entries) {
    const auto reader = readers.find(entry.key);
    if (reader == readers.end())
      return Error::make(ErrorKind::kInvalid, "unknown key '{}' in {}; there are {}", entry.key, what,
                         join(known, ", "))
          .at(tree.place(entry.key_span))
          .hint(nearest_hint(entry.key, known));
    Result<> read = reader->second(entry.value);
    if (!read) return std::move(read).error().at(tree.place(entry.value.span));
  }
  return {};
}

Reader duration_into(std::int64_t& out) {
  return [&out](const YamlNode& value) -> Result<> {
    out = TRY(parse_duration(value.text));
    return {};
  };
}

Result<Merge> parse_merge(const std::string& text) {
  if (text == "automatic") return Merge::kAutomatic;
  if (text == "approve") return Merge::kApprove;
  return Error::make(ErrorKind::kInvalid, "expected automatic or approve, got '{}'", text);
}

/// A mapping from definitions to what `read` makes of each.
Reader by_definition(const YamlTree& tree,
                     const std::function<Result<>(const std::string& name, const YamlNode&)>& read) {
  return [&tree, read](const YamlNode& node) -> Result<> {
    if (node.kind != YamlKind::kMapping)
      return Error::make(ErrorKind::kInvalid, "expected definitions and a rule for each");
    for (const YamlNode::Entry& entry : node.entries) {
      Result<> one = read(entry.key, entry.value);
      if (!one) return std::move(one).error().at(tree.place(entry.value.span));
    }
    return {};
  };
}

Result<> read_watch_rule(const YamlTree& tree, const YamlNode& node, WatchRule& out, const Reader* packages) {
  std::map<std::string, Reader> readers = {{"every", duration_into(out.every_seconds)},
                                           {"cooldown", duration_into(out.cooldown_seconds)}};
  if (packages != nullptr) readers["packages"] = *packages;
  return read_keys(tree, node, "watch", readers);
}

}  // namespace

const WatchRule& Policy::watch_for(std::string_view definition) const {
  const auto found = watch_of.find(definition);
  return found == watch_of.end() ? watch : found->second;
}

Merge Policy::merge_for(std::string_view definition) const {
  const auto found = merge_of.find(definition);
  return found == merge_of.end() ? merge : found->second;
}

Result<std::int64_t> parse_duration(std::string_view text) {
  constexpr std::int64_t kTenYears = std::int64_t{10} * 365 * 86400;
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::int64_t factor = 0;
  if (unit == "s") factor = 1;
  if (unit == "m") factor = 60;
  if (unit == "h") factor = 3600;
  if (unit == "d") factor = 86400;
  if (unit == "w") factor = 7 * 86400;
  if (fault != std::errc() || factor == 0 || number < 0 || number > kTenYears / factor)
    return Error::make(ErrorKind::kInvalid, "expected a duration such as 90s, 30m, 1h, 3d or 2w, got '{}'", text);
  return number * factor;
}

Result<Policy> read_policy(const YamlTree& tree) {
  Policy out;
  // Rules of single definitions start from the general one: they are read in a second pass.
  std::vector<std::pair<std::string, const YamlNode*>> later;
  const Reader watch_packages = by_definition(tree, [&](const std::string& name, const YamlNode& node) -> Result<> {
    later.emplace_back(name, &node);
    return {};
  });
  const Reader merge_packages = by_definition(tree, [&](const std::string& name, const YamlNode& node) -> Result<> {
    out.merge_of[name] = TRY(parse_merge(node.text));
    return {};
  });
  const Reader merge_default = [&](const YamlNode& node) -> Result<> {
    out.merge = TRY(parse_merge(node.text));
    return {};
  };
  const Reader read_by_others = [](const YamlNode&) -> Result<> { return {}; };
  const Reader stable = [&](const YamlNode& node) {
    return read_keys(tree, node, "stable",
                     {{"soak", duration_into(out.stable_soak_seconds)}, {"gates", read_by_others}});
  };
  const Reader logs = [&](const YamlNode& node) {
    return read_keys(tree, node, "logs", {{"keep", duration_into(out.keep_logs_seconds)}});
  };
  const Reader rebuild = [&](const YamlNode& node) {
    return read_keys(tree, node, "rebuild", {{"postpone", duration_into(out.postpone_seconds)}});
  };
  const Reader registry = [&](const YamlNode& node) -> Result<> {
    if (node.kind != YamlKind::kScalar)
      return Error::make(ErrorKind::kInvalid, "expected a registry as host[:port][/prefix]");
    out.registry = node.text;
    return {};
  };
  const std::map<std::string, Reader> readers = {
      {"watch", [&](const YamlNode& node) { return read_watch_rule(tree, node, out.watch, &watch_packages); }},
      {"merge",
       [&](const YamlNode& node) {
         return read_keys(tree, node, "merge", {{"default", merge_default}, {"packages", merge_packages}});
       }},
      {"channels",
       [&](const YamlNode& node) {
         return read_keys(tree, node, "channels", {{"stable", stable}});
       }},
      {"rebuild", rebuild},
      {"logs", logs},
      {"registry", registry},
      {"gates", read_by_others},
  };
  TRY(read_keys(tree, tree.root, "farm.yaml", readers));
  for (const auto& [name, node] : later) {
    out.watch_of[name] = out.watch;
    TRY(read_watch_rule(tree, *node, out.watch_of[name], nullptr));
  }
  return out;
}

}  // namespace nacre::farm
