#include "store/lease.h"

#include "codec/digest.h"

#include <utility>

namespace nacre::store {
namespace {

/// The number that stands for a lease in Postgres; nobody else in that database should use such.
std::int64_t number_for(std::string_view name) {
  const std::string hex = codec::sha256(fmt::format("nacre lease {}", name)).hex();
  return static_cast<std::int64_t>(std::stoull(hex.substr(0, 16), nullptr, 16));
}

}  // namespace

Result<Database*> SharedLocks::connection() {
  if (!database_) database_ = TRY(open_postgres(url_), "taking a lease");
  return database_.get();
}

Result<bool> SharedLocks::take(std::string_view name, Share share) {
  const std::lock_guard lock(mutex_);
  Database* const database = TRY(connection());
  const std::string_view sql = share == Share::kExclusive ? "SELECT pg_try_advisory_lock($1)"
                                                          : "SELECT pg_try_advisory_lock_shared($1)";
  const auto rows = TRY(database->run(fmt::format("take the lease '{}'", name), sql, {number_for(name)}));
  return rows.at(0).at(0) == "t";
}

void SharedLocks::give_back(std::string_view name, Share share) {
  const std::lock_guard lock(mutex_);
  if (!database_) return;
  const std::string_view sql =
      share == Share::kExclusive ? "SELECT pg_advisory_unlock($1)" : "SELECT pg_advisory_unlock_shared($1)";
  (void)database_->run("give back a lease", sql, {number_for(name)});  // a session that broke has none
}

Result<> SharedLocks::check(std::string_view name, Share share) {
  const std::lock_guard lock(mutex_);
  Database* const database = TRY(connection());
  const auto rows = TRY(database->run(
      fmt::format("check the lease '{}'", name),
      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND mode = $2"
      " AND pid = pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
      " AND (CAST(classid AS BIGINT) << 32) | CAST(objid AS BIGINT) = $1",
      {number_for(name), std::string(share == Share::kExclusive ? "ExclusiveLock" : "ShareLock")}));
  if (number_of(rows.at(0).at(0)) > 0) return {};
  return Error::make(ErrorKind::kConflict,
                     "the lease '{}' was lost: the connection to the shared state broke, and others may have it now",
                     name)
      .hint("nothing of this was made visible: run the same command again, it finds what is there");
}

Lease::Lease(Lease&& other) noexcept
    : file_(std::move(other.file_)),
      locks_(std::exchange(other.locks_, nullptr)),
      name_(std::move(other.name_)),
      share_(other.share_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  if (locks_ != nullptr) locks_->give_back(name_, share_);
  file_ = std::move(other.file_);
  locks_ = std::exchange(other.locks_, nullptr);
  name_ = std::move(other.name_);
  share_ = other.share_;
  return *this;
}

Lease::~Lease() {
  if (locks_ != nullptr) locks_->give_back(name_, share_);  // before the file: who waits for that then gets both
}

Result<> Lease::check() const { return locks_ == nullptr ? Result<>{} : locks_->check(name_, share_); }

}  // namespace nacre::store
