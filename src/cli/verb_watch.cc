#include "base/text.h"

#include "base/events.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/proposals.h"
#include "cli/verbs.h"
#include "os/clock.h"
#include "watch/watch.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

struct Watched {
  const definition::Definition* definition = nullptr;
  std::optional<watch::Observation> seen;
  std::optional<watch::Proposal> proposal;
  std::string note;   ///< Why there is no proposal, or what went wrong.
};

Result<std::vector<const definition::Definition*>> chosen(const Workshop& shop, const std::vector<std::string>& names) {
  std::vector<const definition::Definition*> out;
  std::vector<std::string> known;
  for (const definition::Definition& definition : shop.os.definitions) {
    known.push_back(definition.name);
    if (names.empty()) out.push_back(&definition);
  }
  for (const std::string& name : names) {
    const definition::Definition* definition = shop.os.find(name);
    if (definition == nullptr)
      return Error::make(ErrorKind::kNotFound, "no definition '{}' in '{}'", name, shop.os.folder.string())
          .hint(nearest_hint(name, known));
    out.push_back(definition);
  }
  return out;
}

/// Asks the feeds for each; one that fails does not stop the others.
Result<std::vector<Watched>> look(Workshop& shop, const std::vector<std::string>& names, bool propose) {
  const std::vector<const definition::Definition*> definitions = TRY(chosen(shop, names));
  const watch::Feeds feeds = watch::feeds_of_machine(shop.env());
  std::vector<Watched> out;
  Task task(shop.env().events, "watch");
  for (const definition::Definition* definition : definitions) {
    task.progress(out.size(), definitions.size());
    Watched row;
    row.definition = definition;
    auto seen = watch::observe(*definition, feeds, shop.os.sources, shop.env());
    if (shop.env().stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (!seen) {
      row.note = seen.error().render();
    } else {
      row.seen = *std::move(seen);
      if (propose) {
        auto proposal = watch::propose(*definition, *row.seen, shop.os.sources, feeds, shop.places, shop.env(),
                                       &row.note);
        if (proposal)
          row.proposal = *std::move(proposal);
        else
          row.note = proposal.error().render();
      }
    }
    out.push_back(std::move(row));
  }
  task.finish(fmt::format("{} definitions", out.size()));
  return out;
}

Json to_json(const Watched& row) {
  Json out;
  out.set("package", row.definition->name).set("version", row.definition->version);
  if (row.seen && !row.seen->releases.empty()) out.set("newest", row.seen->releases.front().version);
  if (row.seen)
    out.set("feed", watch::name_of(row.seen->feed)).set("unreachable", Json::strings(row.seen->unreachable));
  if (row.proposal) {
    Json proposal;
    proposal.set("to", row.proposal->to).set("file", row.proposal->file).set("problem", row.proposal->problem);
    out.set("proposal", std::move(proposal));
  }
  if (!row.note.empty()) out.set("note", row.note);
  return out;
}

std::string one_line(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : split(text, '\n')) lines.emplace_back(trim(line));
  return join(lines, "; ");
}

std::string render(const Watched& row) {
  const std::string& name = row.definition->name;
  if (row.proposal)
    return fmt::format("{:<24} {} -> {}  ({}){}\n", name, row.proposal->from, row.proposal->to,
                       watch::name_of(row.proposal->feed),
                       row.proposal->problem.empty() ? "" : "  " + one_line(row.proposal->problem));
  return fmt::format("{:<24} {}  {}\n", name, row.definition->version, one_line(row.note));
}

