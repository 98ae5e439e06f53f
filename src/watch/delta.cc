#include "watch/delta.h"

#include "apk/version.h"
#include "base/text.h"
#include "definition/script.h"
#include "os/process.h"
#include "watch/delta_steps.h"

#include <algorithm>
#include <set>

namespace nacre::watch {
namespace {

using definition::ScriptCommand;
using definition::Step;

/// Everything that a definition's measure is made from.
class Measure {
 public:
  Measure(const definition::Definition& definition, const os::Path& side_dir, const Ages& ages, Delta& out)
      : definition_(definition), side_dir_(side_dir), ages_(ages), out_(out) {}

  Result<> run() {
    TRY(read_side_files());
    TRY(steps(definition_.pipeline, {}, Part::kMain));
    for (const definition::Subpackage& sub : definition_.subpackages) TRY(steps(sub.pipeline, {}, Part::kSubpackage));
    find_dead();
    return {};
  }

 private:
  enum class Part { kMain, kSubpackage };

  Result<> read_side_files() {
    if (!os::exists(side_dir_)) return {};
    const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(side_dir_), "reading the side files");
    for (const os::TreeEntry& entry : entries)
      if (entry.type == os::FileType::kRegular) side_files_.insert(entry.path.str());
    return {};
  }

  Result<> steps(const std::vector<Step>& list, const std::string& folder, Part part) {
    for (const Step& step : list) {
      const std::string here = folder_of(step, folder);
      // A step of a subpackage with a range was written once.
      const bool mine = step.place.file == definition_.file;
      if (!mine || !seen_.insert({step.place.line, step.place.column}).second) continue;
      for (const auto& [key, value] : step.with) mentioned_ += value + "\n";
      mentioned_ += step.runs + "\n";
      if (step.uses.empty()) {
        TRY(script(step, here, part));
      } else {
        TRY(use(step, here));
      }
      TRY(steps(step.pipeline, here, part));
    }
    return {};
  }

  Result<> use(const Step& step, const std::string& folder) {
    const std::string last(step.uses.substr(step.uses.rfind('/') + 1));
    if (step.uses == "patch" || step.uses == "git-am") {
      const std::vector<PatchName> names = TRY(patches_of(step, folder, side_dir_));
      for (const PatchName& name : names)
        TRY(patch(name, name.series.empty() ? AppliedPatch::Via::kStep : AppliedPatch::Via::kSeries, step.place));
    } else if (step.uses == "git-checkout") {
      for (const PickLine& pick : picks_of(input_of(step, "cherry-picks")))
        out_.picks.push_back({pick.commit, pick.branch, pick.why, step.place});
    } else if (step.uses == "sed") {
      out_.edits.push_back({Edit::Kind::kSed, input_of(step, "files"), false, step.place});
    } else if (last.find("bump") != std::string::npos) {
      out_.bumps.push_back({step.uses, bump_entries(step), step.place});
    } else if (const auto tool = tool_of(step.uses)) {
      add_switches(*tool, definition::shell_words(input_of(step, "opts")), step.place, out_.switches);
    }
    return {};
  }

  /// "MODULE@VERSION" of every input that lists such, with the names that other tools have.
  static definition::Pairs bump_entries(const Step& step) {
    definition::Pairs out;
    for (const char* key : {"deps", "packages", "dependencies", "properties", "replaces"})
      for (const std::string& word : split_words(input_of(step, key))) out.emplace_back(key, word);
    if (const std::string one = input_of(step, "package"); out.empty() && !one.empty())
      out.emplace_back("package", one + "@" + input_of(step, "version"));
    return out;
  }

  Result<> patch(const PatchName& name, AppliedPatch::Via via, const Place& place) {
    AppliedPatch row;
    row.via = via;
    row.name = name.written;
    row.place = place;
    if (side_files_.contains(name.path)) {
      row.file = name.path;
      applied_.insert(name.path);
      const TreePath path = TRY(TreePath::parse(name.path));
      const std::string text = TRY(os::read_beneath(side_dir_, path));
      if (auto read = parse_patch(text, name.path)) {
        row.count = {read->hunks(), read->added(), read->removed()};
        row.header = std::move(read->header);
      } else {
        row.count = count_patch(text);
      }
      const auto age = ages_.find(side_dir_.filename().string() + "/" + name.path);
      if (age != ages_.end()) row.carried_since = age->second;
    }
    out_.patches.push_back(std::move(row));
    return {};
  }

