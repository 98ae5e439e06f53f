#include "store/sqlite_error.h"

#include <sqlite3.h>

#include <cerrno>
#include <string>

namespace nacre::store {

Error sqlite_error(sqlite3* db, int code, std::string_view what, const os::Path& file) {
  const std::string name = file.string();
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Error::make(ErrorKind::kUnavailable, "cannot {} in '{}': another process held the database for {} s", what,
                         name, kSqlitePatience.count())
          .hint("see what other nacre processes do, and run the same command again");
    case SQLITE_FULL:
      return Error::make(ErrorKind::kUnavailable, "cannot {} in '{}': no space left on device", what, name)
          .hint("free some space and run the same command again: finished work is kept");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return Error::make(ErrorKind::kDenied, "cannot {} in '{}': {}", what, name, sqlite3_errmsg(db))
          .hint("the file and its directory must be writable for this user");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Error::make(ErrorKind::kInvalid, "cannot {}: '{}' is not a sound SQLite database ({})", what, name,
                         sqlite3_errmsg(db))
          .hint("restore it from a copy; blobs and trees beside it are not affected");
    case SQLITE_IOERR:
      // The log's index is a file that is mapped: SQLite cannot tell "full" from other trouble when it grows.
      if (code == SQLITE_IOERR_SHMSIZE || sqlite3_system_errno(db) == ENOSPC)
        return sqlite_error(db, SQLITE_FULL, what, file);
      [[fallthrough]];
    case SQLITE_NOMEM:
      return Error::make(ErrorKind::kUnavailable, "cannot {} in '{}': {}", what, name, sqlite3_errmsg(db));
    default:
      return Error::make(ErrorKind::kInternal, "cannot {} in '{}': SQLite says {} ({})", what, name, sqlite3_errmsg(db),
                         code);
  }
}

std::string sqlite_column(sqlite3_stmt* statement, int index) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, index));
  const int size = sqlite3_column_bytes(statement, index);
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

}  // namespace nacre::store
