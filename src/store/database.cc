#include "store/database.h"

#include <charconv>

namespace nacre::store {

Result<std::unique_ptr<Database>> Database::open(const std::string& url) {
  if (url.starts_with("sqlite:")) return open_sqlite(url.substr(7));
  if (is_postgres(url)) return open_postgres(url);
  return Error::make(ErrorKind::kInvalid, "expected the address of a database as sqlite:FILE or postgres://…, got '{}'",
                     url.substr(0, url.find(':')));
}

bool is_postgres(std::string_view url) { return url.starts_with("postgres://") || url.starts_with("postgresql://"); }

std::string without_password(std::string said, std::string_view url) {
  const std::size_t begin = url.find("://"), end = url.rfind('@');
  if (begin == url.npos || end == url.npos || end < begin + 3) return said;
  const std::string_view user = url.substr(begin + 3, end - begin - 3);
  const std::size_t colon = user.find(':');
  if (colon == user.npos) return said;
  // A password with one of these in it is cut there by who reads the address: each piece is a secret.
  const std::string_view password = user.substr(colon + 1);
  std::vector<std::string> secrets = {std::string(password), ""};
  for (const char c : password) {
    if (std::string_view("/?#@").find(c) == std::string_view::npos) secrets.back() += c;
    else secrets.emplace_back();
  }
  for (const std::string& secret : secrets)
    if (!secret.empty() && said.find(secret) != said.npos)
      return "the address cannot be read: write '%', '/', '?', '#' and '@' in its password as %25, %2F, %3F, %23 and "
             "%40";
  return said;
}

Result<> make_tables(Database& database, std::span<const std::string_view> statements, std::string_view what) {
  return database.transaction(Database::Durability::kNow, [&]() -> Result<> {
    if (!database.exclude_writers().empty()) TRY(database.run(what, database.exclude_writers()));
    for (const std::string_view statement : statements) TRY(database.run(what, statement));
    return {};
  });
}

Result<std::size_t> copy_rows(Database& from, Database& to, std::string_view table, std::string_view key,
                              std::string_view columns) {
  const std::string what = fmt::format("copy {}", table);
  const std::vector<Database::Row> rows = TRY(from.run(what, fmt::format("SELECT {} FROM {}", columns, table)));
  if (rows.empty()) return std::size_t{0};
  std::string places = "$1";
  for (std::size_t i = 1; i < rows[0].size(); ++i) places += fmt::format(", ${}", i + 1);
  const std::string sql = fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO NOTHING RETURNING {}", table,
                                      columns, places, key, key);
  std::size_t copied = 0;
  for (const Database::Row& row : rows)
    copied += TRY(to.run(what, sql, std::vector<Database::Value>(row.begin(), row.end()))).size();
  if (copied != 0 && copied != rows.size())
    return Error::make(ErrorKind::kConflict, "{} of {} rows of table '{}' are there already, by another origin",
                       rows.size() - copied, rows.size(), table);
  return copied;
}

std::string address_of(std::string_view url) {
  const std::size_t begin = url.find("://");
  if (begin == url.npos) return std::string(url);
  std::string_view rest = url.substr(begin + 3);
  const std::size_t end = rest.find_first_of("@/");  // as libpq reads it
  if (end != rest.npos && rest[end] == '@') rest.remove_prefix(end + 1);
  return fmt::format("{}://{}", url.substr(0, begin), rest.substr(0, rest.find('?')));
}

std::int64_t number_of(const std::string& column) {
  std::int64_t out = 0;
  (void)std::from_chars(column.data(), column.data() + column.size(), out);
  return out;
}

}  // namespace nacre::store