Result<int> run_watch(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop{session, TRY(load_distribution(session.os_dir, arch)), Shelf(session.env), {},
                build::places_of_machine(session.env)};
  const std::vector<Watched> rows = TRY(look(shop, arguments.list("DEFINITION"), true));
  Json json = Json::array();
  std::string text;
  for (const Watched& row : rows) {
    json.push(to_json(row));
    text += render(row);
    if (!row.proposal) continue;
    if (arguments.flag("--diff")) text += row.proposal->new_text;
    if (arguments.flag("--write")) TRY(apply_proposal(*row.proposal, shop));
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

Result<int> run_update(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  FlowOptions options;
  std::string text;
  {
    Workshop shop = TRY(open_workshop(session, arch));
    const std::vector<Watched> rows = TRY(look(shop, arguments.list("DEFINITION"), true));
    std::vector<std::string> moved;
    std::optional<Error> fault;
    for (const Watched& row : rows) {
      text += render(row);
      if (!row.proposal) continue;
      auto applied = apply_proposal(*row.proposal, shop);
      if (applied) {
        moved.push_back(fmt::format("{} {} -> {}", row.proposal->package, row.proposal->from, row.proposal->to));
        continue;
      }
      text += fmt::format("  not applied: {}\n", applied.error().render());
      if (!fault) fault = std::move(applied).error();
    }
    // What could be applied goes on; when nothing could, there is no flow to run.
    if (moved.empty() && fault) return *std::move(fault);
    if (!moved.empty()) options.reason = "update " + join(moved, ", ");
  }
  Workshop shop = TRY(open_workshop(session, arch));
  const FlowReport report = TRY(run_flow(shop, options));
  session.print(session.json ? codec::to_pretty_json(to_json(report)) : text + render(report));
  return 0;
}

Result<int> run_delta(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop{session, TRY(load_distribution(session.os_dir, arch)), Shelf(session.env), {},
                build::places_of_machine(session.env)};
  std::vector<std::pair<std::string, watch::Observation>> seen;
  if (!arguments.flag("--offline")) {
    const std::vector<Watched> rows = TRY(look(shop, {}, false));
    for (const Watched& row : rows)
      if (row.seen) seen.emplace_back(row.definition->name, *row.seen);
  }
  const std::vector<watch::Delta> deltas = TRY(watch::measure_delta(shop.os.definitions, shop.os.sources, seen));
  Json json = Json::array();
  std::string text = fmt::format("{:<24} {:<16} {:<16} {:>7} {:>6}  {:<9} {}\n", "package", "version", "newest",
                                 "behind", "days", "source", "patches");
  for (const watch::Delta& delta : deltas) {
    Json row;
    row.set("package", delta.package).set("version", delta.version).set("newest", delta.newest);
    const std::int64_t days =
        delta.first_newer == 0 ? 0 : (session.env.clock.now_seconds() - delta.first_newer) / 86400;
    row.set("releasesBehind", delta.releases_behind).set("daysBehind", days);
    json.push(row.set("source", delta.source_kind).set("patches", delta.patches));
    text += fmt::format("{:<24} {:<16} {:<16} {:>7} {:>6}  {:<9} {}\n", delta.package, delta.version,
                        delta.newest.empty() ? "?" : delta.newest, delta.releases_behind,
                        delta.first_newer == 0 ? "?" : std::to_string(days),
                        delta.source_kind, delta.patches);
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return 0;
}

}  // namespace

Verb verb_watch() {
  Verb verb;
  verb.name = "watch";
  verb.summary = "ask upstream's feeds for newer releases and propose edits";
  verb.arguments = {{"DEFINITION", "only these", false, true, Completion::kPackage}};
  verb.options = {
      kArchOption,
      {"--diff", OptionType::kFlag, "", "", "print each definition as it would become", Completion::kNone},
      {"--write", OptionType::kFlag, "", "", "write the proposals into the definitions", Completion::kNone}};
  verb.run = run_watch;
  return verb;
}

Verb verb_update() {
  Verb verb;
  verb.name = "update";
  verb.summary = "apply proposals, rebuild what needs it, recompose what changed, publish the next serial";
  verb.arguments = {
      {"DEFINITION", "only these; all with a proposal when none is named", false, true, Completion::kPackage}};
  verb.options = {kArchOption};
  verb.run = run_update;
  return verb;
}

Verb verb_delta() {
  Verb verb;
  verb.name = "delta";
  verb.summary = "distance from upstream: lag, kind of source, patches";
  verb.options = {kArchOption,
                  {"--offline", OptionType::kFlag, "", "", "do not ask the feeds", Completion::kNone}};
  verb.run = run_delta;
  return verb;
}

}  // namespace nacre::cli
