#include "base/text.h"
#include "cli/flow.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::string_view name_of_made(Made made) {
  switch (made) {
    case Made::kKept: return "kept";
    case Made::kCutOff: return "cut off";
    case Made::kPostponed: return "postponed";
    case Made::kBuilt: return "built";
    case Made::kSame: return "same";
  }
  return "?";
}

Json row_to_json(const BuiltRow& row) {
  Json out;
  out.set("definition", row.definition).set("version", row.version);
  out.set("made", name_of_made(row.made)).set("why", Json::strings(row.why));
  out.set("seconds", row.seconds);
  if (!row.bumped_from.empty()) out.set("bumpedFrom", row.bumped_from);
  return out;
}

Json row_to_json(const ImageRow& row) {
  Json pull;
  pull.set("bytes", row.pull.bytes).set("layers", row.pull.layers).set("layersTotal", row.pull.layers_total);
  pull.set("digests", Json::strings(row.pull.digests));
  Json out;
  out.set("name", row.name).set("digest", row.digest.oci()).set("sizeBytes", row.size_bytes);
  out.set("composed", row.composed).set("tags", Json::strings(row.tags));
  return out.set("pull", std::move(pull));
}

std::string render_built(const FlowReport& report) {
  std::string out;
  std::size_t kept = 0;
  for (const BuiltRow& row : report.built) {
    const bool stands = row.made == Made::kCutOff || row.made == Made::kPostponed;
    if (stands || row.made == Made::kKept) ++kept;
    if (stands)
      out += fmt::format("  {:<24} not built{}: {}\n", row.definition, row.made == Made::kPostponed ? " yet" : "",
                         join(row.why, "; "));
    if (stands || row.made == Made::kKept) continue;
    out +=
        fmt::format("  {:<24} {:<14} {:>10}  {}\n", row.definition, row.version, human_duration(row.seconds),
                    row.made == Made::kSame ? "rebuilt, same bytes: dependents are not touched" : join(row.why, "; "));
    if (!row.bumped_from.empty())
      out += fmt::format("    epoch raised: {} was published with other bytes\n", row.bumped_from);
  }
  const std::size_t done = report.built.size() - kept;
  std::string head = fmt::format("packages ({}): {} definitions built", report.packages, done);
  if (kept > 0) head += fmt::format(", {} kept", kept);
  return head + "\n" + out;
}

std::string render_images(const FlowReport& report) {
  std::string out = "images:\n";
  for (const ImageRow& row : report.images) {
    out += fmt::format("  {:<10} {:>10}  {}  {}\n", row.name, human_bytes(row.size_bytes), row.digest.oci(),
                       row.tags.empty() ? "" : row.tags.front());
    if (row.composed && row.pull.layers < row.pull.layers_total)
      out += fmt::format("             update: {} of {} layers, {}\n", row.pull.layers, row.pull.layers_total,
                         human_bytes(row.pull.bytes));
  }
  return out;
}

}  // namespace

Json to_json(const FlowReport& report) {
  Json built = Json::array(), images = Json::array(), stages = Json::object();
  for (const BuiltRow& row : report.built) built.push(row_to_json(row));
  for (const ImageRow& row : report.images) images.push(row_to_json(row));
  for (const auto& [stage, seconds] : report.stage_seconds) stages.set(stage, seconds);
  Json out;
  out.set("edition", name_of(report.edition)).set("serial", report.serial);
  out.set("published", report.published.has_value());
  if (report.published) out.set("reason", report.published->reason);
  out.set("packages", report.packages).set("built", std::move(built)).set("images", std::move(images));
  Json tests;
  tests.set("ran", report.tests.ran).set("known", report.tests.known);
  return out.set("tests", std::move(tests)).set("stages", std::move(stages)).set("seconds", report.seconds);
}

std::string render(const FlowReport& report) {
  std::string out;
  const bool idle = !report.published && std::all_of(report.built.begin(), report.built.end(),
                                                     [](const BuiltRow& row) { return row.made == Made::kKept; });
  if (idle)
    return fmt::format("nothing to do: edition {} is at serial {} ({} packages, {} images), all up to date ({})\n",
                       name_of(report.edition), report.serial, report.packages, report.images.size(),
                       human_duration(report.seconds));
  out += render_built(report);
  if (report.tests.ran + report.tests.known > 0)
    out += fmt::format("tests: {} ran, {} passed before with the same inputs\n", report.tests.ran, report.tests.known);
  out += render_images(report);
  out += "time:";
  for (const auto& [stage, seconds] : report.stage_seconds)
    out += fmt::format("  {} {}", stage, human_duration(seconds));
  out += fmt::format("  total {}\n", human_duration(report.seconds));
  out += report.published ? fmt::format("published: edition {}, serial {} ({})\n", name_of(report.edition),
                                        report.serial, report.published->reason)
                          : fmt::format("nothing to publish: edition {} stays at serial {}\n", name_of(report.edition),
                                        report.serial);
  return out;
}

}  // namespace nacre::cli
