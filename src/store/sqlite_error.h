#pragma once

#include "base/result.h"
#include "os/file.h"

#include <chrono>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace nacre::store {

/// How long another process's write is waited for.
inline constexpr std::chrono::seconds kSqlitePatience{30};

/// An SQLite result code as one of our errors. `what` is "read 'serial' 'x'".
Error sqlite_error(sqlite3* db, int code, std::string_view what, const os::Path& file);

/// A column of the present row as text; "" for NULL.
std::string sqlite_column(sqlite3_stmt* statement, int index);

}  // namespace nacre::store
