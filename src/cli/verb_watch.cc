#include "base/text.h"
#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/proposals.h"
#include "cli/verbs.h"
#include "cli/watching.h"

namespace nacre::cli {
namespace {

using codec::Json;

Json dropped_json(const watch::Proposal& proposal) {
  Json out = Json::array();
  for (const watch::Dropped& dropped : proposal.dropped) {
    Json one;
    one.set("kind", dropped.kind == watch::Dropped::Kind::kPatch ? "patch" : "pick").set("name", dropped.name);
    out.push(one.set("why", dropped.why));
  }
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
    if (row.proposal->by_hand) proposal.set("byHand", true);
    if (!row.proposal->dropped.empty()) proposal.set("dropped", dropped_json(*row.proposal));
    if (!row.proposal->notes.empty()) proposal.set("notes", Json::strings(row.proposal->notes));
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
  if (!row.proposal) return fmt::format("{:<24} {}  {}\n", name, row.definition->version, one_line(row.note));
  const watch::Proposal& proposal = *row.proposal;
  std::string out = fmt::format("{:<24} {} -> {}  ({}){}\n", name, proposal.from, proposal.to,
                                watch::name_of(proposal.feed),
                                proposal.problem.empty() ? "" : "  " + one_line(proposal.problem));
  if (proposal.by_hand) out += "  the definition asks for updates by hand: name it to apply this\n";
  for (const watch::Dropped& dropped : proposal.dropped)
    out += fmt::format("  drops {} {}: {}\n", dropped.kind == watch::Dropped::Kind::kPatch ? "patch" : "pick",
                       dropped.name, dropped.why);
  for (const std::string& note : proposal.notes) out += fmt::format("  note: {}\n", one_line(note));
  return out;
}

/// Who names a definition takes it in the hand.
ByHand named_by(const Arguments& arguments) {
  return arguments.list("DEFINITION").empty() ? ByHand::kNo : ByHand::kYes;
}

bool waits_for_a_person(const Watched& row, const Arguments& arguments) {
  return row.proposal->by_hand && named_by(arguments) == ByHand::kNo;
}

Result<int> run_watch(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  Workshop shop{session, TRY(load_distribution(session.os_dir, arch)), Shelf(session.env), {},
                build::places_of_machine()};
  const std::vector<Watched> rows = TRY(look(shop, arguments.list("DEFINITION"), Propose::kYes));
  Json json = Json::array();
  std::string text;
  std::optional<Error> fault;
  for (const Watched& row : rows) {
    json.push(to_json(row));
    text += render(row);
    if (!row.proposal) continue;
    if (arguments.flag("--diff")) text += row.proposal->new_text;
    if (!arguments.flag("--write") || waits_for_a_person(row, arguments)) continue;
    auto applied = apply_proposal(*row.proposal, named_by(arguments), shop);
    if (!applied && !fault) fault = std::move(applied).error();  // the others are written all the same
  }
  session.print(session.json ? codec::to_pretty_json(json) : text);
  if (fault) return *std::move(fault);
  return 0;
}

Result<int> run_update(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  FlowOptions options;
  std::string text;
  {
    Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
    const std::vector<Watched> rows = TRY(look(shop, arguments.list("DEFINITION"), Propose::kYes));
    std::vector<std::string> moved;
    std::optional<Error> fault;
    for (const Watched& row : rows) {
      text += render(row);
      if (!row.proposal || waits_for_a_person(row, arguments)) continue;
      auto applied = apply_proposal(*row.proposal, named_by(arguments), shop);
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
  Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
  const FlowReport report = TRY(run_flow(shop, options));
  session.print(session.json ? codec::to_pretty_json(to_json(report)) : text + render(report));
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

}  // namespace nacre::cli
