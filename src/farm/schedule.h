#pragma once

#include "farm/policy.h"
#include "os/clock.h"
#include "store/database.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nacre::farm {

/// What is known of one definition's upstream.
struct Upstream {
  std::string package;
  std::int64_t last_asked = 0, next_due = 0;  ///< Seconds since 1970; 0: never. next_due: by the rule of then.
  int failures = 0;                           ///< In a row.
  std::string newest, note;                   ///< What it answered last, or why it did not.
  std::int64_t newest_seen = 0;               ///< When `newest` was seen first.
};

/// A definition whose upstream is asked, and how often.
struct Watched {
  std::string definition;
  WatchRule rule;
};

/// When each definition's upstream is asked next. An upstream that does not answer is asked less and less often, up to
/// once a day, and stops nobody else; questions are spread over their interval, the same way each time.
class Schedule {
 public:
  /// Makes its table. Shares the ledger's database.
  static Result<Schedule> open(store::Database& database, os::Clock& clock);

  /// Those whose time has come by the rules of now, the one that waited longest first.
  Result<std::vector<Watched>> due(const std::vector<Watched>& all);
  /// When the next of these is due; 0: one is now.
  Result<std::int64_t> next_due(const std::vector<Watched>& all);
  /// Its upstream answered: `newest` is the newest release it has ("" when none fits).
  Result<Upstream> answered(const std::string& definition, const std::string& newest, const std::string& note,
                            const WatchRule& rule);
  Result<> failed(const std::string& definition, const std::string& why, const WatchRule& rule);
  /// Asked at the next occasion, whatever the schedule says.
  Result<> ask_now(const std::string& definition);
  Result<std::vector<Upstream>> all();
  /// Copies all of another schedule, inside a transaction of ours.
  Result<> take(Schedule& other);

 private:
  Schedule(store::Database& database, os::Clock& clock) : database_(database), clock_(clock) {}
  Result<std::optional<Upstream>> find(const std::string& definition);
  Result<> write(const Upstream& upstream);
  store::Database& database_;
  os::Clock& clock_;
};

/// Until when a release waits: `cooldown` after it was published, or after it was first seen when nobody says when that
/// was. 0: it need not wait.
std::int64_t cooldown_until(const WatchRule& rule, std::int64_t published, std::int64_t first_seen, std::int64_t now);

/// The release to be taken, of one or more.
struct Pick {
  std::size_t index = 0;
  std::int64_t not_before = 0;
};
/// Of releases that are newer than what is there, by when each was published (0: nobody says), the newest first: the
/// newest whose cooldown is over, else the newest, which waits. Releases that come faster than their cooldown are taken
/// all the same, each in its time.
Pick pick_release(const WatchRule& rule, std::span<const std::int64_t> published, std::int64_t newest_seen,
                  std::int64_t now);

}  // namespace nacre::farm
