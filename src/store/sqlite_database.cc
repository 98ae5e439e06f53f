#include "store/database.h"
#include "store/sqlite_error.h"

#include <sqlite3.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>

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
    sqlite3_close(db_);
  }

  Result<> connect() {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;
    if (const int code = sqlite3_open_v2(file_.c_str(), &db_, flags, nullptr); code != SQLITE_OK)
      return sqlite_error(db_, code, "open the database", file_);
    sqlite3_busy_timeout(db_, static_cast<int>(std::chrono::milliseconds(kSqlitePatience).count()));
    const std::vector<Row> mode = TRY(run("open the database", "PRAGMA journal_mode=WAL", {}));
    if (mode.empty() || mode[0][0] != "wal")
      return Error::make(ErrorKind::kInvalid, "cannot keep '{}' in write-ahead mode", file_.string())
          .hint("put it on a local file system");
    TRY(run("open the database", "PRAGMA synchronous=FULL", {}));
    return {};
  }

  Result<std::vector<Row>> run(std::string_view what, std::string_view sql, const std::vector<Value>& values) override {
    const std::lock_guard lock(mutex_);
    sqlite3_stmt* statement = TRY(prepare(what, sql));
    std::vector<Row> rows;
    int code = bind(statement, values);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
      Row row;
      for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(sqlite_column(statement, i));
      rows.push_back(std::move(row));
      code = SQLITE_OK;
    }
    const bool done = code == SQLITE_DONE;
    std::optional<Error> error;
    if (!done) error = sqlite_error(db_, code, what, file_);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (error) return *std::move(error);
    return rows;
  }

  Result<> transaction(Durability durability, const std::function<Result<>()>& work) override {
    const std::lock_guard lock(mutex_);
    if (in_transaction_) return Error::make(ErrorKind::kInternal, "a transaction began inside another one");
    TRY(run("begin a transaction",
            durability == Durability::kNow ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", {}));
    TRY(run("begin a transaction", "BEGIN IMMEDIATE", {}));
    in_transaction_ = true;
    Result<> outcome = work();
    if (outcome) {
      auto committed = run("commit", "COMMIT", {});
      if (!committed) outcome = std::move(committed).error();
    }
    in_transaction_ = false;
    // A disk that is full rolls back by itself; nothing is left to do then.
    if (!outcome && sqlite3_get_autocommit(db_) == 0) (void)run("roll back", "ROLLBACK", {});
    return outcome;
  }

  std::string_view hold_rows() const override { return ""; }

 private:
  Result<sqlite3_stmt*> prepare(std::string_view what, std::string_view sql) {
    const auto known = statements_.find(sql);
    if (known != statements_.end()) return known->second.get();
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, nullptr);
    if (code != SQLITE_OK) return sqlite_error(db_, code, what, file_);
    return statements_.emplace(std::string(sql), Statement(statement)).first->second.get();
  }

  int bind(sqlite3_stmt* statement, const std::vector<Value>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int place = sqlite3_bind_parameter_index(statement, fmt::format("${}", i + 1).c_str());
      int code = SQLITE_OK;
      if (const auto* number = std::get_if<std::int64_t>(&values[i]))
        code = sqlite3_bind_int64(statement, place, *number);
      else if (const auto& text = std::get<std::string>(values[i]); true)
        code = sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
  }

  os::Path file_;
  sqlite3* db_ = nullptr;
  std::recursive_mutex mutex_;  ///< Recursive: the work of a transaction calls run().
  bool in_transaction_ = false;
  std::map<std::string, Statement, std::less<>> statements_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const std::string& file) {
  const os::Path path(file);
  const bool was_there = os::exists(path);
  auto database = std::make_unique<SqliteDatabase>(path);
  TRY(database->connect());
  if (!was_there) TRY(os::sync_dir(path.has_parent_path() ? path.parent_path() : os::Path(".")));
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace nacre::store
