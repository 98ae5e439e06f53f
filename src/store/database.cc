#include "store/database.h"

#include <charconv>

namespace nacre::store {

Result<std::unique_ptr<Database>> Database::open(const std::string& url) {
  if (url.starts_with("sqlite:")) return open_sqlite(url.substr(7));
  if (url.starts_with("postgres://") || url.starts_with("postgresql://")) return open_postgres(url);
  return Error::make(ErrorKind::kInvalid, "expected the address of a database as sqlite:FILE or postgres://…, got '{}'",
                     url.substr(0, url.find(':')));
}

std::int64_t number_of(const std::string& column) {
  std::int64_t out = 0;
  (void)std::from_chars(column.data(), column.data() + column.size(), out);
  return out;
}

}  // namespace nacre::store
