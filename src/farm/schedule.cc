#include "farm/schedule.h"

#include <algorithm>
#include <map>

namespace nacre::farm {
namespace {

using Row = store::Database::Row;

constexpr std::int64_t kLongestSilence = 86400;

/// Up to a tenth of the interval, by the name: many definitions of one host are not asked in one second.
std::int64_t jitter(const std::string& definition, std::int64_t seconds) {
  std::uint32_t hash = 2166136261;
  for (const char byte : definition) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619;
  return seconds / 10 * static_cast<std::int64_t>(hash % 1024) / 1024;
}

/// How long after it was asked it is asked again: less and less often while it does not answer.
std::int64_t wait_of(const std::string& definition, int failures, const WatchRule& rule) {
  std::int64_t wait = rule.every_seconds;
  for (int i = 1; i < failures && wait < kLongestSilence; ++i) wait = std::max<std::int64_t>(2 * wait, 60);
  wait = std::max(rule.every_seconds, std::min(wait, kLongestSilence));
  return wait + jitter(definition, wait);
}

/// 0: at once. A time in the future, of a clock that was set back since, is none.
std::int64_t due_at(const Upstream& upstream, const WatchRule& rule, std::int64_t now) {
  if (upstream.last_asked > now) return 0;
  return upstream.last_asked == 0 ? 0 : upstream.last_asked + wait_of(upstream.package, upstream.failures, rule);
}

Upstream upstream_of(const Row& row) {
  Upstream out;
  out.package = row[0];
  out.last_asked = store::number_of(row[1]);
  out.next_due = store::number_of(row[2]);
  out.failures = static_cast<int>(store::number_of(row[3]));
  out.newest = row[4];
  out.note = row[5];
  out.newest_seen = store::number_of(row[6]);
  return out;
}

constexpr std::string_view kTables[] = {
    "CREATE TABLE IF NOT EXISTS upstreams (package TEXT PRIMARY KEY, last_asked BIGINT NOT NULL,"
    " next_due BIGINT NOT NULL, failures BIGINT NOT NULL, newest TEXT NOT NULL, note TEXT NOT NULL,"
    " newest_seen BIGINT NOT NULL)"};

constexpr std::string_view kColumns = "package, last_asked, next_due, failures, newest, note, newest_seen";

std::string select(std::string_view rest) { return fmt::format("SELECT {} FROM upstreams {}", kColumns, rest); }

}  // namespace

Result<Schedule> Schedule::open(store::Database& database, os::Clock& clock) {
  TRY(store::make_tables(database, kTables));
  return Schedule(database, clock);
}

Result<std::optional<Upstream>> Schedule::find(const std::string& definition) {
  const std::vector<Row> rows =
      TRY(database_.run("read the schedule", select("WHERE package = $1"), {definition}));
  std::optional<Upstream> out;
  if (!rows.empty()) out = upstream_of(rows[0]);
  return out;
}

Result<std::vector<Upstream>> Schedule::all() {
  const std::vector<Row> rows = TRY(database_.run("read the schedule", select("ORDER BY package")));
  std::vector<Upstream> out;
  for (const Row& row : rows) out.push_back(upstream_of(row));
  return out;
}

Result<> Schedule::take(Schedule& other) {
  TRY(copy_rows(other.database_, database_, "upstreams", "package", kColumns));
  return {};
}

Result<> Schedule::write(const Upstream& upstream) {
  TRY(database_.run("write the schedule",
                    fmt::format("INSERT INTO upstreams ({}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                                " ON CONFLICT (package) DO UPDATE SET last_asked = excluded.last_asked,"
                                " next_due = excluded.next_due, failures = excluded.failures,"
                                " newest = excluded.newest, note = excluded.note, newest_seen = excluded.newest_seen",
                                kColumns),
                    {upstream.package, upstream.last_asked, upstream.next_due, std::int64_t{upstream.failures},
                     upstream.newest, upstream.note, upstream.newest_seen}));
  return {};
}

Result<std::vector<Watched>> Schedule::due(const std::vector<Watched>& watched) {
  const std::int64_t now = clock_.now_seconds();
  std::map<std::string, Upstream> known;
  std::vector<Upstream> upstreams = TRY(all());
  for (Upstream& upstream : upstreams) known[upstream.package] = std::move(upstream);
  std::vector<std::pair<std::int64_t, const Watched*>> found;
  for (const Watched& each : watched) {
    const auto upstream = known.find(each.definition);
    const std::int64_t when = upstream == known.end() ? 0 : due_at(upstream->second, each.rule, now);
    if (when <= now) found.emplace_back(when, &each);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Watched> out;
  for (const auto& [when, each] : found) out.push_back(*each);
  return out;
}

Result<std::int64_t> Schedule::next_due(const std::vector<Watched>& watched) {
  const std::int64_t now = clock_.now_seconds();
  std::map<std::string, Upstream> known;
  std::vector<Upstream> upstreams = TRY(all());
  for (Upstream& upstream : upstreams) known[upstream.package] = std::move(upstream);
  std::int64_t out = INT64_MAX;
  for (const Watched& each : watched) {
    const auto upstream = known.find(each.definition);
    out = std::min(out, upstream == known.end() ? 0 : due_at(upstream->second, each.rule, now));
  }
  return out <= now ? 0 : out;
}

Result<Upstream> Schedule::answered(const std::string& definition, const std::string& newest, const std::string& note,
                                    const WatchRule& rule) {
  const std::optional<Upstream> before = TRY(find(definition));
  Upstream upstream = before.value_or(Upstream{});
  const std::int64_t now = clock_.now_seconds();
  upstream.package = definition;
  upstream.last_asked = now;
  upstream.failures = 0;
  upstream.next_due = now + wait_of(definition, 0, rule);
  if (upstream.newest != newest || upstream.newest_seen == 0) upstream.newest_seen = now;
  upstream.newest = newest;
  upstream.note = note;
  TRY(write(upstream));
  return upstream;
}

Result<> Schedule::failed(const std::string& definition, const std::string& why, const WatchRule& rule) {
  const std::optional<Upstream> before = TRY(find(definition));
  Upstream upstream = before.value_or(Upstream{});
  const std::int64_t now = clock_.now_seconds();
  upstream.package = definition;
  upstream.last_asked = now;
  ++upstream.failures;
  upstream.next_due = now + wait_of(definition, upstream.failures, rule);
  upstream.note = why;
  return write(upstream);
}

Result<> Schedule::ask_now(const std::string& definition) {
  TRY(database_.run("write the schedule", "UPDATE upstreams SET next_due = 0, last_asked = 0 WHERE package = $1",
                    {definition}));
  return {};
}

std::int64_t cooldown_until(const WatchRule& rule, std::int64_t published, std::int64_t first_seen, std::int64_t now) {
  if (rule.cooldown_seconds == 0) return 0;
  const std::int64_t from = published > 0 && published <= now ? published : first_seen;
  const std::int64_t until = from + rule.cooldown_seconds;
  return until > now ? until : 0;
}

Pick pick_release(const WatchRule& rule, std::span<const std::int64_t> published, std::int64_t newest_seen,
                  std::int64_t now) {
  Pick newest;
  if (!published.empty()) newest.not_before = cooldown_until(rule, published[0], newest_seen, now);
  if (newest.not_before == 0) return newest;
  for (std::size_t i = 1; i < published.size(); ++i)
    if (published[i] > 0 && published[i] + rule.cooldown_seconds <= now) return {i, 0};
  return newest;
}

}  // namespace nacre::farm
