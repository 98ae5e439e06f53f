#include "base/events.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/graph_input.h"
#include "cli/lookup.h"
#include "cli/verbs.h"
#include "farm/policy.h"
#include "plan/simulate.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;
using plan::KeyPolicy;

constexpr double kUsualBuildSeconds = 120;

Result<plan::ChangeRates> read_rates(const std::string& file) {
  const std::string text = TRY(os::read_file(file, std::uint64_t{1} << 20));
  const Json json = TRY(codec::parse_json(text, file));
  plan::ChangeRates out;
  const std::pair<const char*, plan::ChangeRates::Rate*> rows[] = {
      {"major", &out.major}, {"minor", &out.minor},       {"patch", &out.patch},
      {"epoch", &out.epoch}, {"relinked", &out.relinked}, {"embedded", &out.embedded}};
  for (const auto& [name, rate] : rows) {
    const Json& row = json[name];
    rate->content = row["content"].as_double(-1);
    rate->abi = row["abi"].as_double(-1);
    rate->breaks = row["breaks"].as_double(rate->abi);
    rate->used = row["used"].as_double(rate->abi);
    rate->urgent = row["urgent"].as_double(rate->used);
    if (rate->content > 1 || rate->abi > rate->content || rate->breaks > rate->abi || rate->breaks < 0 ||
        rate->used > rate->abi || rate->urgent > rate->used || rate->urgent < 0)
      return Error::make(ErrorKind::kInvalid,
                         "'{}': expected '{}' with 0 <= breaks <= abi <= content <= 1, and 0 <= urgent <= used <= abi",
                         file, name)
          .hint("docs/formats/graph.md shows the form");
  }
  out.needless_epochs = json["needlessEpochs"].as_double();
  if (out.needless_epochs < 0 || out.needless_epochs > 1)
    return Error::make(ErrorKind::kInvalid, "'{}': needlessEpochs is a share, from 0 to 1", file);
  return out;
}

/// "DEFINITION\tNUMBER" for each line; what is not named keeps `otherwise`.
Result<std::vector<double>> read_numbers(const std::string& file, const plan::BuildGraph& graph, double otherwise) {
  std::vector<double> out(graph.size(), otherwise);
  if (file.empty()) return out;
  const std::string text = TRY(read_maybe_compressed(file));
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::size_t tab = line.find('\t');
    const auto value = tab == std::string::npos ? std::nullopt : whole_number<std::uint64_t>(line.substr(tab + 1));
    if (!value)
      return Error::make(ErrorKind::kInvalid, "expected DEFINITION, a tab and a whole number, got '{:.80}'", line)
          .at({file, number, 1});
    if (const auto node = graph.find(line.substr(0, tab))) out[*node] = static_cast<double>(*value);
  }
  return out;
}

Json to_json(KeyPolicy policy, const plan::Simulation& run, bool sizes) {
  Json cut, out;
  for (const auto& [kind, count] : run.cut_off) cut.set(std::string(plan::name_of(kind)), count);
  out.set("policy", plan::name_of(policy)).set("changes", run.changes).set("needless", run.needless);
  out.set("builds", run.builds).set("secondStage", run.second_stage).set("buildsPerChange", run.builds_per_change());
  out.set("cutOff", cut.is_null() ? Json::object() : std::move(cut)).set("staleEmbeds", run.stale_embeds);
  out.set("waitSeconds", Json().set("median", run.median_wait).set("p90", run.p90_wait).set("p99", run.p99_wait));
  out.set("busy", run.busy);
  if (policy == KeyPolicy::kPostponed)
    out.set("postponed", Json()
                             .set("users", run.postponed)
                             .set("cameDue", run.came_due)
                             .set("atTheEnd", run.still_postponed));
  if (sizes) out.set("bytesMoved", run.bytes_moved);
  return out;
}

std::string render(KeyPolicy policy, const plan::Simulation& run, bool sizes) {
  std::string out = fmt::format("{:<9} {:>9} {:>7} {:>10.2f} {:>7} {:>10} {:>10} {:>10} {:>5.1f}% {:>10}\n",
                                plan::name_of(policy), run.builds, run.second_stage, run.builds_per_change(),
                                run.stale_embeds, human_duration(run.median_wait), human_duration(run.p90_wait),
                                human_duration(run.p99_wait), run.busy * 100,
                                sizes ? human_bytes(run.bytes_moved) : "?");
  if (policy == KeyPolicy::kPostponed)
    out += fmt::format("          {} users put off, {} of them built when their time had come, {} wait at the end\n",
                       run.postponed, run.came_due, run.still_postponed);
  return out;
}

