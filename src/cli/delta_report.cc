#include "cli/delta_report.h"

#include "base/text.h"

namespace nacre::cli {
namespace {

using codec::Json;
using watch::Delta;
using watch::DeltaTotals;

std::int64_t days(std::int64_t since, std::int64_t now) { return since == 0 ? 0 : (now - since) / 86400; }

std::string place(const Place& where) { return fmt::format("{}:{}", where.file, where.line); }

Json to_json(const watch::AppliedPatch& patch, std::int64_t now) {
  Json out;
  out.set("name", patch.name).set("file", patch.file).set("via", watch::name_of(patch.via));
  out.set("place", place(patch.place))
      .set("hunks", std::uint64_t{patch.count.hunks})
      .set("added", std::uint64_t{patch.count.added});
  out.set("removed", std::uint64_t{patch.count.removed}).set("upstream", patch.header.status());
  if (patch.carried_since != 0)
    out.set("carriedSince", patch.carried_since).set("days", days(patch.carried_since, now));
  if (!patch.header.vulnerabilities.empty()) out.set("vulnerabilities", Json::strings(patch.header.vulnerabilities));
  return out;
}

Json to_json(const watch::TreeDelta& tree) {
  Json files = Json::array();
  for (const watch::TreeDelta::File& file : tree.files) {
    Json row;
    row.set("path", file.path).set("change", std::string(1, file.change)).set("added", file.added);
    row.set("removed", file.removed);
    if (file.binary) row.set("binary", true);
    files.push(std::move(row));
  }
  Json out;
  out.set("sourceFiles", tree.source_files).set("until", tree.until).set("added", tree.added());
  out.set("removed", tree.removed()).set("files", std::move(files));
  return out;
}

Json edits_json(const Delta& delta) {
  Json out = Json::array();
  for (const watch::Edit& edit : delta.edits) {
    Json row;
    row.set("kind", watch::name_of(edit.kind)).set("files", edit.files).set("ofOutput", edit.of_output);
    out.push(row.set("place", place(edit.place)));
  }
  return out;
}

Json bumps_json(const Delta& delta) {
  Json out = Json::array();
  for (const watch::Bump& bump : delta.bumps) {
    Json entries = Json::array(), row;
    for (const auto& [input, entry] : bump.entries) {
      Json one;
      one.set("input", input).set("entry", entry);
      entries.push(std::move(one));
    }
    row.set("pipeline", bump.pipeline).set("place", place(bump.place)).set("entries", std::move(entries));
    out.push(std::move(row));
  }
  return out;
}

Json switches_json(const Delta& delta) {
  Json out = Json::array();
  for (const watch::Switch& one : delta.switches) {
    Json row;
    row.set("switch", one.text).set("verdict", watch::name_of(one.verdict)).set("place", place(one.place));
    if (!one.fallback.empty()) row.set("default", one.fallback);
    out.push(std::move(row));
  }
  return out;
}

struct TotalField {
  const char* name;
  std::size_t DeltaTotals::*value;
};

constexpr TotalField kTotals[] = {{"definitions", &DeltaTotals::definitions},
                                  {"withAny", &DeltaTotals::with_any},
                                  {"patched", &DeltaTotals::patched},
                                  {"patches", &DeltaTotals::patches},
                                  {"hunks", &DeltaTotals::hunks},
                                  {"added", &DeltaTotals::added},
                                  {"removed", &DeltaTotals::removed},
                                  {"deadPatches", &DeltaTotals::dead_patches},
                                  {"picked", &DeltaTotals::picked},
                                  {"picks", &DeltaTotals::picks},
                                  {"edited", &DeltaTotals::edited},
                                  {"edits", &DeltaTotals::edits},
                                  {"sourceEdits", &DeltaTotals::source_edits},
                                  {"bumped", &DeltaTotals::bumped},
                                  {"bumps", &DeltaTotals::bumps},
                                  {"bumpEntries", &DeltaTotals::bump_entries},
                                  {"switches", &DeltaTotals::switches},
                                  {"switchesThatDiffer", &DeltaTotals::switches_that_differ},
                                  {"repacked", &DeltaTotals::repacked},
                                  {"trees", &DeltaTotals::trees},
                                  {"treeFiles", &DeltaTotals::tree_files},
                                  {"treeLines", &DeltaTotals::tree_lines}};

std::string tree_words(const Delta& delta) {
  if (!delta.tree) return "?";
  return fmt::format("{}/{}", delta.tree->files.size(), delta.tree->added() + delta.tree->removed());
}

std::string switch_words(const Delta& delta) {
  const std::size_t differ = delta.switches_that(watch::Switch::Verdict::kDiffers);
  const std::size_t stated = delta.switches_that(watch::Switch::Verdict::kStated);
  return stated == 0 ? std::to_string(differ) : fmt::format("{}+{}?", differ, stated);
}

}  // namespace

Json to_json(const DeltaRow& row, std::int64_t now) {
  const Delta& delta = row.delta;
  Json out, patches = Json::array(), picks = Json::array();
  out.set("package", delta.package).set("version", delta.version).set("newest", delta.newest);
  out.set("releasesBehind", delta.releases_behind).set("daysBehind", days(delta.first_newer, now));
  out.set("source", delta.source_kind).set("repackedSources", std::uint64_t{delta.repacked_sources});
  for (const watch::AppliedPatch& patch : delta.patches) patches.push(to_json(patch, now));
  for (const watch::Pick& pick : delta.picks) {
    Json one;
    one.set("commit", pick.commit).set("branch", pick.branch).set("why", pick.why).set("place", place(pick.place));
    picks.push(std::move(one));
  }
  out.set("patches", std::move(patches)).set("deadPatches", Json::strings(delta.dead_patches));
  out.set("picks", std::move(picks)).set("edits", edits_json(delta)).set("bumps", bumps_json(delta));
  out.set("switches", switches_json(delta));
  if (delta.tree) out.set("tree", to_json(*delta.tree));
  if (!row.over.empty()) out.set("over", Json::strings(row.over));
  return out;
}

Json to_json(const DeltaTotals& totals) {
  Json out;
  for (const TotalField& field : kTotals) out.set(field.name, std::uint64_t{totals.*(field.value)});
  return out;
}

DeltaTotals totals_from_json(const Json& json) {
  DeltaTotals out;
  for (const TotalField& field : kTotals) out.*(field.value) = static_cast<std::size_t>(json[field.name].as_int());
  return out;
}

std::string render_table(const std::vector<DeltaRow>& rows, std::int64_t now) {
  constexpr const char* kLine =
      "{:<24} {:<12} {:<12} {:>6} {:>5}  {:<8} {:>7} {:>6} {:>5} {:>5} {:>5} {:>8} {:>4} {:>9}\n";
  std::string out = fmt::format(kLine, "package", "version", "newest", "behind", "days", "source", "patches", "lines",
                                "picks", "edits", "bumps", "switches", "dead", "tree");
  std::vector<Delta> all;
  for (const DeltaRow& row : rows) {
    const Delta& delta = row.delta;
    all.push_back(delta);
    const watch::PatchCount count = delta.patch_count();
    out += fmt::format(kLine, delta.package, delta.version, delta.newest.empty() ? "?" : delta.newest,
                       delta.releases_behind,
                       delta.first_newer == 0 ? "?" : std::to_string(days(delta.first_newer, now)), delta.source_kind,
                       delta.patches.size(), count.added + count.removed, delta.picks.size(), delta.source_edits(),
                       delta.bump_entries(), switch_words(delta), delta.dead_patches.size(), tree_words(delta));
    for (const std::string& over : row.over) out += fmt::format("    over its budget: {}\n", over);
  }
  const DeltaTotals sum = watch::sum(all);
  out += fmt::format(
      "{} definitions, {} that change their source: {} patches of {} lines in {} hunks, {} cherry-picks, {} "
      "edits in place, {} dependencies bumped, {} switches that differ, {} dead patches, {} repacked sources",
      sum.definitions, sum.with_any, sum.patches, sum.added + sum.removed, sum.hunks, sum.picks, sum.source_edits,
      sum.bump_entries, sum.switches_that_differ, sum.dead_patches, sum.repacked);
  if (sum.trees > 0)
    out += fmt::format("; {} files and {} lines changed by preparation ({} of {} trees compared)", sum.tree_files,
                       sum.tree_lines, sum.trees, sum.definitions);
  return out + "\n";
}

std::string render_details(const DeltaRow& row, std::int64_t now) {
  const Delta& delta = row.delta;
  std::string out = fmt::format("\n{} {}\n", delta.package, delta.version);
  for (const watch::AppliedPatch& patch : delta.patches) {
    out += fmt::format("  patch     {}  +{} -{} in {} hunks, {}", patch.name, patch.count.added, patch.count.removed,
                       patch.count.hunks, patch.file.empty() ? "the source brings it" : patch.header.status());
    if (patch.carried_since != 0) out += fmt::format(", {} days", days(patch.carried_since, now));
    if (!patch.header.vulnerabilities.empty()) out += ", " + join(patch.header.vulnerabilities, " ");
    out += "\n";
  }
  for (const std::string& file : delta.dead_patches) out += fmt::format("  dead      {}\n", file);
  for (const watch::Pick& pick : delta.picks) out += fmt::format("  pick      {}  {}\n", pick.commit, pick.why);
  for (const watch::Edit& edit : delta.edits)
    out += fmt::format("  edit      {} {}  {}{}\n", watch::name_of(edit.kind), edit.files, place(edit.place),
                       edit.of_output ? ", not of the source" : "");
  for (const watch::Bump& bump : delta.bumps)
    out += fmt::format("  bump      {}: {} entries  {}\n", bump.pipeline, bump.entries.size(), place(bump.place));
  for (const watch::Switch& one : delta.switches)
    out += fmt::format("  switch    {}  {}{}\n", one.text, watch::name_of(one.verdict),
                       one.fallback.empty() ? "" : ", upstream's default: " + one.fallback);
  if (delta.repacked_sources > 0) out += fmt::format("  repacked  {} sources\n", delta.repacked_sources);
  if (!delta.tree) return out;
  out += fmt::format("  tree      {} of {} files before {}\n", delta.tree->files.size(), delta.tree->source_files,
                     delta.tree->until.empty() ? "the end" : delta.tree->until);
  for (const watch::TreeDelta::File& file : delta.tree->files)
    out += fmt::format("            {} {}{}\n", file.change, file.path,
                       file.binary ? "  binary" : fmt::format("  +{} -{}", file.added, file.removed));
  return out;
}

}  // namespace nacre::cli
