#include "watch/taken.h"

#include "base/text.h"
#include "definition/edit.h"
#include "definition/load.h"
#include "watch/delta_steps.h"
#include "watch/patch_text.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace nacre::watch {
namespace {

using definition::Step;
using os::Path;

/// A patch as a step applies it.
struct Applied {
  PatchName name;
  std::string folder;
  std::size_t strip = 1, fuzz = 0;
  bool after_script = false;  ///< A script of the definition's own runs before.
  Patch patch;
};

std::size_t number_of(const std::string& text, std::size_t fallback) {
  std::size_t out = fallback;
  (void)std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

/// All patches of side files, in order.
Result<> list_patches(const std::vector<Step>& steps, const std::string& handed_down, const Path& side_dir,
                      bool& scripts, std::vector<Applied>& out) {
  for (const Step& step : steps) {
    if (!step.enabled) continue;
    const std::string folder = folder_of(step, handed_down);
    if (step.uses == "patch" || step.uses == "git-am") {
      const std::vector<PatchName> names = TRY(patches_of(step, folder, side_dir));
      for (const PatchName& name : names) {
        Applied row{name, folder,  name.strip.value_or(number_of(input_of(step, "strip-components"), 1)),
                    0,    scripts, {}};
        if (step.uses == "patch") row.fuzz = number_of(input_of(step, "fuzz"), 2);
        out.push_back(std::move(row));
      }
    } else if (step.uses.empty()) {
      scripts = scripts || !step.runs.empty();
      TRY(list_patches(step.pipeline, folder, side_dir, scripts, out));
    }
  }
  return {};
}

std::string one_line(const Error& error) { return replace_all(error.render(), "\n", ";"); }

/// The work on one proposal.
class Dropper {
 public:
  Dropper(const definition::Definition& definition, const std::vector<std::optional<StoredSource>>& moved,
          Proposal& proposal, Env& env)
      : definition_(definition),
        side_dir_(side_dir_of(definition)),
        moved_(moved),
        proposal_(proposal),
        env_(env),
        parts_(source_parts(definition)) {}

  Result<> run() {
    bool scripts = false;
    std::vector<Applied> patches;
    TRY(list_patches(definition_.pipeline, {}, side_dir_, scripts, patches));
    for (const definition::Subpackage& sub : definition_.subpackages)
      TRY(list_patches(sub.pipeline, {}, side_dir_, scripts, patches));
    read_patches(patches);
    if (!patches.empty() && read_sources(patches)) TRY(try_patches(patches));
    for (std::size_t i = 0; i < std::min(parts_.size(), moved_.size()); ++i)
      if (moved_[i]) TRY(try_picks(parts_[i].source, *moved_[i]));
    return {};
  }

 private:
  /// Leaves those that can be tried.
  void read_patches(std::vector<Applied>& patches) {
    std::vector<Applied> out;
    for (Applied& row : patches) {
      const auto path = TreePath::parse(row.name.path);
      if (!path || path->is_root() || !os::exists(side_dir_ / row.name.path)) continue;
      const auto text = os::read_beneath(side_dir_, *path);
      auto patch = text ? parse_patch(*text, row.name.path) : Result<Patch>(Error::make(ErrorKind::kNotFound, "gone"));
      if (!patch) {
        note(row.name.written, one_line(patch.error()));
        continue;
      }
      row.patch = *std::move(patch);
      out.push_back(std::move(row));
    }
    patches = std::move(out);
  }

  void note(const std::string& patch, const std::string& why) {
    proposal_.notes.push_back(fmt::format("'{}' was not tried: {}", patch, why));
  }

  /// The files that patches name, as the new release has them. False: they cannot be had.
  bool read_sources(const std::vector<Applied>& patches) {
    std::set<std::string, std::less<>> wanted;
    for (const Applied& row : patches)
      for (const FilePatch& file : row.patch.files)
        for (const std::string* name : {&file.old_path, &file.new_path})
          if (const auto path = stripped_path(*name, row.strip)) wanted.insert(workspace_path(row.folder, *path));
    const WantFile want = [&](std::string_view path) { return wanted.find(path) != wanted.end(); };
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      std::optional<StoredSource> stored = i < moved_.size() ? moved_[i] : std::nullopt;
      if (!stored)
        if (auto kept = stored_source(parts_[i].source, env_)) stored = *kept;
      if (!stored) continue;
      const auto read = read_source_files(parts_[i], *stored, want, env_, files_);
      if (read) continue;
      proposal_.notes.push_back("patches were not tried: " + one_line(read.error()));
      return false;
    }
    return true;
  }

  FileReader reader(const Applied& row) const {
    return [this, &row](const std::string& path) -> Result<std::optional<std::string>> {
      const auto found = files_.find(workspace_path(row.folder, path));
      return found == files_.end() ? std::optional<std::string>() : std::optional(found->second);
    };
  }

  Result<> try_patches(const std::vector<Applied>& patches) {
    std::vector<const Applied*> taken;
    std::set<std::string> kept;
    for (const Applied& row : patches) {
      const auto back = try_patch(row.patch, row.strip, Direction::kReverse, reader(row));
      const auto forth = try_patch(row.patch, row.strip, Direction::kForward, reader(row));
      if (back && !forth) {
        taken.push_back(&row);
        continue;
      }
      kept.insert(row.name.written);
      const auto applied = forth ? Result<std::vector<ChangedFile>>(*forth)
                                 : try_patch(row.patch, row.strip, Direction::kForward, reader(row),
                                             {.fuzz = row.fuzz, .anywhere = true});
      if (applied) {
        for (const ChangedFile& file : *applied) {
          const std::string path = workspace_path(row.folder, file.path);
          if (file.content) files_[path] = *file.content;
          else files_.erase(path);
        }
      } else if (applied.error().kind() == ErrorKind::kInvalid) {
        note(row.name.written, one_line(applied.error()));
      } else if (row.after_script) {
        proposal_.notes.push_back(fmt::format("'{}' does not fit {} as it is ({}); a script runs before it",
                                              row.name.written, proposal_.to, one_line(applied.error())));
      } else {
        proposal_.add_problem(
            fmt::format("'{}' no longer applies: {}", row.name.written, one_line(applied.error())),
            ErrorKind::kConflict);
      }
    }
    for (const Applied* row : taken) {
      if (kept.contains(row->name.written) || !seen_.insert(row->name.written).second) continue;
      TRY(drop(*row));
    }
    return {};
  }

  Result<> drop(const Applied& row) {
    const std::string& name = row.name.written;
    const std::string why =
        fmt::format("{} has it: all {} hunks fit in reverse, byte for byte", proposal_.to, row.patch.hunks());
    if (!row.name.series.empty()) {
      TRY(drop_from_series(row));
    } else {
      const codec::YamlTree tree = TRY(codec::parse_yaml(proposal_.new_text, definition_.file));
      auto text = definition::remove_patch(tree, name);
      if (!text) {
        proposal_.add_problem(fmt::format("'{}' is in {}, and cannot be taken out by itself: {}", name, proposal_.to,
                                          one_line(text.error())),
                              ErrorKind::kConflict);
        return {};
      }
      proposal_.new_text = *std::move(text);
    }
    proposal_.dropped.push_back({Dropped::Kind::kPatch, name, why});
    if (proposal_.new_text.find(definition::base_name(row.name.path)) == std::string::npos)
      proposal_.side_files.push_back({side_dir_ / row.name.path, std::nullopt});
    return {};
  }

  /// The series without the patch's line.
  Result<> drop_from_series(const Applied& row) {
    const Path file = side_dir_ / row.name.series;
    auto change = std::find_if(proposal_.side_files.begin(), proposal_.side_files.end(),
                               [&](const SideChange& one) { return one.path == file; });
    if (change == proposal_.side_files.end()) {
      const std::string text = TRY(os::read_file(file));
      change = proposal_.side_files.insert(change, {file, text});
    }
    std::string out;
    for (std::string_view rest = *change->text; !rest.empty();) {
      const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
      const std::vector<std::string> words = split_words(line);
      if (words.empty() || words.front() != row.name.written) out += line;
      rest.remove_prefix(line.size());
    }
    change->text = out;
    return {};
  }

  Result<> try_picks(const definition::Source& source, const StoredSource& stored) {
    const std::vector<PickLine> picks = picks_of(source.cherry_picks);
    if (picks.empty()) return {};
    const History history = TRY(History::open(stored.blob, env_));
    for (const PickLine& pick : picks) {
      const bool there = TRY(history.has(pick.commit, stored.commit));
      if (!there) continue;
      const codec::YamlTree tree = TRY(codec::parse_yaml(proposal_.new_text, definition_.file));
      auto text = definition::remove_pick(tree, pick.commit);
      if (!text) {
        proposal_.add_problem(fmt::format("the pick of {} is in {}, and cannot be taken out by itself: {}", pick.commit,
                                          proposal_.to, one_line(text.error())),
                              ErrorKind::kConflict);
        continue;
      }
      proposal_.new_text = *std::move(text);
      proposal_.dropped.push_back(
          {Dropped::Kind::kPick, pick.commit, fmt::format("it is in the history of {}", proposal_.to)});
    }
    return {};
  }

  const definition::Definition& definition_;
  Path side_dir_;
  const std::vector<std::optional<StoredSource>>& moved_;
  Proposal& proposal_;
  Env& env_;
  std::vector<SourcePart> parts_;
  SourceFiles files_;
  std::set<std::string> seen_;
};

}  // namespace

Result<> drop_what_upstream_took(const definition::Definition& definition,
                                 const std::vector<std::optional<StoredSource>>& moved, Proposal& proposal, Env& env) {
  if (std::none_of(moved.begin(), moved.end(), [](const auto& one) { return one.has_value(); })) return {};
  Dropper dropper(definition, moved, proposal, env);
  return dropper.run();
}

}  // namespace nacre::watch