Result<std::vector<KeyPolicy>> policies_of(const Arguments& arguments) {
  constexpr KeyPolicy kAll[] = {KeyPolicy::kExplicit, KeyPolicy::kDirect, KeyPolicy::kInputs, KeyPolicy::kContent,
                                KeyPolicy::kAbi, KeyPolicy::kUsed, KeyPolicy::kPostponed, KeyPolicy::kBreaks};
  std::vector<KeyPolicy> out;
  for (const std::string& name : arguments.list("--policy")) {
    const auto found =
        std::find_if(std::begin(kAll), std::end(kAll), [&](KeyPolicy p) { return plan::name_of(p) == name; });
    if (found == std::end(kAll))
      return Error::make(ErrorKind::kInvalid,
                         "--policy is explicit, direct, inputs, content, abi, used, postponed or breaks, not '{}'",
                         name);
    out.push_back(*found);
  }
  if (out.empty()) out.assign(std::begin(kAll), std::end(kAll));
  return out;
}

/// What a policy of keys promises: a fix of something embedded reaches all that hold it.
Result<> nothing_stale(KeyPolicy policy, const plan::Simulation& run) {
  if (policy == KeyPolicy::kExplicit || policy == KeyPolicy::kDirect || run.stale_embeds == 0) return {};
  return Error::make(ErrorKind::kInternal, "by policy {}, {} definitions would keep an old content of what they embed",
                     plan::name_of(policy), run.stale_embeds);
}

Result<int> run_simulate(const Arguments& arguments, Session& session) {
  const std::vector<KeyPolicy> policies = TRY(policies_of(arguments));
  const plan::BuildGraph graph = TRY(read_graph(arguments, session));
  const std::string file = arguments.text("HISTORY");
  const std::string text = TRY(read_maybe_compressed(file));
  const plan::History history = TRY(plan::read_history(text, file, graph));
  plan::SimulationInput input{graph, history.changes};
  const std::string rates = arguments.text("--rates"), sizes = arguments.text("--sizes");
  if (!rates.empty()) input.rates = TRY(read_rates(rates));
  const std::string batch = arguments.text("--batch");
  if (batch != "day" && batch != "hour" && batch != "none")
    return Error::make(ErrorKind::kInvalid, "--batch is day, hour or none, not '{}'", batch);
  input.batch_seconds = batch == "day" ? 86400 : batch == "hour" ? 3600 : 0;
  const auto workers = whole_number<unsigned>(arguments.text("--workers"));
  if (!workers || *workers == 0 || *workers > 100'000)
    return Error::make(ErrorKind::kInvalid, "--workers is a number from 1 to 100000, not '{}'",
                       arguments.text("--workers"));
  input.workers = *workers;
  input.postpone_seconds = TRY(farm::parse_duration(arguments.text("--postpone")), "reading --postpone");
  input.build_seconds = TRY(read_numbers(arguments.text("--times"), graph, kUsualBuildSeconds));
  if (!sizes.empty())
    for (const double bytes : TRY(read_numbers(sizes, graph, 0)))
      input.bytes.push_back(static_cast<std::uint64_t>(bytes));

  Json json = Json::array();
  std::string out = fmt::format("{} changes of {} definitions, {} of others passed over\n", history.changes.size(),
                                graph.size(), history.passed_over);
  if (rates.empty()) out += "no --rates: every build is taken to change content and ABI, the worst case\n";
  out += fmt::format("{:<9} {:>9} {:>7} {:>10} {:>7} {:>10} {:>10} {:>10} {:>6} {:>10}\n", "policy", "builds", "again",
                     "per change", "stale", "median", "p90", "p99", "busy", "moved");
  for (const KeyPolicy policy : policies) {
    input.policy = policy;
    Task task(session.env.events, fmt::format("replay by {}", plan::name_of(policy)));
    const plan::Simulation run = plan::simulate(input);
    task.finish();
    TRY(nothing_stale(policy, run));
    json.push(to_json(policy, run, !sizes.empty()));
    out += render(policy, run, !sizes.empty());
  }
  session.print(session.json ? codec::to_pretty_json(json) : out);
  return 0;
}

}  // namespace

Verb verb_simulate() {
  Verb verb;
  verb.name = "simulate";
  verb.summary = "replay a recorded history of changes: how much each policy of keys would build";
  verb.arguments = {{"HISTORY", "changes: SECONDS, DEFINITION, KIND in columns", true, false, Completion::kFile}};
  verb.options = graph_options();
  for (const Option& option : std::vector<Option>{
           kArchOption,
           {"--policy", OptionType::kList, "POLICY", "",
            "explicit, direct, inputs, content, abi, used, postponed or breaks (default: all)", Completion::kNone},
           {"--postpone", OptionType::kText, "SPAN", "30d", "how long `postponed` lets users wait", Completion::kNone},
           {"--rates", OptionType::kText, "FILE", "", "how often builds change content and ABI", Completion::kFile},
           {"--batch", OptionType::kText, "SPAN", "day", "changes built together: day, hour or none",
            Completion::kNone},
           {"--workers", OptionType::kText, "N", "8", "builds at once", Completion::kNone},
           {"--times", OptionType::kText, "FILE", "", "seconds of each build (default: 120)", Completion::kFile},
           {"--sizes", OptionType::kText, "FILE", "", "bytes of each definition's packages", Completion::kFile}})
    verb.options.push_back(option);
  verb.run = run_simulate;
  return verb;
}

}  // namespace nacre::cli
