#include "base/text.h"
#include "cli/delta_history.h"
#include "os/clock.h"

#include <algorithm>

namespace nacre::cli {
namespace {

using watch::DeltaTotals;

constexpr const char* kStyle =
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}.over{color:#a00;text-align:left}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:1rem}figure{margin:0}"
    "figcaption{font-weight:600}svg{width:100%;height:auto;background:#f7f7f5}";

std::string escaped(std::string text) {
  text = replace_all(std::move(text), "&", "&amp;");
  text = replace_all(std::move(text), "<", "&lt;");
  return replace_all(replace_all(std::move(text), ">", "&gt;"), "\"", "&quot;");
}

/// One total over the serials.
struct Series {
  const char* title;
  std::uint64_t (*value)(const DeltaTotals&);
};

constexpr Series kSeries[] = {
    {"Patches", [](const DeltaTotals& t) -> std::uint64_t { return t.patches; }},
    {"Lines in patches", [](const DeltaTotals& t) -> std::uint64_t { return t.added + t.removed; }},
    {"Cherry-picks", [](const DeltaTotals& t) -> std::uint64_t { return t.picks; }},
    {"Edits in place", [](const DeltaTotals& t) -> std::uint64_t { return t.source_edits; }},
    {"Dependencies bumped", [](const DeltaTotals& t) -> std::uint64_t { return t.bump_entries; }},
    {"Switches that differ", [](const DeltaTotals& t) -> std::uint64_t { return t.switches_that_differ; }},
    {"Repacked sources", [](const DeltaTotals& t) -> std::uint64_t { return t.repacked; }},
    {"Lines changed by preparation", [](const DeltaTotals& t) -> std::uint64_t { return t.tree_lines; }}};

/// Steps, since a total holds until the next serial. Serials without totals leave a gap.
std::string chart(const Series& series, const std::vector<DeltaPoint>& history) {
  constexpr double kWidth = 320, kHeight = 120, kLeft = 34, kBottom = 18, kTop = 8;
  std::uint64_t most = 1;
  for (const DeltaPoint& point : history)
    if (point.known) most = std::max(most, series.value(point.totals));
  const double step = (kWidth - kLeft - 6) / static_cast<double>(std::max<std::size_t>(1, history.size()));
  std::string path, dots;
  bool open = false;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (!history[i].known) {
      open = false;
      continue;
    }
    const std::uint64_t value = series.value(history[i].totals);
    const double x = kLeft + step * static_cast<double>(i);
    const double y =
        kHeight - kBottom - (kHeight - kBottom - kTop) * static_cast<double>(value) / static_cast<double>(most);
    path += open ? fmt::format("V{:.1f}H{:.1f}", y, x + step) : fmt::format("M{:.1f} {:.1f}H{:.1f}", x, y, x + step);
    dots += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"transparent\"><title>serial {}: {}"
        "</title></rect>",
        x, kTop, step, kHeight - kBottom - kTop, history[i].serial, value);
    open = true;
  }
  std::string out = fmt::format("<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\">",
                                series.title, kWidth, kHeight);
  out += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#2a5d84\" stroke-width=\"2\"/>{}", path, dots);
  out +=
      fmt::format("<g font-size=\"10\" fill=\"#555\"><text x=\"2\" y=\"{}\">{}</text><text x=\"2\" y=\"{}\">0</text>",
                  kTop + 8, most, kHeight - kBottom);
  if (!history.empty())
    out += fmt::format("<text x=\"{}\" y=\"{}\">serial {}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                       kLeft, kHeight - 4, history.front().serial, kWidth - 6, kHeight - 4, history.back().serial);
  return out + "</g></svg></figure>\n";
}

std::string table_row(const DeltaRow& row) {
  const watch::Delta& delta = row.delta;
  const watch::PatchCount count = delta.patch_count();
  std::string out = fmt::format(
      "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</"
      "td>"
      "<td>{}</td></tr>\n",
      escaped(delta.package), escaped(delta.version), escaped(delta.newest.empty() ? "?" : delta.newest),
      delta.source_kind, delta.patches.size(), count.added + count.removed, delta.picks.size(), delta.source_edits(),
      delta.bump_entries(), delta.switches_that(watch::Switch::Verdict::kDiffers),
      delta.tree ? fmt::format("{} / {}", delta.tree->files.size(), delta.tree->added() + delta.tree->removed()) : "?");
  for (const std::string& over : row.over)
    out += fmt::format("<tr><td class=\"over\" colspan=\"11\">over its budget: {}</td></tr>\n", escaped(over));
  return out;
}

}  // namespace

std::string delta_page(const std::vector<DeltaRow>& rows, const std::vector<DeltaPoint>& history, std::int64_t now) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Distance from upstream</title>"
      "<style>{}</style></head><body>\n<h1>Distance from upstream</h1>\n<p>{} definitions, as of {}.</p>\n",
      kStyle, rows.size(), os::rfc3339(now));
  const auto known = std::count_if(history.begin(), history.end(), [](const DeltaPoint& point) { return point.known; });
  out += fmt::format(
      "<h2>Over the serials</h2>\n<p>Totals as they were kept when each serial was published: {} of {} "
      "serials have them.</p>\n<div class=\"charts\">\n",
      known, history.size());
  for (const Series& series : kSeries) out += chart(series, history);
  out +=
      "</div>\n<h2>Today</h2>\n<table><tr><th>package</th><th>version</th><th>newest</th><th>source</th><th>patches</"
      "th>"
      "<th>lines</th><th>picks</th><th>edits</th><th>bumps</th><th>switches</th><th>tree, files / lines</th></tr>\n";
  for (const DeltaRow& row : rows) out += table_row(row);
  return out + "</table>\n</body></html>\n";
}

}  // namespace nacre::cli
