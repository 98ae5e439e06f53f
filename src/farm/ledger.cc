#include "farm/ledger.h"

#include "base/lines.h"
#include "base/text.h"

#include <algorithm>

namespace nacre::farm {
namespace {

using store::Database;
using Row = Database::Row;
using Durability = Database::Durability;

constexpr std::string_view kTables[] = {
    "CREATE TABLE IF NOT EXISTS changes ("
    " id BIGINT PRIMARY KEY, package TEXT NOT NULL, from_version TEXT NOT NULL, to_version TEXT NOT NULL,"
    " cause TEXT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL, priority BIGINT NOT NULL, branch TEXT NOT NULL,"
    " commit_id TEXT NOT NULL, attempts BIGINT NOT NULL, not_before BIGINT NOT NULL, approved_by TEXT NOT NULL,"
    " error TEXT NOT NULL, error_kind TEXT NOT NULL, log TEXT NOT NULL, serial BIGINT NOT NULL,"
    " created BIGINT NOT NULL, updated BIGINT NOT NULL, owner TEXT NOT NULL, token BIGINT NOT NULL,"
    " lease_until BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS changes_by_state ON changes (state, priority, id)",
    "CREATE INDEX IF NOT EXISTS changes_by_package ON changes (package, to_version)",
    "CREATE TABLE IF NOT EXISTS transitions ("
    " id BIGINT PRIMARY KEY, change_id BIGINT NOT NULL, at BIGINT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL,"
    " who TEXT NOT NULL, note TEXT NOT NULL, milliseconds BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS transitions_by_change ON transitions (change_id, id)",
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
};

constexpr std::int64_t kClocksDiffer = 3600;

constexpr std::string_view kColumns =
    "id, package, from_version, to_version, cause, stage, state, priority, branch, commit_id, attempts, not_before,"
    " approved_by, error, error_kind, log, serial, created, updated, owner, token, lease_until";

constexpr std::string_view kTransitionColumns = "id, change_id, at, stage, state, who, note, milliseconds";

std::string select_where(std::string_view rest) { return fmt::format("SELECT {} FROM changes {}", kColumns, rest); }

Result<Change> change_of(const Row& row) {
  Change out;
  out.id = store::number_of(row[0]);
  out.package = row[1];
  out.from = row[2];
  out.to = row[3];
  out.cause = TRY(parse_cause(row[4]));
  out.stage = TRY(parse_stage(row[5]));
  out.state = TRY(parse_state(row[6]));
  out.priority = static_cast<int>(store::number_of(row[7]));
  out.branch = row[8];
  out.commit = row[9];
  out.attempts = static_cast<int>(store::number_of(row[10]));
  out.not_before = store::number_of(row[11]);
  out.approved_by = row[12];
  out.error = row[13];
  out.error_kind = row[14];
  out.log = row[15];
  out.serial = static_cast<std::uint64_t>(store::number_of(row[16]));
  out.created = store::number_of(row[17]);
  out.updated = store::number_of(row[18]);
  out.owner = row[19];
  out.token = store::number_of(row[20]);
  out.lease_until = store::number_of(row[21]);
  return out;
}

std::vector<Database::Value> values_of(const Change& change) {
  const auto text = [](std::string_view view) { return std::string(view); };
  return {change.id,
          change.package,
          change.from,
          change.to,
          text(name_of(change.cause)),
          text(name_of(change.stage)),
          text(name_of(change.state)),
          std::int64_t{change.priority},
          change.branch,
          change.commit,
          std::int64_t{change.attempts},
          change.not_before,
          change.approved_by,
          change.error,
          change.error_kind,
          change.log,
          static_cast<std::int64_t>(change.serial),
          change.created,
          change.updated,
          change.owner,
          change.token,
          change.lease_until};
}

Result<std::vector<Change>> changes_of(const std::vector<Row>& rows) {
  std::vector<Change> out;
  for (const Row& row : rows) out.push_back(TRY(change_of(row)));
  return out;
}

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return "invalid";
    case ErrorKind::kNotFound: return "not-found";
    case ErrorKind::kConflict: return "conflict";
    case ErrorKind::kUnavailable: return "unavailable";
    case ErrorKind::kDenied: return "denied";
    case ErrorKind::kInternal: return "internal";
  }
  return "?";
}

