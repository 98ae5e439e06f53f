#include "farm/copy_farm.h"

#include "farm/ledger.h"
#include "farm/schedule.h"

namespace nacre::farm {

Result<std::size_t> copy_farm(const std::string& from, const std::string& to, os::Clock& clock) {
  const std::unique_ptr<Ledger> here = TRY(Ledger::open(from, clock)), there = TRY(Ledger::open(to, clock));
  Schedule own = TRY(Schedule::open(here->database(), clock)), shared = TRY(Schedule::open(there->database(), clock));
  std::size_t changes = 0;
  const auto copy = [&]() -> Result<> {
    changes = TRY(there->take(*here));
    return changes == 0 ? Result<>() : shared.take(own);
  };
  TRY(there->database().transaction(store::Database::Durability::kNow, copy), "moving the farm's ledger");
  return changes;
}

}  // namespace nacre::farm
