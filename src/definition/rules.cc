#include "definition/rules.h"

#include "base/field_archs.h"
#include "base/text.h"
#include "definition/fields.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

namespace nacre::definition {
namespace {

using codec::YamlNode;

/// What the rules look at, and where findings go.
struct Look {
  const Definition& definition;
  const codec::YamlTree& yaml;
  std::vector<RuleFinding>& out;
  const Rule* rule = nullptr;

  void say(const Place& place, std::string text, std::string hint = {}) {
    out.push_back({std::string(rule->name), rule->severity, std::move(text), std::move(hint), place});
  }
  /// The node at these keys; nullptr.
  const YamlNode* node(std::initializer_list<std::string_view> keys) const {
    const YamlNode* at = &yaml.root;
    for (const std::string_view key : keys)
      if (at = at->find(key); at == nullptr) return nullptr;
    return at;
  }
  Place place_of(std::initializer_list<std::string_view> keys) const {
    const YamlNode* found = node(keys);
    return yaml.place(found != nullptr ? found->span : yaml.root.span);
  }
};

/// Every node, a parent before what it holds.
void walk(const YamlNode& node, const std::function<void(const YamlNode&)>& see) {
  see(node);
  for (const YamlNode& item : node.items) walk(item, see);
  for (const YamlNode::Entry& entry : node.entries) walk(entry.value, see);
}

void repeated(Look& look, const YamlNode* list, std::string_view what) {
  std::set<std::string> seen;
  if (list == nullptr) return;
  for (const YamlNode& item : list->items)
    if (!seen.insert(item.text).second)
      look.say(look.yaml.place(item.span), fmt::format("'{}' is listed twice among {}", item.text, what));
}

void contains_epoch(Look& look) {
  if (look.node({"package", "epoch"}) == nullptr)
    look.say(look.place_of({"package"}), "the package has no epoch", "write `epoch: 0`");
}

void valid_copyright_header(Look& look) {
  const auto& entries = look.definition.copyright;
  if (entries.empty())
    look.say(look.place_of({"package"}), "the package names no licence", "add copyright: with license:");
  for (const Copyright& entry : entries)
    if (entry.license.empty())
      look.say(look.place_of({"package", "copyright"}), "an entry of copyright has no license");
}

void description_present(Look& look) {
  if (trim(look.definition.description).empty())
    look.say(look.place_of({"package"}), "the package has no description");
}

void no_repeated_deps(Look& look) {
  repeated(look, look.node({"environment", "contents", "packages"}), "the packages of the build");
  repeated(look, look.node({"package", "dependencies", "runtime"}), "the dependencies");
  const YamlNode* subpackages = look.node({"subpackages"});
  if (subpackages == nullptr) return;
  for (const YamlNode& sub : subpackages->items)
    if (const YamlNode* dependencies = sub.find("dependencies"))
      repeated(look, dependencies->find("runtime"), "the dependencies");
}

void forbidden_repository(Look& look) {
  const Environment& environment = look.definition.environment;
  if (!environment.repositories.empty())
    look.say(look.place_of({"environment", "contents", "repositories"}), "the definition names repositories of its own",
             "who builds chooses where packages come from");
  if (!environment.keyring.empty())
    look.say(look.place_of({"environment", "contents", "keyring"}), "the definition names keys of its own",
             "who builds chooses whom to trust");
}

void valid_fetch_uri(Look& look) {
  for (const Source& source : look.definition.sources) {
    if (source.kind != Source::Kind::kFetch) continue;
    const bool http = source.uri.starts_with("https://") || source.uri.starts_with("http://");
    if (!http || source.uri.find(' ') != std::string::npos)
      look.say(source.place, fmt::format("'{}' is no http address of a file", source.uri));
    else if (source.uri.starts_with("http://"))
      look.say(source.place, fmt::format("'{}' is asked without encryption", source.uri),
               "most servers have https, too");
  }
}

void valid_fetch_digest(Look& look) {
  for (const Source& source : look.definition.sources)
    if (source.kind == Source::Kind::kFetch && source.sha256.empty() && source.sha512.empty())
      look.say(source.place, fmt::format("'{}' has no digest", source.uri), "add expected-sha256");
}

void valid_checkout_commit(Look& look) {
  for (const Source& source : look.definition.sources)
    if (source.kind == Source::Kind::kGit && source.commit.empty())
      look.say(source.place, fmt::format("'{}' is taken at no expected commit", source.repository),
               "a tag or branch may move: add expected-commit");
}

void valid_checkout_tag(Look& look) {
  for (const Source& source : look.definition.sources) {
    if (source.kind != Source::Kind::kGit) continue;
    if (source.tag.empty() && source.branch.empty())
      look.say(source.place, fmt::format("'{}' is taken at no tag or branch", source.repository));
    if (!source.tag.empty() && !source.branch.empty())
      look.say(source.place, "both a tag and a branch are given");
  }
}

void update_present(Look& look) {
  if (!look.definition.update.present)
    look.say(look.place_of({"package"}), "nothing says how to learn of newer releases", "add update:");
}

void update_disabled_reason(Look& look) {
  const Update& update = look.definition.update;
  if (update.present && !update.enabled && update.exclude_reason.empty())
    look.say(look.place_of({"update"}), "updates are off, and nothing says why", "add exclude-reason");
}

void valid_update_schedule(Look& look) {
  const std::string& period = look.definition.update.schedule_period;
  if (!period.empty() && period != "daily" && period != "weekly" && period != "monthly")
    look.say(look.place_of({"update", "schedule"}), fmt::format("'{}' is no period", period),
             "daily, weekly or monthly");
}

void github_updates(Look& look) {
  const Update& update = look.definition.update;
  if (!update.present || !update.enabled || !update.github.empty() || !update.git.empty() || update.manual) return;
  if (!update.release_monitor.empty() || !update.version_data.empty() || !update.oci.empty()) return;
  for (const Source& source : look.definition.sources)
    if (source.kind == Source::Kind::kGit && source.repository.starts_with("https://github.com/"))
      look.say(look.place_of({"update"}), "the sources are on GitHub, and updates are not looked for there",
               "add github: with identifier:");
}

void test_present(Look& look) {
  const auto has_steps = [](const Test& test) { return !test.pipeline.empty(); };
  const auto& subpackages = look.definition.subpackages;
  if (has_steps(look.definition.test)) return;
  if (std::any_of(subpackages.begin(), subpackages.end(), [&](const Subpackage& sub) { return has_steps(sub.test); }))
    return;
  look.say(look.place_of({"package"}), "neither the package nor a subpackage has a test", "add test: with pipeline:");
}

void unused_variable(Look& look) {
  const YamlNode* vars = look.node({"vars"});
  if (vars == nullptr) return;
  for (const YamlNode::Entry& entry : vars->entries) {
    bool used = false;
    walk(look.yaml.root, [&](const YamlNode& node) {
      for (std::size_t at = node.text.find("vars." + entry.key); at != std::string::npos && !used;
           at = node.text.find("vars." + entry.key, at + 1)) {
        const std::size_t end = at + 5 + entry.key.size();
        used = end >= node.text.size() || node.text[end] == '}' || node.text[end] == ' ';
      }
    });
    if (!used) look.say(look.yaml.place(entry.key_span), fmt::format("nothing uses the variable '{}'", entry.key));
  }
}

void written_directory(Look& look) {
  for (const WrittenScript& script : written_scripts(look.yaml))
    if (script.node->text.find("/home/build/melange-out") != std::string::npos ||
        script.node->text.find("$PWD/melange-out") != std::string::npos)
      look.say(script.place, "a step writes out where packages are made",
               "${{targets.destdir}} and ${{targets.contextdir}} say it, wherever it is");
}

bool is_background(std::string_view line) {
  line = trim(line);
  return line.ends_with('&') && !line.ends_with("&&") && line.find('>') == std::string_view::npos && line[0] != '#';
}

void background_process(Look& look) {
  for (const WrittenScript& script : written_scripts(look.yaml))
    for (const std::string& line : split(script.node->text, '\n'))
      if (!trim(line).empty() && is_background(line))
        look.say(script.place, fmt::format("'{}' goes on in the background with the step's output open", trim(line)),
                 "send its output to a file: the step may never end otherwise");
}

/// `! command` as a whole statement: `set -e` passes over what stands behind `!`, and a step ends with `exit 0`.
/// In a function it may be the answer.
void check_never_fails(Look& look) {
  for (const WrittenScript& script : written_scripts(look.yaml)) {
    int depth = 0;
    bool goes_on = false;
    for (const std::string& whole : split(script.node->text, '\n')) {
      const std::string_view line = trim(whole);
      const bool begins = !goes_on;
      goes_on = line.ends_with('\\');
      if (line.ends_with('{')) ++depth;
      if (line.starts_with('}')) depth = std::max(depth - 1, 0);
      if (!begins || goes_on || depth > 0 || !line.starts_with("! ")) continue;
      if (line.find("||") != line.npos || line.find("&&") != line.npos) continue;
      look.say(script.place, fmt::format("'{}' never stops the step: `set -e` passes over `!`", line),
               "if COMMAND; then exit 1; fi");
    }
  }
}

void empty_step(Look& look) {
  walk(look.yaml.root, [&](const YamlNode& node) {
    const YamlNode* steps = node.find("pipeline");
    if (steps == nullptr) return;
    for (const YamlNode& step : steps->items) {
      const auto has = [&](std::string_view key) { return step.find(key) != nullptr; };
      if (!has("runs") && !has("uses") && !has("pipeline"))
        look.say(look.yaml.place(step.span), "a step that does nothing", "give it runs: or uses:, or take it out");
    }
  });
}

void known_architecture(Look& look) {
  const YamlNode* list = look.node({"package", "target-architecture"});
  if (list == nullptr) return;
  for (const YamlNode& item : list->items)
    if (item.text != "all" && !find_field_arch(item.text))
      look.say(look.yaml.place(item.span), fmt::format("nobody builds for an architecture '{}'", item.text),
               "x86_64, aarch64, …, or all");
}

struct Row {
  Rule rule;
  void (*check)(Look&);
};

const std::vector<Row>& rows() {
  constexpr Severity kError = Severity::kError, kWarning = Severity::kWarning;
  static const std::vector<Row> kRows = {
      {{"contains-epoch", kError, "package.epoch is written"}, contains_epoch},
      {{"valid-copyright-header", kError, "each package names its licence"}, valid_copyright_header},
      {{"description", kWarning, "each package has a description"}, description_present},
      {{"no-repeated-deps", kError, "no package is listed twice in a list of packages"}, no_repeated_deps},
      {{"forbidden-repository-used", kError, "repositories and keys are not the definition's"}, forbidden_repository},
      {{"valid-pipeline-fetch-uri", kWarning, "files come from https addresses"}, valid_fetch_uri},
      {{"valid-pipeline-fetch-digest", kError, "files have a digest"}, valid_fetch_digest},
      {{"valid-pipeline-git-checkout-commit", kError, "git sources have an expected commit"}, valid_checkout_commit},
      {{"valid-pipeline-git-checkout-tag", kWarning, "git sources have a tag or a branch"}, valid_checkout_tag},
      {{"update-present", kWarning, "something says how to learn of releases"}, update_present},
      {{"update-disabled-reason", kWarning, "updates that are off say why"}, update_disabled_reason},
      {{"valid-update-schedule", kError, "a schedule is daily, weekly or monthly"}, valid_update_schedule},
      {{"git-checkout-must-use-github-updates", kWarning, "sources on GitHub are looked for there"}, github_updates},
      {{"valid-package-or-subpackage-test", kWarning, "something is tested"}, test_present},
      {{"unused-variable", kWarning, "each of vars is used"}, unused_variable},
      {{"written-directory", kWarning, "steps name output directories by variables"}, written_directory},
      {{"background-process-without-redirect", kWarning, "background programs have output of their own"},
       background_process},
      {{"empty-step", kWarning, "each step does something"}, empty_step},
      {{"known-architecture", kWarning, "target-architecture names architectures"}, known_architecture},
      {{"check-never-fails", kWarning, "no check stands behind `!`, where its failure goes unseen"}, check_never_fails},
  };
  return kRows;
}

}  // namespace

const std::vector<Rule>& all_rules() {
  static const std::vector<Rule> kRules = [] {
    std::vector<Rule> out;
    for (const Row& row : rows()) out.push_back(row.rule);
    return out;
  }();
  return kRules;
}

std::vector<std::string> excepted_rules(std::string_view text) {
  std::vector<std::string> out;
  for (std::string_view line; !text.empty();) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t hash = line.find('#');
    if (hash == std::string_view::npos) continue;
    std::string_view remark = trim(line.substr(hash + 1));
    if (!remark.starts_with("nolint:")) continue;
    remark.remove_prefix(7);
    for (const std::string& name : split(replace_all(std::string(remark), ",", " "), ' '))
      if (!name.empty()) out.push_back(name);
  }
  return out;
}

std::vector<WrittenScript> written_scripts(const codec::YamlTree& tree) {
  std::vector<WrittenScript> out;
  walk(tree.root, [&](const YamlNode& node) {
    if (const YamlNode* runs = node.find("runs"); runs != nullptr && runs->kind == codec::YamlKind::kScalar)
      out.push_back({runs, tree.place(runs->span)});
  });
  return out;
}

std::vector<RuleFinding> check_rules(const Definition& definition) {
  std::vector<RuleFinding> out;
  Look look{definition, *definition.yaml, out, nullptr};
  const std::vector<std::string> excepted = excepted_rules(definition.yaml->source);
  for (const Row& row : rows()) {
    if (std::find(excepted.begin(), excepted.end(), row.rule.name) != excepted.end()) continue;
    look.rule = &row.rule;
    row.check(look);
  }
  std::stable_sort(out.begin(), out.end(), [](const RuleFinding& a, const RuleFinding& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  });
  return out;
}

}  // namespace nacre::definition
