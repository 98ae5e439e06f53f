#include "base/events.h"
#include "base/text.h"
#include "cli/delta_history.h"
#include "cli/delta_input.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "os/clock.h"

namespace nacre::cli {
namespace {

using codec::Json;

/// The distribution's deltas, with what the feeds say.
Result<std::vector<watch::Delta>> of_distribution(Workshop& shop, const Arguments& arguments) {
  const std::vector<std::string> names = arguments.list("DEFINITION");
  std::vector<watch::Delta> out = TRY(measure_distribution(shop, names));
  if (arguments.flag("--offline")) return out;
  const std::vector<Watched> rows = TRY(look(shop, names, Propose::kNo));
  for (std::size_t i = 0; i < out.size(); ++i)
    if (rows[i].seen) watch::add_observation(out[i], *rows[i].seen);
  return out;
}

Result<std::vector<watch::Delta>> of_folders(const Arguments& arguments, Session& session) {
  std::vector<Path> pipelines;
  for (const std::string& folder : arguments.list("--pipeline-dir")) pipelines.emplace_back(folder);
  pipelines.push_back(session.os_dir / "pipelines");
  definition::CompileOptions options;
  options.arch = TRY(arch_of(arguments));
  return measure_folders(arguments.list("--definitions"), pipelines, options, session.env);
}

/// Takes the trees that are not known yet; one that cannot be taken is a warning.
Result<> take_trees(Workshop& shop, const std::vector<std::string>& names) {
  const std::vector<const definition::Definition*> definitions = TRY(chosen_definitions(shop, names));
  const std::vector<watch::Delta> known = TRY(measure_distribution(shop, names));
  Task task(shop.env().events, "trees");
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    task.progress(i, definitions.size());
    if (known[i].tree || definitions[i]->sources.empty()) continue;
    const auto taken = take_tree(shop, *definitions[i]);
    if (shop.env().stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (!taken)
      task.warn(fmt::format("the tree of '{}' cannot be taken: {}", definitions[i]->name, taken.error().render()));
  }
  task.finish(fmt::format("{} definitions", definitions.size()));
  return {};
}

Result<std::vector<watch::Delta>> measure(const Arguments& arguments, Session& session) {
  if (!arguments.list("--definitions").empty()) return of_folders(arguments, session);
  const Arch arch = TRY(arch_of(arguments));
  if (arguments.flag("--trees")) {
    Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
    TRY(take_trees(shop, arguments.list("DEFINITION")));
    return of_distribution(shop, arguments);
  }
  Workshop shop{session,
                TRY(load_distribution(session.os_dir, arch)),
                Shelf(session.env),
                {},
                build::places_of_machine()};
  return of_distribution(shop, arguments);
}

/// kConflict's exit code: more than a budget allows.
constexpr int kOverBudget = 4;

Result<int> run_delta(const Arguments& arguments, Session& session) {
  std::vector<watch::Delta> deltas = TRY(measure(arguments, session));
  const watch::Budgets budgets = TRY(read_budgets(session.os_dir));
  const std::int64_t now = session.env.clock.now_seconds();
  std::vector<DeltaRow> rows;
  bool over = false;
  Json list = Json::array(), json;
  const watch::DeltaTotals totals = watch::sum(deltas);
  for (watch::Delta& delta : deltas) {
    DeltaRow row;
    row.over = watch::judge_delta(delta, budgets.of(delta.package), now);
    row.delta = std::move(delta);
    over = over || !row.over.empty();
    list.push(to_json(row, now));
    rows.push_back(std::move(row));
  }
  std::string text = render_table(rows, now);
  if (!arguments.list("DEFINITION").empty())
    for (const DeltaRow& row : rows) text += render_details(row, now);
  if (const std::string file = arguments.text("--page"); !file.empty()) {
    const std::vector<DeltaPoint> history = TRY(delta_history(session.env, Edition::kCommunity));
    TRY(os::write_file(file, delta_page(rows, history, now)));
  }
  json.set("packages", std::move(list)).set("totals", to_json(totals));
  session.print(session.json ? codec::to_pretty_json(json) : text);
  return over && arguments.flag("--check") ? kOverBudget : 0;
}

}  // namespace

Verb verb_delta() {
  Verb verb;
  verb.name = "delta";
  verb.summary = "distance from upstream: lag, patches, picks, edits, switches, changed files; judged by budgets";
  verb.arguments = {
      {"DEFINITION", "only these, with everything that makes up their delta", false, true, Completion::kPackage}};
  verb.options = {
      kArchOption,
      {"--offline", OptionType::kFlag, "", "", "do not ask the feeds", Completion::kNone},
      {"--check", OptionType::kFlag, "", "", "end with exit code 4 when a package is over its budget (os/delta.yaml)",
       Completion::kNone},
      {"--trees", OptionType::kFlag, "", "",
       "run the steps before the first build step, where that was not done before, and compare the source trees",
       Completion::kNone},
      {"--page", OptionType::kText, "FILE", "", "also write a page with the trend over the serials", Completion::kFile},
      {"--definitions", OptionType::kList, "DIR", "", "measure the definitions in this directory; sources stay closed",
       Completion::kFolder},
      {"--pipeline-dir", OptionType::kList, "DIR", "", "with --definitions: look up pipelines here first",
       Completion::kFolder}};
  verb.run = run_delta;
  return verb;
}

}  // namespace nacre::cli
