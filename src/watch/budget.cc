#include "watch/budget.h"

#include "base/text.h"
#include "codec/yaml.h"

#include <algorithm>
#include <charconv>

namespace nacre::watch {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

constexpr std::int64_t kDay = 86400;

struct Field {
  std::string_view key;
  std::optional<std::uint64_t> Budget::*limit;
};

constexpr Field kFields[] = {{"patches", &Budget::patches},
                             {"hunks", &Budget::hunks},
                             {"patch-lines", &Budget::patch_lines},
                             {"patch-age-days", &Budget::patch_age_days},
                             {"picks", &Budget::picks},
                             {"edits", &Budget::edits},
                             {"bump-entries", &Budget::bump_entries},
                             {"switches", &Budget::switches},
                             {"dead-patches", &Budget::dead_patches},
                             {"repacked-sources", &Budget::repacked_sources},
                             {"tree-files", &Budget::tree_files},
                             {"tree-lines", &Budget::tree_lines}};

Error unknown_field(const YamlTree& tree, const YamlNode::Entry& entry, std::vector<std::string> known) {
  Error error = Error::make(ErrorKind::kInvalid, "unknown field '{}'", entry.key).at(tree.place(entry.key_span));
  const std::string hint = nearest_hint(entry.key, known);
  return hint.empty() ? std::move(error) : std::move(error).hint(hint);
}

Result<Budget> read_budget(const YamlTree& tree, const YamlNode& node) {
  Budget out;
  if (node.kind == YamlKind::kNull) return out;
  if (node.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected limits").at(tree.place(node.span));
  for (const YamlNode::Entry& entry : node.entries) {
    const auto field =
        std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& one) { return one.key == entry.key; });
    if (entry.key == "reason") {
      out.reason = entry.value.text;
      continue;
    }
    if (field == std::end(kFields)) {
      std::vector<std::string> known = {"reason"};
      for (const Field& one : kFields) known.emplace_back(one.key);
      return unknown_field(tree, entry, std::move(known));
    }
    const std::string& text = entry.value.text;
    std::uint64_t limit = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (entry.value.kind != YamlKind::kScalar || status != std::errc{} || end != text.data() + text.size())
      return Error::make(ErrorKind::kInvalid, "'{}': expected a whole number, got '{}'", entry.key, text)
          .at(tree.place(entry.value.span));
    out.*(field->limit) = limit;
  }
  return out;
}

/// Collects what is over.
class Judge {
 public:
  void at_most(const std::optional<std::uint64_t>& limit, std::uint64_t found, std::string_view what) {
    if (limit && found > *limit) out_.push_back(fmt::format("{} {}, at most {}", found, what, *limit));
  }
  std::vector<std::string> take() { return std::move(out_); }

 private:
  std::vector<std::string> out_;
};

}  // namespace

Budget Budgets::of(std::string_view package) const {
  Budget out = defaults;
  const auto own = packages.find(package);
  if (own == packages.end()) return out;
  for (const Field& field : kFields)
    if (own->second.*(field.limit)) out.*(field.limit) = own->second.*(field.limit);
  out.reason = own->second.reason;
  return out;
}

Result<Budgets> parse_budgets(std::string_view text, std::string_view file) {
  const YamlTree tree = TRY(codec::parse_yaml(std::string(text), std::string(file)));
  Budgets out;
  if (tree.root.kind == YamlKind::kNull) return out;
  if (tree.root.kind != YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected 'defaults' and 'packages'").at(tree.place(tree.root.span));
  for (const YamlNode::Entry& entry : tree.root.entries) {
    if (entry.key == "defaults") {
      out.defaults = TRY(read_budget(tree, entry.value));
    } else if (entry.key != "packages") {
      return unknown_field(tree, entry, {"defaults", "packages"});
    } else if (entry.value.kind != YamlKind::kMapping && entry.value.kind != YamlKind::kNull) {
      return Error::make(ErrorKind::kInvalid, "expected packages with their limits").at(tree.place(entry.value.span));
    } else {
      for (const YamlNode::Entry& package : entry.value.entries) {
        Budget budget = TRY(read_budget(tree, package.value), "reading the limits of '{}'", package.key);
        if (budget.reason.empty())
          return Error::make(ErrorKind::kInvalid, "'{}' has limits of its own and no reason", package.key)
              .at(tree.place(package.key_span))
              .hint("add `reason: …`");
        out.packages[package.key] = std::move(budget);
      }
    }
  }
  return out;
}

std::vector<std::string> judge_delta(const Delta& measured, const Budget& budget, std::int64_t now) {
  Judge judge;
  const PatchCount count = measured.patch_count();
  judge.at_most(budget.patches, measured.patches.size(), "patches");
  judge.at_most(budget.hunks, count.hunks, "hunks");
  judge.at_most(budget.patch_lines, count.added + count.removed, "lines in patches");
  for (const AppliedPatch& patch : measured.patches)
    if (patch.carried_since > 0 && now > patch.carried_since)
      judge.at_most(budget.patch_age_days, static_cast<std::uint64_t>((now - patch.carried_since) / kDay),
                    fmt::format("days that '{}' is carried", patch.name));
  judge.at_most(budget.picks, measured.picks.size(), "cherry-picks");
  judge.at_most(budget.edits, measured.source_edits(), "edits in place");
  judge.at_most(budget.bump_entries, measured.bump_entries(), "dependencies bumped");
  judge.at_most(budget.switches, measured.switches_that(Switch::Verdict::kDiffers),
                "switches that differ from upstream's defaults");
  judge.at_most(budget.dead_patches, measured.dead_patches.size(), "dead patches");
  judge.at_most(budget.repacked_sources, measured.repacked_sources, "repacked sources");
  if (measured.tree) {
    judge.at_most(budget.tree_files, measured.tree->files.size(), "files changed by preparation");
    judge.at_most(budget.tree_lines, measured.tree->added() + measured.tree->removed(), "lines changed by preparation");
  }
  return judge.take();
}

}  // namespace nacre::watch