void end_lease(Change& change) {
  change.owner.clear();
  change.lease_until = 0;
}

}  // namespace

std::int64_t wait_after(const RetryPolicy& policy, int attempt, std::int64_t id) {
  std::int64_t wait = policy.first_wait_seconds;
  for (int i = 1; i < attempt && wait < policy.longest_wait_seconds; ++i) wait *= 2;
  wait = std::min(wait, policy.longest_wait_seconds);
  const auto spread = static_cast<std::uint64_t>(id * 2654435761 + attempt * 40503) % 256;
  return wait + wait / 4 * static_cast<std::int64_t>(spread) / 256;
}

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& url, os::Clock& clock, RetryPolicy policy) {
  std::unique_ptr<Database> database = TRY(Database::open(url), "opening the ledger of the farm");
  TRY(store::make_tables(*database, kTables));
  return std::unique_ptr<Ledger>(new Ledger(std::move(database), clock, policy));
}

Result<std::int64_t> Ledger::next_id(std::string_view counter) {
  const std::vector<Row> rows =
      TRY(database_->run("count",
                         "INSERT INTO counters (name, value) VALUES ($1, 1)"
                         " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value",
                         {std::string(counter)}));
  return store::number_of(rows.at(0)[0]);
}

Result<std::size_t> Ledger::take(Ledger& other) {
  const std::size_t changes = TRY(copy_rows(*other.database_, *database_, "changes", "id", kColumns));
  if (changes == 0) return changes;
  TRY(copy_rows(*other.database_, *database_, "transitions", "id", kTransitionColumns));
  for (const char* table : {"counters", "notes"})
    TRY(copy_rows(*other.database_, *database_, table, "name", "name, value"));
  return changes;
}

