#include "store/state.h"

#include "store/sqlite_error.h"

#include <sqlite3.h>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace nacre::store {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::string_view kRead = "SELECT value FROM records WHERE kind = ?1 AND key = ?2";
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS records ("
    " kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (kind, key)) WITHOUT ROWID";

}  // namespace

struct State::Impl {
  /// Returns false to stop; reads columns of the current row.
  using OnRow = std::function<bool(sqlite3_stmt*)>;

  os::Path file;
  sqlite3* db = nullptr;
  std::recursive_mutex mutex;  ///< Recursive: the work of a transaction calls get and put.
  bool in_transaction = false;
  int deferring = 0;           ///< How many Deferred live.
  std::map<std::pair<std::string, std::string>, std::string> remembered;
  sqlite3_stmt* reader = nullptr;   ///< Of get(), which is asked most: prepared once.

  ~Impl() {
    sqlite3_finalize(reader);
    // Who wrote nothing has nothing to bring from the log into the file, which is three syncs.
    if (db != nullptr && sqlite3_total_changes(db) == 0)
      sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_close(db);
  }

  /// Prepares, binds and steps one statement to its end. SQLite answers "busy" at once, without its
  /// own waiting, where waiting could deadlock (a log in recovery, a mode being changed): outside
  /// transactions, where nothing was done yet, such an answer is tried again.
  Result<> run(std::string_view sql, std::initializer_list<std::string_view> values,
               std::string_view what, const OnRow& on_row = {}) {
    const auto deadline = Steady::now() + kSqlitePatience;
    bool any_row = false;
    const OnRow row = [&](sqlite3_stmt* statement) {
      any_row = true;
      return !on_row || on_row(statement);
    };
    while (true) {
      const int code = run_once(sql, values, row);
      if (code == SQLITE_DONE) return {};
      const bool busy = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_PROTOCOL;
      if (!busy || any_row || in_transaction || Steady::now() >= deadline)
        return sqlite_error(db, code, what, file);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  int run_once(std::string_view sql, std::initializer_list<std::string_view> values,
               const OnRow& on_row) {
    const bool kept = sql == kRead;
    sqlite3_stmt* statement = kept ? reader : nullptr;
    const int size = static_cast<int>(sql.size());
    int code = statement != nullptr ? SQLITE_OK : sqlite3_prepare_v2(db, sql.data(), size, &statement, nullptr);
    if (kept) reader = statement;
    int place = 0;
    for (const std::string_view value : values) {
      if (code != SQLITE_OK) break;
      // A null pointer would bind NULL, and an empty view may hold one.
      code = sqlite3_bind_text64(statement, ++place, value.empty() ? "" : value.data(),
                                 value.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    if (code == SQLITE_OK)
      while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (!on_row(statement)) {
          code = SQLITE_DONE;
          break;
        }
    if (kept) {
      sqlite3_reset(statement);   // the bytes that are bound do not live as long as it
      sqlite3_clear_bindings(statement);
    } else {
      sqlite3_finalize(statement);
    }
    return code;
  }
};

State::State(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
State::~State() = default;

Result<std::unique_ptr<State>> State::open(const os::Path& file) {
  auto impl = std::make_unique<Impl>();
  impl->file = file;
  const bool was_there = os::exists(file);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
                    SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &impl->db, flags, nullptr);
  if (code != SQLITE_OK) return sqlite_error(impl->db, code, "open the state", file);
  sqlite3_busy_timeout(impl->db, static_cast<int>(std::chrono::milliseconds(kSqlitePatience).count()));

  // The log and its index stay when the last process closes: on a full disk they could not be made
  // again, and then not even a server of what is there could start.
  int stay = 1;
  (void)sqlite3_file_control(impl->db, "main", SQLITE_FCNTL_PERSIST_WAL, &stay);

  std::string mode;
  TRY(impl->run("PRAGMA journal_mode=WAL", {}, "open the state", [&](sqlite3_stmt* row) {
    mode = sqlite_column(row, 0);
    return true;
  }));
  if (mode != "wal")
    return Error::make(ErrorKind::kInvalid,
                       "cannot keep '{}' in write-ahead mode: SQLite stays in mode '{}'",
                       file.string(), mode)
        .hint("put NACRE_HOME on a local file system");
  TRY(impl->run("PRAGMA synchronous=FULL", {}, "open the state"));
  TRY(impl->run(kSchema, {}, "open the state"));
  if (!was_there) TRY(os::sync_dir(file.has_parent_path() ? file.parent_path() : os::Path(".")));
  return std::unique_ptr<State>(new State(std::move(impl)));
}

Result<std::optional<std::string>> State::get(std::string_view kind, std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  std::optional<std::string> out;
  if (!impl_->remembered.empty()) {
    const auto found = impl_->remembered.find({std::string(kind), std::string(key)});
    if (found != impl_->remembered.end()) return out = found->second;
  }
  TRY(impl_->run(kRead, {kind, key},
                 fmt::format("read {} '{}'", kind, key), [&](sqlite3_stmt* row) {
                   out = sqlite_column(row, 0);
                   return true;
                 }));
  return out;
}

Result<> State::put(std::string_view kind, std::string_view key, std::string_view value) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->deferring > 0 && !impl_->in_transaction) {
    impl_->remembered[{std::string(kind), std::string(key)}] = value;
    return {};
  }
  return impl_->run(
      "INSERT INTO records (kind, key, value) VALUES (?1, ?2, ?3)"
      " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
      {kind, key, value}, fmt::format("write {} '{}'", kind, key));
}

Result<> State::erase(std::string_view kind, std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  impl_->remembered.erase({std::string(kind), std::string(key)});
  return impl_->run("DELETE FROM records WHERE kind = ?1 AND key = ?2", {kind, key},
                    fmt::format("erase {} '{}'", kind, key));
}

Result<std::vector<std::pair<std::string, std::string>>> State::list(std::string_view kind,
                                                                     std::string_view prefix) {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::pair<std::string, std::string>> out;
  // Keys are ordered bytewise, so those with the prefix stand together from the prefix itself on.
  TRY(impl_->run("SELECT key, value FROM records WHERE kind = ?1 AND key >= ?2 ORDER BY key",
                 {kind, prefix}, fmt::format("list {} '{}'", kind, prefix), [&](sqlite3_stmt* row) {
                   std::string key = sqlite_column(row, 0);
                   if (!key.starts_with(prefix)) return false;
                   out.emplace_back(std::move(key), sqlite_column(row, 1));
                   return true;
                 }));
  return out;
}

State::Deferred::Deferred(State& state) : state_(state) {
  const std::lock_guard lock(state_.impl_->mutex);
  ++state_.impl_->deferring;
}

State::Deferred::~Deferred() {
  const std::lock_guard lock(state_.impl_->mutex);
  (void)finish();  // what was found stays true when something else failed
  --state_.impl_->deferring;
}

Result<> State::Deferred::finish() {
  Impl& impl = *state_.impl_;
  const std::lock_guard lock(impl.mutex);
  if (impl.remembered.empty() || impl.in_transaction) return {};
  auto all = std::exchange(impl.remembered, {});
  // What stands there already is not written again: a run that found nothing new leaves the log alone.
  for (auto row = all.begin(); row != all.end();) {
    const std::optional<std::string> there = TRY(state_.get(row->first.first, row->first.second));
    row = there == row->second ? all.erase(row) : std::next(row);
  }
  if (all.empty()) return {};
  TRY(impl.run("PRAGMA synchronous=NORMAL", {}, "write what was found"));
  Result<> done = state_.transaction([&]() -> Result<> {
    for (const auto& [name, value] : all) TRY(state_.put(name.first, name.second, value));
    return {};
  });
  TRY(impl.run("PRAGMA synchronous=FULL", {}, "write what was found"));
  return done;
}

Result<> State::transaction(const std::function<Result<>()>& work) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->in_transaction)
    return Error::make(ErrorKind::kInternal, "a transaction began inside another one");
  TRY(impl_->run("BEGIN IMMEDIATE", {}, "begin a transaction"));
  impl_->in_transaction = true;
  Result<> outcome = work();
  if (outcome) outcome = impl_->run("COMMIT", {}, "commit");
  impl_->in_transaction = false;
  // A disk that is full rolls back by itself; nothing is left to do then.
  if (!outcome && sqlite3_get_autocommit(impl_->db) == 0)
    (void)impl_->run("ROLLBACK", {}, "roll back");
  return outcome;
}

}  // namespace nacre::store
