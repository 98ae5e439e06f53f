#include "base/lines.h"
#include "base/text.h"
#include "store/database.h"

#include <libpq-fe.h>

#include <mutex>

namespace nacre::store {
namespace {

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Answer = std::unique_ptr<PGresult, Finish>;

/// Of a fault: 08 is the connection, 57P0x a server that stops, 53 is too little of something, 40 is a deadlock.
ErrorKind kind_of(std::string_view state) {
  if (state.empty() || state.starts_with("08") || state.starts_with("57P0") || state.starts_with("53") ||
      state.starts_with("40"))
    return ErrorKind::kUnavailable;
  if (state.starts_with("28") || state == "42501") return ErrorKind::kDenied;
  return ErrorKind::kInternal;
}

/// What libpq says, which may be nothing.
std::string words_of(const char* said) { return std::string(trim(first_line(said == nullptr ? "" : said))); }

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(std::string url) : url_(std::move(url)) {}

  /// Who fell silent is given up after half a minute, by us and by the server, which then lets go of its locks; unless
  /// the address says otherwise.
  Result<> connect() {
    const char* const words[] = {"connect_timeout",  "keepalives_idle", "keepalives_interval", "keepalives_count",
                                 "tcp_user_timeout", "options",         "dbname",              nullptr};
    const char* const values[] = {
        "10",          "10", "5", "4", "30000",
        "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4", url_.c_str(), nullptr};
    connection_.reset(PQconnectdbParams(words, values, 1));
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      const std::string why = without_password(words_of(PQerrorMessage(connection_.get())), url_);
      connection_.reset();
      return Error::make(ErrorKind::kUnavailable, "cannot connect to the Postgres database: {}", why)
          .hint("the address is postgres://USER:PASSWORD@HOST:PORT/NAME, and the server must run");
    }
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    return {};
  }

  Result<std::vector<Row>> run(std::string_view what, std::string_view sql, const std::vector<Value>& values) override {
    const std::lock_guard lock(mutex_);
    TRY(ensure_connected());
    std::vector<std::string> texts;
    for (const Value& value : values)
      texts.push_back(std::holds_alternative<std::int64_t>(value) ? std::to_string(std::get<std::int64_t>(value))
                                                                  : std::get<std::string>(value));
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    const Answer answer(PQexecParams(connection_.get(), std::string(sql).c_str(), static_cast<int>(pointers.size()),
                                     nullptr, pointers.data(), nullptr, nullptr, 0));
    const ExecStatusType status = PQresultStatus(answer.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return fault(what, answer.get());
    std::vector<Row> rows;
    for (int i = 0; i < PQntuples(answer.get()); ++i) {
      Row row;
      for (int j = 0; j < PQnfields(answer.get()); ++j) row.emplace_back(PQgetvalue(answer.get(), i, j));
      rows.push_back(std::move(row));
    }
    return rows;
  }

  Result<> transaction(Durability durability, const std::function<Result<>()>& work) override {
    const std::lock_guard lock(mutex_);
    if (in_transaction_) return Error::make(ErrorKind::kInternal, "a transaction began inside another one");
    TRY(run("begin a transaction", "BEGIN", {}));
    in_transaction_ = true;
    Result<> outcome;
    if (durability == Durability::kLater) {
      auto relaxed = run("begin a transaction", "SET LOCAL synchronous_commit = off", {});
      if (!relaxed) outcome = std::move(relaxed).error();
    }
    if (outcome) outcome = work();
    if (outcome) {
      auto committed = run("commit", "COMMIT", {});
      if (!committed) outcome = std::move(committed).error();
    } else if (connection_) {
      (void)run("roll back", "ROLLBACK", {});
    }
    in_transaction_ = false;
    return outcome;
  }

  std::string_view hold_rows() const override { return " FOR UPDATE SKIP LOCKED"; }
  /// A lock of the transaction's, by a number that nobody else in this database should use: "nacre st".
  std::string_view exclude_writers() const override {
    return "SELECT pg_advisory_xact_lock(CAST(x'6e61637265207374' AS BIGINT))";
  }
  bool holds_any_bytes() const override { return false; }

 private:
  /// A connection that was lost is made anew, but never inside a transaction, whose first half would be missing.
  Result<> ensure_connected() {
    if (connection_ && PQstatus(connection_.get()) == CONNECTION_OK) return {};
    if (in_transaction_)
      return Error::make(ErrorKind::kUnavailable, "the connection to the Postgres database was lost");
    return connect();
  }

  Error fault(std::string_view what, PGresult* answer) {
    const char* state = answer == nullptr ? nullptr : PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    const std::string why =
        words_of(answer == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(answer));
    const bool lost = PQstatus(connection_.get()) != CONNECTION_OK;
    const ErrorKind kind = lost ? ErrorKind::kUnavailable : kind_of(state == nullptr ? "" : state);
    return Error::make(kind, "cannot {} in the Postgres database: {}", what, why);
  }

  std::string url_;
  std::recursive_mutex mutex_;  ///< Recursive: the work of a transaction calls run().
  Connection connection_;
  bool in_transaction_ = false;
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(const std::string& url) {
  auto database = std::make_unique<PostgresDatabase>(url);
  TRY(database->connect());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace nacre::store
