#pragma once

#include "solve/problem.h"

#include <deque>
#include <set>
#include <utility>
#include <vector>

// The choice as apk-tools makes it: what must be so is passed up and down the graph until nothing moves, then the name
// with the least choice is given to its best provider, and so on. No choice is taken back, so that a "no" of it proves
// nothing (search.h asks again). Inside this room only.
namespace nacre::solve {

/// What apk-tools calls solver flags: of a name, of packages, or of everything.
enum ApkFlag : unsigned {
  kUpgrade = 1,     ///< What is installed is no argument.
  kLatest = 2,      ///< The highest version, even where it cannot be had.
  kAvailable = 4,   ///< Rather what a repository has now.
  kReinstall = 8,
  kInstalled = 16,  ///< Rather what is installed (upgrade --ignore).
  kRemove = 32,
};

/// A package that is installed already, and the tag that it was installed under.
struct ApkInstalled {
  PackageId package = 0;
  std::string tag;
};

struct ApkNameFlag {
  NameId name = 0;
  unsigned flags = 0, inherited = 0;
};

struct ApkQuestion {
  unsigned flags = 0;                      ///< For everything.
  std::vector<ApkNameFlag> name_flags;
  std::vector<ApkInstalled> installed;     ///< In the database's order.
  bool self_upgrade = false;               ///< Nothing but what has kUpgrade is to be touched.
  bool give_up_broken = false;             ///< --force-broken-world.
};

/// One step of the transaction. Neither is set twice for one package.
struct ApkChange {
  PackageId before = kNone, after = kNone;
  std::uint32_t tag_before = 0, tag_after = 0;
  bool reinstall = false;
};

struct ApkAnswer {
  std::vector<ApkChange> changes;       ///< All that stays, comes and goes, in apk-tools' order.
  unsigned errors = 0;
  bool too_deep = false;                ///< Needs are nested deeper than the solver follows them.
  std::vector<std::string> tags;        ///< [0] is "", for repositories without a tag.
};

/// Chooses for `problem.world`, which it sorts by name as apk-tools does. Rules must not be apko's.
ApkAnswer apk_choose(Problem& problem, const ApkQuestion& question);

}  // namespace nacre::solve
