#pragma once

#include "solve/pool.h"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Inside this room only.
namespace nacre::solve {

/// An atom of the world, read, with where it was written.
struct Wish {
  apk::Dependency atom;
  Place place;
  std::optional<PackageId> chosen;  ///< What was taken for it.
};

/// Why a package may no longer be chosen.
struct Exclusion {
  std::string text;                  ///< "app-1-r0 needs zlib<1.4"
  std::optional<PackageId> because;  ///< The chosen package behind it; none: the user or the package itself.
};

/// The greedy choice of spec 3.4. Once run() is done, order() holds the answer.
class Solver {
 public:
  Solver(const Pool& pool, std::vector<Wish> world);
  Result<> run();
  const std::vector<PackageId>& order() const { return order_; }

 private:
  // choosing
  Result<> choose_world();
  Result<> visit(PackageId id, const std::string& tag, int depth);
  Result<> add_companions();
  std::optional<PackageId> next_companion() const;
  Result<> select(PackageId id);
  Result<> exclude_by(const apk::Dependency& atom, std::optional<PackageId> asker);
  void exclude_rivals(PackageId id);
  void exclude(PackageId id, std::string text, std::optional<PackageId> because);
  std::vector<PackageId> candidates(const apk::Dependency& atom, const std::string& tag) const;
  PackageId best(const std::vector<PackageId>& from, const std::string& name, const std::string& tag) const;
  bool better(PackageId a, PackageId b, const std::string& name, const std::string& tag) const;
  std::optional<PackageId> chosen_for(const apk::Dependency& atom) const;
  bool installed(const apk::Dependency& atom) const;  ///< Chosen, and in the order or under way.

  // explain.cc: the words for "no"
  Error nothing_fits(const apk::Dependency& atom, std::optional<PackageId> asker, const std::string& tag) const;
  Error excluded(const apk::Dependency& atom, std::optional<PackageId> asker, PackageId victim) const;
  struct Chain {
    std::vector<std::string> lines;  ///< "you asked for nginx", "nginx-1.0-r0 needs zlib", …
    Place place;
  };
  Chain chain_to(PackageId id) const;
  std::string reason_against(const apk::Dependency& atom, PackageId id, const std::string& tag) const;

  const Pool& pool_;
  std::vector<Wish> world_;
  std::vector<std::optional<Exclusion>> excluded_;
  std::vector<char> chosen_, visited_;
  std::set<std::pair<std::string, std::string>> origins_;  ///< Origin and version of what is chosen.
  std::vector<PackageId> order_;
};

}  // namespace nacre::solve
