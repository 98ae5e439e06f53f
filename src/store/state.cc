#include "store/state.h"

#include <algorithm>
#include <array>

namespace nacre::store {
namespace {

using Durability = Database::Durability;

/// What is known of this machine, or was derived here from blobs and can be again.
constexpr std::array<std::string_view, 20> kLocalKinds = {
    "blob-at",        "components-1",  "failed",         "file-digests", "foreign-answer", "foreign-apk",
    "foreign-file",   "foreign-image", "foreign-index",  "foreign-root", "freshness",      "image-contents",
    "kept-for",       "layer",         "library-name",   "mapped-index", "moved-to",       "pushed",
    "segment",        "solver-pool"};
constexpr const char* kMovedTo = "moved-to";

// Statements as SQLite has them, and as Postgres: there a write outside of a transaction must wait for one that
// excludes writers. The number is that of Database::exclude_writers().
struct Words {
  const char *schema, *put, *claim, *erase;
};
constexpr Words kSqlite = {
    "CREATE TABLE IF NOT EXISTS records ("
    " kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (kind, key)) WITHOUT ROWID",
    "INSERT INTO records (kind, key, value) VALUES ($1, $2, $3)"
    " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
    "INSERT INTO records (kind, key, value) VALUES ($1, $2, $3) ON CONFLICT (kind, key) DO NOTHING",
    "DELETE FROM records WHERE kind = $1 AND key = $2"};
constexpr Words kPostgres = {
    "CREATE TABLE IF NOT EXISTS records ("
    " kind TEXT COLLATE \"C\" NOT NULL, key TEXT COLLATE \"C\" NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (kind, key))",
    "INSERT INTO records (kind, key, value) SELECT $1, $2, $3"
    " FROM pg_advisory_xact_lock_shared(CAST(x'6e61637265207374' AS BIGINT))"
    " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
    "INSERT INTO records (kind, key, value) SELECT $1, $2, $3"
    " FROM pg_advisory_xact_lock_shared(CAST(x'6e61637265207374' AS BIGINT)) ON CONFLICT (kind, key) DO NOTHING",
    "DELETE FROM records USING pg_advisory_xact_lock_shared(CAST(x'6e61637265207374' AS BIGINT))"
    " WHERE kind = $1 AND key = $2"};

const Words& words_of(const Database& database) { return database.holds_any_bytes() ? kSqlite : kPostgres; }

std::string in(const Database& database, std::string_view bytes) {
  return database.holds_any_bytes() ? std::string(bytes) : to_database_text(bytes);
}
std::string out(const Database& database, std::string text) {
  return database.holds_any_bytes() ? std::move(text) : from_database_text(text);
}

/// The first text after all that start with `prefix`; "" when there is none.
std::string end_of(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

std::string to_database_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 1) {
      text += {1, static_cast<char>(byte + 1)};
    } else if (byte < 0x80) {
      text += c;
    } else {
      text += {static_cast<char>(0xc0 | (byte >> 6)), static_cast<char>(0x80 | (byte & 0x3f))};
    }
  }
  return text;
}