  Result<> script(const Step& step, const std::string& folder, Part part) {
    for (const ScriptCommand& command : definition::script_commands(step.runs)) {
      if (auto edit = edit_of(command)) {
        edit->place = step.place;
        edit->of_output = part == Part::kSubpackage || is_output(folder) || is_output(edit->files);
        if (edit->kind == Edit::Kind::kPatch) TRY(script_patch(command, folder, step.place));
        out_.edits.push_back(*std::move(edit));
      }
      if (command.words.empty()) continue;
      const std::string_view name = definition::base_name(command.words.front());
      const bool setup = name == "meson" && command.words.size() > 1 && !command.words[1].starts_with('-') &&
                         command.words[1] != "setup";
      if (const auto tool = tool_of_command(name); tool && !setup)
        add_switches(*tool, {command.words.begin() + 1, command.words.end()}, step.place, out_.switches);
    }
    return {};
  }

  /// Files of ours that a `patch` or `git apply` in a script reads.
  Result<> script_patch(const ScriptCommand& command, const std::string& folder, const Place& place) {
    std::vector<std::string> words = command.reads;
    words.insert(words.end(), command.words.begin() + 1, command.words.end());
    for (std::string word : words) {
      if (word.starts_with("--input=")) word = word.substr(8);
      if (word.starts_with("-i") && word.size() > 2) word = word.substr(2);
      const PatchName name{word, workspace_path(folder, word), "", {}};
      const PatchName loose{word, without_dots(word), "", {}};
      for (const PatchName* one : {&name, &loose}) {
        if (!side_files_.contains(one->path)) continue;
        TRY(patch(*one, AppliedPatch::Via::kScript, place));
        break;
      }
    }
    return {};
  }

  void find_dead() {
    std::string texts = mentioned_;
    for (const std::string& file : side_files_) {
      if (is_patch_name(file)) continue;
      const auto path = TreePath::parse(file);
      if (!path) continue;
      // Lists (series) and scripts may name patches.
      if (const auto text = os::read_beneath(side_dir_, *path, 1u << 20)) texts += *text;
    }
    for (const std::string& file : side_files_) {
      if (!is_patch_name(file) || applied_.contains(file)) continue;
      if (texts.find(definition::base_name(file)) == std::string::npos) out_.dead_patches.push_back(file);
    }
  }

  const definition::Definition& definition_;
  const os::Path& side_dir_;
  const Ages& ages_;
  Delta& out_;
  std::set<std::string> side_files_, applied_;
  std::set<std::pair<int, int>> seen_;
  std::string mentioned_;
};

std::size_t count_if_kind(const std::vector<TreeDelta::File>& files, char change) {
  return static_cast<std::size_t>(
      std::count_if(files.begin(), files.end(), [&](const TreeDelta::File& file) { return file.change == change; }));
}

}  // namespace

std::string_view name_of(Edit::Kind kind) {
  switch (kind) {
    case Edit::Kind::kSed: return "sed";
    case Edit::Kind::kPerl: return "perl";
    case Edit::Kind::kAwk: return "awk";
    case Edit::Kind::kHereDocument: return "here-document";
    case Edit::Kind::kPatch: return "patch";
  }
  return "";
}

std::string_view name_of(AppliedPatch::Via via) {
  switch (via) {
    case AppliedPatch::Via::kStep: return "step";
    case AppliedPatch::Via::kSeries: return "series";
    case AppliedPatch::Via::kScript: return "script";
  }
  return "";
}

std::size_t TreeDelta::count(char change) const { return count_if_kind(files, change); }

std::uint64_t TreeDelta::added() const {
  std::uint64_t out = 0;
  for (const File& file : files) out += file.added;
  return out;
}

std::uint64_t TreeDelta::removed() const {
  std::uint64_t out = 0;
  for (const File& file : files) out += file.removed;
  return out;
}

PatchCount Delta::patch_count() const {
  PatchCount out;
  for (const AppliedPatch& patch : patches) {
    out.hunks += patch.count.hunks;
    out.added += patch.count.added;
    out.removed += patch.count.removed;
  }
  return out;
}

std::size_t Delta::bump_entries() const {
  std::size_t out = 0;
  for (const Bump& bump : bumps) out += bump.entries.size();
  return out;
}

