#include "store/database.h"
#include "store/sqlite_error.h"

#include <sqlite3.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace nacre::store {
namespace {

/// One prepared statement, ready to be used again.
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(os::Path file) : file_(std::move(file)) {}
  ~SqliteDatabase() override {
    statements_.clear();
    // Who wrote nothing has nothing to bring from the log into the file, which is three syncs.
    if (db_ != nullptr && sqlite3_total_changes(db_) == 0)
      sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_close(db_);
  }

  Result<> connect(std::string_view what) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;
    if (const int code = sqlite3_open_v2(file_.c_str(), &db_, flags, nullptr); code != SQLITE_OK)
      return sqlite_error(db_, code, what, file_);
    sqlite3_busy_timeout(db_, static_cast<int>(std::chrono::milliseconds(kSqlitePatience).count()));
    // The log and its index stay when the last process closes: on a full disk they could not be made again, and then
    // not even a server of what is there could start.
    int stay = 1;
    (void)sqlite3_file_control(db_, "main", SQLITE_FCNTL_PERSIST_WAL, &stay);
    const std::vector<Row> mode = TRY(run(what, "PRAGMA journal_mode=WAL", {}));
    if (mode.empty() || mode[0][0] != "wal")
      return Error::make(ErrorKind::kInvalid, "cannot keep '{}' in write-ahead mode: SQLite stays in mode '{}'",
                         file_.string(), mode.empty() ? "?" : mode[0][0])
          .hint("put it, or NACRE_HOME, on a local file system");
    return {};
  }

  Result<std::vector<Row>> run(std::string_view what, std::string_view sql, const std::vector<Value>& values) override {
    const std::lock_guard lock(mutex_);
    if (!in_transaction_) TRY(sync_at(Durability::kNow, what));
    std::vector<Row> rows;
    TRY(run_patiently(what, sql, values, rows));
    return rows;
  }

  Result<> transaction(Durability durability, const std::function<Result<>()>& work) override {
    const std::lock_guard lock(mutex_);
    if (in_transaction_) return Error::make(ErrorKind::kInternal, "a transaction began inside another one");
    std::vector<Row> none;
    TRY(sync_at(durability, "begin a transaction"));
    TRY(run_patiently("begin a transaction", "BEGIN IMMEDIATE", {}, none));
    in_transaction_ = true;
    Result<> outcome = work();
    if (outcome) outcome = run_patiently("commit", "COMMIT", {}, none);
    in_transaction_ = false;
    // A disk that is full rolls back by itself; nothing is left to do then.
    if (!outcome && sqlite3_get_autocommit(db_) == 0) (void)run_once("ROLLBACK", {}, none);
    return outcome;
  }

  std::string_view hold_rows() const override { return ""; }
  std::string_view exclude_writers() const override { return ""; }
  bool holds_any_bytes() const override { return true; }

 private:
  /// Sets what a commit waits for from now on, when that is something else.
  Result<> sync_at(Durability durability, std::string_view what) {
    if (synced_ == durability) return {};
    std::vector<Row> none;
    const char* sql = durability == Durability::kNow ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
    TRY(run_patiently(what, sql, {}, none));
    synced_ = durability;
    return {};
  }

  /// SQLite answers "busy" at once, without its own waiting, where waiting could deadlock (a log in recovery, a mode
  /// being changed): outside transactions, where nothing was done yet, such an answer is tried again.
  Result<> run_patiently(std::string_view what, std::string_view sql, const std::vector<Value>& values,
                         std::vector<Row>& rows) {
    const auto deadline = std::chrono::steady_clock::now() + kSqlitePatience;
    while (true) {
      const int code = run_once(sql, values, rows);
      if (code == SQLITE_DONE) return {};
      const bool busy = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_PROTOCOL;
      if (!busy || !rows.empty() || in_transaction_ || std::chrono::steady_clock::now() >= deadline)
        return sqlite_error(db_, code, what, file_);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  int run_once(std::string_view sql, const std::vector<Value>& values, std::vector<Row>& rows) {
    sqlite3_stmt* statement = nullptr;
    int code = prepare(sql, statement);
    if (code != SQLITE_OK) return code;
    code = bind(statement, values);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
      Row row;
      const int columns = sqlite3_column_count(statement);
      row.reserve(static_cast<std::size_t>(columns));
      for (int i = 0; i < columns; ++i) row.push_back(sqlite_column(statement, i));
      rows.push_back(std::move(row));
      code = SQLITE_OK;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);  // the bytes that are bound do not live as long as it
    return code;
  }

  int prepare(std::string_view sql, sqlite3_stmt*& statement) {
    const auto known = statements_.find(sql);
    if (known != statements_.end()) {
      statement = known->second.get();
      return SQLITE_OK;
    }
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, nullptr);
    if (code == SQLITE_OK) statements_.emplace(std::string(sql), Statement(statement));
    return code;
  }

  /// The values live as long as the statement runs.
  static int bind(sqlite3_stmt* statement, const std::vector<Value>& values) {
    static constexpr std::array kNames = {"$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9"};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int place = i < kNames.size()
                            ? sqlite3_bind_parameter_index(statement, kNames[i])
                            : sqlite3_bind_parameter_index(statement, fmt::format("${}", i + 1).c_str());
      int code = SQLITE_OK;
      if (const auto* number = std::get_if<std::int64_t>(&values[i]))
        code = sqlite3_bind_int64(statement, place, *number);
      else if (const auto& text = std::get<std::string>(values[i]); true)
        code = sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
      if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
  }

  os::Path file_;
  sqlite3* db_ = nullptr;
  std::recursive_mutex mutex_;  ///< Recursive: the work of a transaction calls run().
  bool in_transaction_ = false;
  Durability synced_ = Durability::kLater;  ///< What commits wait for now; what SQLite begins with, nobody relies on.
  std::map<std::string, Statement, std::less<>> statements_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const std::string& file, std::string_view what) {
  const os::Path path(file);
  const bool was_there = os::exists(path);
  auto database = std::make_unique<SqliteDatabase>(path);
  TRY(database->connect(what));
  if (!was_there) TRY(os::sync_dir(path.has_parent_path() ? path.parent_path() : os::Path(".")));
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace nacre::store