std::string from_database_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (first == 1) {
      bytes += static_cast<char>(next - 1);
      ++i;
    } else if (first == 0xc2 || first == 0xc3) {
      bytes += static_cast<char>(((first & 3) << 6) | (next & 0x3f));
      ++i;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

bool State::is_local(std::string_view kind) {
  return std::binary_search(kLocalKinds.begin(), kLocalKinds.end(), kind);
}

Result<std::unique_ptr<State>> State::open(const os::Path& file, const std::string& shared) {
  std::unique_ptr<State> state(new State);
  state->local_ = TRY(open_sqlite(file.string(), "open the state"));
  TRY(state->local_->run("open the state", kSqlite.schema));
  if (shared.empty()) {
    if (const std::optional<std::string> place = TRY(state->get(kMovedTo, "")))
      return Error::make(ErrorKind::kConflict, "the records of '{}' were moved to {}", file.parent_path().string(),
                         *place)
          .hint("set NACRE_STATE to that database, with its user and password");
    return state;
  }
  if (!is_postgres(shared))
    return Error::make(ErrorKind::kInvalid, "expected the address of a shared state as postgres://…, got '{}'",
                       shared.substr(0, shared.find(':')))
        .hint("set NACRE_STATE to a Postgres URL, or leave it unset: the state is then a file in NACRE_HOME");
  state->shared_ = TRY(open_postgres(shared), "opening the shared state");
  state->shared_at_ = address_of(shared);
  const std::string_view tables[] = {kPostgres.schema};
  TRY(make_tables(*state->shared_, tables, "open the state"));
  return state;
}

Result<std::optional<std::string>> State::get(std::string_view kind, std::string_view key) {
  const std::lock_guard lock(mutex_);
  std::optional<std::string> value;
  if (!remembered_.empty()) {
    const auto found = remembered_.find({std::string(kind), std::string(key)});
    if (found != remembered_.end()) return value = found->second;
  }
  Database& database = of(kind);
  std::vector<Database::Row> rows =
      TRY(database.run(fmt::format("read {} '{}'", kind, key), "SELECT value FROM records WHERE kind = $1 AND key = $2",
                       {in(database, kind), in(database, key)}));
  if (!rows.empty()) value = out(database, std::move(rows[0][0]));
  return value;
}

Result<> State::put(std::string_view kind, std::string_view key, std::string_view value) {
  if (ready_ && shared_ && !is_local(kind)) {
    // Long, and nobody else has to wait for it.
    bool now = true;
    {
      const std::lock_guard lock(mutex_);
      now = !in_transaction_ && deferring_ == 0;
    }
    if (now) TRY(ready_());
  }
  const std::lock_guard lock(mutex_);
  if (deferring_ > 0 && !in_transaction_) {
    remembered_[{std::string(kind), std::string(key)}] = value;
    return {};
  }
  return put_now(kind, key, value);
}

Result<> State::put_now(std::string_view kind, std::string_view key, std::string_view value) {
  Database& database = of(kind);
  TRY(database.run(fmt::format("write {} '{}'", kind, key), words_of(database).put,
                   {in(database, kind), in(database, key), in(database, value)}));
  return {};
}

Result<> State::erase(std::string_view kind, std::string_view key) {
  const std::lock_guard lock(mutex_);
  remembered_.erase({std::string(kind), std::string(key)});
  Database& database = of(kind);
  TRY(database.run(fmt::format("erase {} '{}'", kind, key), words_of(database).erase,
                   {in(database, kind), in(database, key)}));
  return {};
}

Result<std::string> State::claim(std::string_view kind, std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  Database& database = of(kind);
  TRY(database.run(fmt::format("claim {} '{}'", kind, key), words_of(database).claim,
                   {in(database, kind), in(database, key), in(database, value)}));
  const std::optional<std::string> stands = TRY(get(kind, key));
  return stands.value_or(std::string(value));
}

Result<std::vector<std::pair<std::string, std::string>>> State::list(std::string_view kind,
                                                                     std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  Database& database = of(kind);
  // Keys are ordered bytewise, so those with the prefix stand together from the prefix itself on.
  std::string sql = "SELECT key, value FROM records WHERE kind = $1 AND key >= $2";
  std::vector<Database::Value> values = {in(database, kind), in(database, prefix)};
  if (const std::string end = end_of(std::string(prefix)); !end.empty()) {
    sql += " AND key < $3";
    values.emplace_back(in(database, end));
  }
  std::vector<Database::Row> rows =
      TRY(database.run(fmt::format("list {} '{}'", kind, prefix), sql + " ORDER BY key", values));
  std::vector<std::pair<std::string, std::string>> all;
  all.reserve(rows.size());
  for (Database::Row& row : rows) all.emplace_back(out(database, std::move(row[0])), out(database, std::move(row[1])));
  return all;
}

Result<std::size_t> State::share_own() {
  if (!shared_)
    return Error::make(ErrorKind::kInvalid, "the state is not shared: its records have nowhere to go")
        .hint("set NACRE_STATE to the Postgres that takes them (docs/shared-state.md)");
  std::vector<Database::Row> rows = TRY(local_->run("read the state", "SELECT kind, key, value FROM records"));
  std::erase_if(rows, [](const Database::Row& row) { return is_local(row[0]); });
  const auto all_are_ours = [&](const std::function<Result<std::string>(const Database::Row&)>& look) -> Result<> {
    for (const Database::Row& row : rows) {
      const std::string there = TRY(look(row));
      if (there != row[2])
        return Error::make(ErrorKind::kConflict, "{} has another record {} '{}' already", shared_at_, row[0], row[1])
            .hint("records move into an empty state, once: name another database, or begin with what is in this one");
    }
    return {};
  };
  const auto found = [&](const Database::Row& row) -> Result<std::string> {
    std::optional<std::string> there = TRY(get(row[0], row[1]));
    return there ? *std::move(there) : row[2];
  };
  TRY(all_are_ours(found));  // before any blob goes there
  const auto write = [&]() -> Result<> {
    return all_are_ours([&](const Database::Row& row) { return claim(row[0], row[1], row[2]); });
  };
  TRY(transaction(write), "moving the records of this home");
  TRY(put(kMovedTo, "", shared_at_));
  return rows.size();
}

State::Deferred::Deferred(State& state) : state_(state) {
  const std::lock_guard lock(state_.mutex_);
  ++state_.deferring_;
}

State::Deferred::~Deferred() {
  {
    const std::lock_guard lock(state_.mutex_);
    --state_.deferring_;
  }
  (void)finish();  // what was found stays true when something else failed
}

Result<> State::Deferred::finish() {
  Result<> ready = state_.get_ready();
  const std::lock_guard lock(state_.mutex_);
  if (state_.remembered_.empty() || state_.in_transaction_) return ready;
  auto all = std::exchange(state_.remembered_, {});
  // As a crash would have it: what cannot be shared was not found.
  if (!ready) std::erase_if(all, [](const auto& row) { return !is_local(row.first.first); });
  // What stands there already is not written again: a run that found nothing new leaves the log alone.
  for (auto row = all.begin(); row != all.end();) {
    const std::optional<std::string> there = TRY(state_.get(row->first.first, row->first.second));
    row = there == row->second ? all.erase(row) : std::next(row);
  }
  for (Database* const database : {state_.local_.get(), state_.shared_.get()}) {
    const auto is_here = [&](const auto& row) { return &state_.of(row.first.first) == database; };
    if (database == nullptr || std::none_of(all.begin(), all.end(), is_here)) continue;
    const auto write = [&]() -> Result<> {
      for (const auto& row : all)
        if (is_here(row)) TRY(state_.put_now(row.first.first, row.first.second, row.second));
      return {};
    };
    TRY(state_.run_transaction(*database, Durability::kLater, write));
  }
  return ready;
}

/// Before what is remembered is written: long, and nobody else has to wait for it.
Result<> State::get_ready() {
  if (!ready_ || !shared_) return {};
  {
    const std::lock_guard lock(mutex_);
    if (in_transaction_ || std::all_of(remembered_.begin(), remembered_.end(),
                                       [](const auto& row) { return is_local(row.first.first); }))
      return {};
  }
  return ready_();
}

Result<> State::transaction(const std::function<Result<>()>& work) {
  if (ready_ && shared_) TRY(ready_());  // most of it, before anybody has to wait
  return run_transaction(shared_ ? *shared_ : *local_, Durability::kNow, work);
}

Result<> State::run_transaction(Database& database, Durability durability, const std::function<Result<>()>& work) {
  const std::lock_guard lock(mutex_);
  if (in_transaction_) return Error::make(ErrorKind::kInternal, "a transaction began inside another one");
  const auto whole = [&]() -> Result<> {
    if (!database.exclude_writers().empty()) TRY(database.run("begin a transaction", database.exclude_writers()));
    TRY(work());
    return ready_ && &database == shared_.get() ? ready_() : Result<>{};
  };
  in_transaction_ = true;
  Result<> outcome = database.transaction(durability, whole);
  in_transaction_ = false;
  return outcome;
}

}  // namespace nacre::store