std::size_t Delta::source_edits() const {
  return static_cast<std::size_t>(
      std::count_if(edits.begin(), edits.end(), [](const Edit& edit) { return !edit.of_output; }));
}

std::size_t Delta::switches_that(Switch::Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(switches.begin(), switches.end(), [&](const Switch& one) { return one.verdict == verdict; }));
}

bool Delta::has_any() const {
  return !patches.empty() || !picks.empty() || source_edits() > 0 || !bumps.empty() || repacked_sources > 0;
}

Ages ages_in_git(const os::Path& folder, Env& env) {
  Ages out;
  os::Command command;
  // Oldest last, so that the first commit of a file is what stays. Moves keep their age.
  command.argv = {"git",
                  "-C",
                  folder.string(),
                  "-c",
                  "core.quotePath=false",
                  "log",
                  "--no-merges",
                  "-M",
                  "--relative",
                  "--format=%x01%ct",
                  "--name-status",
                  "--diff-filter=AR",
                  "--",
                  "*.patch",
                  "*.diff"};
  command.inherit_env = true;
  command.timeout_seconds = 120;
  const auto exit = env.processes.run(command, env.stop);
  if (!exit || !exit->ok()) return out;
  std::int64_t date = 0;
  std::map<std::string, std::string> later;  ///< Older name -> the name that it has today.
  for (const std::string& line : split(exit->out, '\n')) {
    if (line.starts_with('\x01')) date = std::strtoll(line.c_str() + 1, nullptr, 10);
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() < 2) continue;
    const auto today = [&](const std::string& name) {
      const auto found = later.find(name);
      return found == later.end() ? name : found->second;
    };
    const std::string name = today(fields.back());
    if (fields.size() == 3) later[fields[1]] = name;
    out[name] = date;
  }
  return out;
}

Result<Delta> measure_definition(const definition::Definition& definition, const os::Path& side_dir,
                                 const std::vector<build::LockedSource>& lock, const Ages& ages) {
  Delta out;
  out.package = definition.name;
  out.version = definition.version;
  out.source_kind = definition.sources.empty() ? "own" : "upstream";
  for (const definition::Source& source : definition.sources)
    for (const build::LockedSource& entry : lock)
      out.repacked_sources += !source.sha256.empty() && entry.sha256.hex() == source.sha256 && entry.repacked;
  // The definition's own word, where no lock is at hand.
  for (const auto& [key, value] : definition.annotations)
    if (out.repacked_sources == 0 && key == "dev.nacre.source" && value == "repacked") out.repacked_sources = 1;
  if (out.repacked_sources > 0) out.source_kind = "repacked";
  Measure measure(definition, side_dir, ages, out);
  TRY(measure.run(), "measuring '{}'", definition.name);
  return out;
}

void add_observation(Delta& delta, const Observation& seen) {
  if (seen.releases.empty()) return;
  delta.newest = seen.releases.front().version;
  for (const Release& release : seen.releases) {
    if (apk::compare_versions(release.version, delta.version) <= 0) break;
    ++delta.releases_behind;
    if (release.published > 0) delta.first_newer = release.published;
  }
}

DeltaTotals sum(const std::vector<Delta>& deltas) {
  DeltaTotals out;
  for (const Delta& delta : deltas) {
    ++out.definitions;
    out.with_any += delta.has_any();
    out.patched += !delta.patches.empty();
    out.patches += delta.patches.size();
    const PatchCount count = delta.patch_count();
    out.hunks += count.hunks;
    out.added += count.added;
    out.removed += count.removed;
    out.dead_patches += delta.dead_patches.size();
    out.picked += !delta.picks.empty();
    out.picks += delta.picks.size();
    out.edited += !delta.edits.empty();
    out.edits += delta.edits.size();
    out.source_edits += delta.source_edits();
    out.bumped += !delta.bumps.empty();
    out.bumps += delta.bumps.size();
    out.bump_entries += delta.bump_entries();
    out.switches += delta.switches.size();
    out.switches_that_differ += delta.switches_that(Switch::Verdict::kDiffers);
    out.repacked += delta.repacked_sources;
    if (!delta.tree) continue;
    ++out.trees;
    out.tree_files += delta.tree->files.size();
    out.tree_lines += delta.tree->added() + delta.tree->removed();
  }
  return out;
}

}  // namespace nacre::watch