Result<> Ledger::record(const Change& change, const std::string& who, const std::string& note, double seconds) {
  const std::int64_t id = TRY(next_id("transitions"));
  TRY(database_->run("keep a transition",
                     fmt::format("INSERT INTO transitions ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                                 kTransitionColumns),
                     {id, change.id, change.updated, std::string(name_of(change.stage)),
                      std::string(farm::name_of(change.state)), who, note, static_cast<std::int64_t>(seconds * 1000)}));
  return {};
}

Result<> Ledger::write(const Change& change) {
  TRY(database_->run(
      "write a change",
      "INSERT INTO changes (id, package, from_version, to_version, cause, stage, state, priority, branch, commit_id,"
      " attempts, not_before, approved_by, error, error_kind, log, serial, created, updated, owner, token, lease_until)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"
      " ON CONFLICT (id) DO UPDATE SET package = excluded.package, from_version = excluded.from_version,"
      " to_version = excluded.to_version, cause = excluded.cause, stage = excluded.stage, state = excluded.state,"
      " priority = excluded.priority, branch = excluded.branch, commit_id = excluded.commit_id,"
      " attempts = excluded.attempts, not_before = excluded.not_before, approved_by = excluded.approved_by,"
      " error = excluded.error, error_kind = excluded.error_kind, log = excluded.log, serial = excluded.serial,"
      " updated = excluded.updated, owner = excluded.owner, token = excluded.token, lease_until = excluded.lease_until",
      values_of(change)));
  return {};
}

Result<std::vector<Change>> Ledger::of_package(const std::string& package) {
  const std::vector<Row> rows = TRY(database_->run("look for a change", select_where("WHERE package = $1"), {package}));
  return changes_of(rows);
}

Result<> Ledger::supersede_older(const Change& change, const std::vector<Change>& others) {
  for (Change other : others) {
    const bool replaced = other.id < change.id && !other.to.empty() && is_live(other.state) &&
                          other.state != State::kRunning && other.stage < Stage::kPublished;
    if (!replaced) continue;
    other.state = State::kSuperseded;
    other.updated = clock_.now_seconds();
    TRY(write(other));
    TRY(record(other, "farm", fmt::format("superseded by {}", change.to), 0));
  }
  return {};
}

Result<std::optional<Change>> Ledger::add(Change change, Again again) {
  std::optional<Change> out;
  const auto work = [&]() -> Result<> {
    // Holding the counter makes two that add the same release at once follow each other.
    TRY(database_->run("look for a change",
                       "INSERT INTO counters (name, value) VALUES ('changes', 0)"
                       " ON CONFLICT (name) DO UPDATE SET value = counters.value"));
    const std::string same = change.to.empty() ? change.commit : change.to;
    const std::vector<Change> others = TRY(of_package(change.package));
    const std::int64_t now = clock_.now_seconds();
    if (change.priority == 0) change.priority = priority_of(change.cause);
    for (Change other : others) {
      if ((change.to.empty() ? other.commit : other.to) != same || other.state == State::kSuperseded) continue;
      if (again == Again::kYes && !is_live(other.state)) continue;
      const bool more = change.priority > other.priority && is_live(other.state) && other.stage < Stage::kPublished;
      if (!more) return {};
      other.cause = change.cause;
      other.priority = change.priority;
      if (other.attempts == 0) other.not_before = std::min(other.not_before, change.not_before);
      other.updated = now;
      TRY(write(other));
      return record(other, "farm", fmt::format("a matter of {} now", name_of(change.cause)), 0);
    }
    change.id = TRY(next_id("changes"));
    change.created = change.updated = now;
    if (!change.to.empty() && change.not_before <= now) TRY(supersede_older(change, others));
    TRY(write(change));
    TRY(record(change, "farm", change.to.empty() ? change.package : fmt::format("{} -> {}", change.from, change.to),
               0));
    out = change;
    return {};
  };
  TRY(database_->transaction(Durability::kNow, work));
  return out;
}

Result<std::optional<Change>> Ledger::claim(const std::string& owner) {
  std::optional<Change> out;
  const auto work = [&]() -> Result<> {
    const bool stopped = TRY(paused());
    if (stopped) return {};
    const std::int64_t now = clock_.now_seconds();
    const std::vector<Row> rows = TRY(
        database_->run("claim a change",
                       select_where(fmt::format(
                           "WHERE (state = 'ready' AND not_before <= $1) OR (state = 'running' AND lease_until < $1)"
                           " ORDER BY priority DESC, id LIMIT 1{}",
                           database_->hold_rows())),
                       {now}));
    if (rows.empty()) return {};
    Change change = TRY(change_of(rows[0]));
    change.state = State::kRunning;
    change.owner = owner;
    ++change.token;
    change.lease_until = now + policy_.lease_seconds;
    change.updated = now;
    TRY(write(change));
    if (change.stage == Stage::kSeen && !change.to.empty()) {
      const std::vector<Change> others = TRY(of_package(change.package));
      TRY(supersede_older(change, others));
    }
    out = std::move(change);
    return {};
  };
  TRY(database_->transaction(Durability::kLater, work));
  return out;
}

Result<Change> Ledger::leased(const Change& change) {
  const std::vector<Row> rows = TRY(database_->run("look for a change", select_where("WHERE id = $1"), {change.id}));
  if (rows.empty()) return Error::make(ErrorKind::kNotFound, "there is no change {}", change.id);
  Change current = TRY(change_of(rows[0]));
  if (current.state != State::kRunning || current.token != change.token)
    return Error::make(ErrorKind::kConflict, "change {} ({}) is no longer this worker's: it is {}{}", change.id,
                       change.package, farm::name_of(current.state),
                       current.state == State::kRunning ? " by " + current.owner : "");
  return current;
}

Result<> Ledger::heartbeat(const Change& change) {
  const std::int64_t until = clock_.now_seconds() + policy_.lease_seconds;
  return database_->transaction(Durability::kLater, [&]() -> Result<> {
    const std::vector<Row> rows = TRY(database_->run("make a lease longer",
                                                     "UPDATE changes SET lease_until = $3 WHERE id = $1 AND token = $2"
                                                     " AND state = 'running' RETURNING id",
                                                     {change.id, change.token, until}));
    if (rows.empty()) TRY(leased(change));
    return {};
  });
}

Result<> Ledger::complete(const Change& change, Stage stage, const std::string& note, double seconds) {
  return database_->transaction(Durability::kLater, [&]() -> Result<> {
    Change current = TRY(leased(change));
    const std::string who = current.owner;
    current.stage = stage;
    current.state = stage == Stage::kPromoted ? State::kDone : State::kReady;
    current.branch = change.branch;
    current.commit = change.commit;
    current.from = change.from;
    current.to = change.to;
    current.serial = change.serial;
    current.not_before = change.not_before;
    current.attempts = 0;
    current.error.clear();
    current.error_kind.clear();
    current.log.clear();
    current.updated = clock_.now_seconds();
    end_lease(current);
    TRY(write(current));
    return record(current, who, note, seconds);
  });
}

Result<> Ledger::put_back(const Change& change, Stage stage, State state, const std::string& note) {
  return database_->transaction(Durability::kLater, [&]() -> Result<> {
    Change current = TRY(leased(change));
    const std::string who = current.owner;
    current.stage = stage;
    current.state = state;
    current.branch = change.branch;
    current.commit = change.commit;
    current.not_before = change.not_before;
    current.updated = clock_.now_seconds();
    end_lease(current);
    TRY(write(current));
    return record(current, who, note, 0);
  });
}

Result<State> Ledger::fail(const Change& change, const Error& error, const std::string& log, double seconds) {
  State state = State::kRed;
  const auto work = [&]() -> Result<> {
    Change current = TRY(leased(change));
    const std::string who = current.owner;
    const std::int64_t now = clock_.now_seconds();
    ++current.attempts;
    if (error.kind() == ErrorKind::kUnavailable) {
      state = current.attempts < policy_.attempts ? State::kReady : State::kQuarantined;
      current.not_before = now + wait_after(policy_, current.attempts, current.id);
    }
    current.state = state;
    current.branch = change.branch;
    current.commit = change.commit;
    current.error = error.render();
    current.error_kind = std::string(name_of(error.kind()));
    current.log = log;
    current.updated = now;
    end_lease(current);
    TRY(write(current));
    return record(current, who, first_line(current.error), seconds);
  };
  TRY(database_->transaction(Durability::kLater, work));
  return state;
}

Result<> Ledger::person(std::int64_t id, const std::string& who, const std::string& what,
                        const std::function<Result<>(Change&)>& edit) {
  return database_->transaction(Durability::kNow, [&]() -> Result<> {
    Change change = TRY(get(id));
    TRY(edit(change));
    change.updated = clock_.now_seconds();
    TRY(write(change));
    return record(change, who, what, 0);
  });
}

namespace {

Error not_now(const Change& change, std::string_view what) {
  return Error::make(ErrorKind::kConflict, "change {} ({}) is {}, and cannot be {}", change.id, change.package,
                     farm::name_of(change.state), what);
}

/// The step that makes it visible is under way: main may have moved, and the serial be there, before the step ends.
Result<> not_while_published(const Change& change, std::int64_t now, std::string_view what) {
  if (change.state != State::kRunning || next_of(change.stage) != Stage::kPublished || change.lease_until < now)
    return {};
  return Error::make(ErrorKind::kConflict, "change {} ({}) is being published, and cannot be {}", change.id,
                     change.package, what)
      .hint("try again when this step is over; `nacre farm status` says what runs");
}

}  // namespace

Result<> Ledger::hold(std::int64_t id, const std::string& who) {
  return person(id, who, "held", [&](Change& change) -> Result<> {
    if (!is_live(change.state) || change.state == State::kHeld) return not_now(change, "held");
    TRY(not_while_published(change, clock_.now_seconds(), "held"));
    change.state = State::kHeld;  // a worker that has it finds out at its next heartbeat
    end_lease(change);
    return {};
  });
}

Result<> Ledger::release(std::int64_t id, const std::string& who) {
  return person(id, who, "released", [](Change& change) -> Result<> {
    if (change.state != State::kHeld) return not_now(change, "released");
    change.state = State::kReady;
    return {};
  });
}

Result<> Ledger::retry(std::int64_t id, const std::string& who) {
  return person(id, who, "to be tried again", [&](Change& change) -> Result<> {
    const bool waits = change.state == State::kReady && change.attempts > 0;
    if (change.state != State::kRed && change.state != State::kQuarantined && !waits)
      return not_now(change, "tried again");
    change.state = State::kReady;
    change.attempts = 0;
    change.not_before = 0;
    return {};
  });
}

Result<> Ledger::approve(std::int64_t id, const std::string& who) {
  return person(id, who, "approved", [&](Change& change) -> Result<> {
    if (!is_live(change.state) || change.stage >= Stage::kPublished) return not_now(change, "approved");
    change.approved_by = who;
    if (change.state == State::kWaiting) change.state = State::kReady;
    return {};
  });
}

Result<> Ledger::cancel(std::int64_t id, const std::string& who, const std::string& why) {
  return person(id, who, why.empty() ? "cancelled" : "cancelled: " + why, [&](Change& change) -> Result<> {
    if (!is_live(change.state)) return not_now(change, "cancelled");
    TRY(not_while_published(change, clock_.now_seconds(), "cancelled"));
    if (change.stage >= Stage::kPublished)
      return Error::make(ErrorKind::kConflict, "change {} ({}) is published as serial {}, and cannot be cancelled",
                         change.id, change.package, change.serial)
          .hint("`nacre rollback` publishes the content of the serial before");
    change.state = State::kCancelled;
    end_lease(change);
    return {};
  });
}

Result<bool> Ledger::supersede(std::int64_t id, const std::string& why) {
  bool done = false;
  const auto work = [&]() -> Result<> {
    Change change = TRY(get(id));
    if (!is_live(change.state) || change.state == State::kRunning || change.stage >= Stage::kPublished) return {};
    change.state = State::kSuperseded;
    change.updated = clock_.now_seconds();
    TRY(write(change));
    done = true;
    return record(change, "farm", "superseded: " + why, 0);
  };
  TRY(database_->transaction(Durability::kNow, work));
  return done;
}

Result<> Ledger::pause(bool stop, const std::string& who) { return set_note("paused", stop ? who : ""); }

Result<bool> Ledger::paused() {
  const std::optional<std::string> who = TRY(note("paused"));
  return who && !who->empty();
}

Result<Change> Ledger::get(std::int64_t id) {
  const std::vector<Row> rows = TRY(database_->run("look for a change", select_where("WHERE id = $1"), {id}));
  if (rows.empty())
    return Error::make(ErrorKind::kNotFound, "there is no change {}", id).hint("`nacre farm queue --all` lists them");
  return change_of(rows[0]);
}

Result<std::vector<Change>> Ledger::list(Which which) {
  const std::string_view live = "WHERE state NOT IN ('done', 'cancelled', 'superseded') ";
  const std::vector<Row> rows =
      TRY(database_->run("list the changes",
                         select_where(fmt::format("{}ORDER BY priority DESC, id", which == Which::kLive ? live : ""))));
  return changes_of(rows);
}

namespace {

Result<std::vector<Transition>> transitions_of(const std::vector<Row>& rows) {
  std::vector<Transition> out;
  for (const Row& row : rows) {
    Transition transition;
    transition.change = store::number_of(row[0]);
    transition.at = store::number_of(row[1]);
    transition.stage = TRY(parse_stage(row[2]));
    transition.state = TRY(parse_state(row[3]));
    transition.who = row[4];
    transition.note = row[5];
    transition.seconds = static_cast<double>(store::number_of(row[6])) / 1000;
    out.push_back(std::move(transition));
  }
  return out;
}

constexpr std::string_view kTransition =
    "SELECT change_id, at, stage, state, who, note, milliseconds FROM transitions ";

}  // namespace

Result<std::vector<Transition>> Ledger::history(std::int64_t id) {
  TRY(get(id));
  const std::vector<Row> rows =
      TRY(database_->run("read a history", std::string(kTransition) + "WHERE change_id = $1 ORDER BY id", {id}));
  return transitions_of(rows);
}

Result<std::vector<Transition>> Ledger::recent(std::size_t at_most) {
  const std::vector<Row> rows =
      TRY(database_->run("read the history", std::string(kTransition) + "ORDER BY id DESC LIMIT $1",
                         {static_cast<std::int64_t>(at_most)}));
  return transitions_of(rows);
}

Result<std::optional<std::int64_t>> Ledger::next_due() {
  const std::vector<Row> rows =
      TRY(database_->run("look ahead",
                         "SELECT MIN(CASE WHEN state = 'ready' THEN not_before ELSE lease_until + 1 END) FROM changes"
                         " WHERE state IN ('ready', 'running')"));
  std::optional<std::int64_t> out;
  if (!rows.empty() && !rows[0][0].empty()) out = store::number_of(rows[0][0]);
  return out;
}

Result<int> Ledger::recover(const std::function<bool(const std::string& owner)>& is_gone) {
  int freed = 0;
  const auto work = [&]() -> Result<> {
    const std::int64_t now = clock_.now_seconds();
    const std::vector<Row> rows =
        TRY(database_->run("look for leases", select_where("WHERE state IN ('running', 'ready') ORDER BY id")));
    for (Change change : TRY(changes_of(rows))) {
      const std::int64_t longest = now + policy_.longest_wait_seconds + policy_.longest_wait_seconds / 4;
      const bool gone = change.state == State::kRunning &&
                        (is_gone(change.owner) || change.lease_until > now + 2 * policy_.lease_seconds);
      // A release's cooldown may be longer than any wait for another try, but no clock is an hour ahead of another.
      const bool ahead = change.state == State::kReady && change.updated > now + kClocksDiffer;
      const bool far = change.state == State::kReady && change.attempts > 0 && change.not_before > longest;
      if (!gone && !far && !ahead) continue;
      const std::string was = change.owner;
      change.state = State::kReady;
      if (ahead) change.not_before = now + std::max<std::int64_t>(0, change.not_before - change.updated);
      if (far) change.not_before = now;
      change.updated = now;
      end_lease(change);
      TRY(write(change));
      TRY(record(change, "farm", gone ? fmt::format("the worker {} is gone", was) : "the clock was set back", 0));
      freed += gone ? 1 : 0;
    }
    return {};
  };
  TRY(database_->transaction(Durability::kNow, work));
  return freed;
}

Result<std::optional<std::string>> Ledger::note(const std::string& name) {
  const std::vector<Row> rows = TRY(database_->run("read a note", "SELECT value FROM notes WHERE name = $1", {name}));
  std::optional<std::string> out;
  if (!rows.empty()) out = rows[0][0];
  return out;
}

Result<> Ledger::set_note(const std::string& name, const std::string& value) {
  TRY(database_->run("write a note",
                     "INSERT INTO notes (name, value) VALUES ($1, $2)"
                     " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                     {name, value}));
  return {};
}

}  // namespace nacre::farm
