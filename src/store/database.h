#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nacre::store {

/// A database of tables: SQLite in a file of this machine, or Postgres that several machines share. Statements are
/// written in what both speak: parameters $1, $2 …, ON CONFLICT, RETURNING.
///
/// One connection; calls are serialised by a mutex, so it is safe to share between threads. SQLite waits up to 30 s for
/// other processes. A Postgres that went away is kUnavailable, and the next call connects anew.
class Database {
 public:
  /// "sqlite:FILE", or a Postgres URL ("postgres://USER@HOST/NAME"). kInvalid for another scheme. No password of a URL
  /// appears in an error.
  static Result<std::unique_ptr<Database>> open(const std::string& url);
  virtual ~Database() = default;
  Database(const Database&) = delete;

  using Value = std::variant<std::int64_t, std::string>;
  /// Columns as text; "" for NULL. Numbers are decimal.
  using Row = std::vector<std::string>;
  /// Runs one statement; `what` is what an error says: "claim a change".
  virtual Result<std::vector<Row>> run(std::string_view what, std::string_view sql,
                                       const std::vector<Value>& values = {}) = 0;

  /// When a transaction must be on disk. kNow: before the call returns. kLater: a crash of the machine (not of this
  /// program) may lose it and all that came after it.
  enum class Durability { kNow, kLater };
  /// Runs `work` as one transaction that excludes other writers from its first statement on (SQLite), or from the rows
  /// that it touches (Postgres). An Error, or a crash, rolls all back. Not reentrant.
  virtual Result<> transaction(Durability durability, const std::function<Result<>()>& work) = 0;

  /// What makes a SELECT inside a transaction hold the rows that it picks and pass over those that others hold.
  virtual std::string_view hold_rows() const = 0;
  /// The statement that, first in a transaction, excludes all others that begin with it; "" where every transaction
  /// does.
  virtual std::string_view exclude_writers() const = 0;
  /// Whether a text may be any bytes. Else it is UTF-8 without NUL.
  virtual bool holds_any_bytes() const = 0;

 protected:
  Database() = default;
};

/// Makes tables that are not there yet, by statements that say IF NOT EXISTS, as one transaction. Of several programs
/// that make the same table at once Postgres refuses all but one: they take turns here. `what` as of Database::run().
Result<> make_tables(Database& database, std::span<const std::string_view> statements,
                     std::string_view what = "make the tables");

/// Copies the rows of a table, of which `key` is the primary key, inside a transaction of `to`; how many. Rows that all
/// are there already are left as they are (0). kConflict when some are, which belong to something else.
Result<std::size_t> copy_rows(Database& from, Database& to, std::string_view table, std::string_view key,
                              std::string_view columns);

/// A Postgres URL without user and password, to be told.
std::string address_of(std::string_view url);

/// A column as a number; 0 when it is empty.
std::int64_t number_of(const std::string& column);

/// Whether an address is one of Postgres.
bool is_postgres(std::string_view url);

// The two kinds; Database::open() chooses. `what` is what an error says was done: "open the database".
Result<std::unique_ptr<Database>> open_sqlite(const std::string& file, std::string_view what = "open the database");
Result<std::unique_ptr<Database>> open_postgres(const std::string& url);

/// What libpq said of an address; when that repeats some of the password, what must be wrong with the address instead.
std::string without_password(std::string said, std::string_view url);

}  // namespace nacre::store
