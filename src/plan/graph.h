#pragma once

#include "base/result.h"
#include "definition/definition.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace nacre::plan {

/// Which of our packages give what, and what each needs at run time. Internal to the room.
///
/// A name belongs first to the package that bears it, else to every package that provides it:
/// definitions do not say which provider a solver takes, and a plan must come after all that may be
/// taken.
class PackageGraph {
 public:
  /// kConflict when two definitions, or one twice, make a package of one name; kInvalid for an atom
  /// that is none.
  static Result<PackageGraph> make(const std::vector<const definition::Definition*>& definitions);

  /// A package in a build root; `sure` when no other package could stand in its place.
  struct Member {
    std::size_t maker = 0;  ///< Index of the definition.
    bool sure = true;
  };
  using Root = std::map<std::string, Member>;  ///< By package name.

  /// Our packages that a root with these atoms holds: givers of the atoms and, transitively, of
  /// what those need. Atoms that nothing of ours gives are stage 0's. kInvalid for a text that is
  /// no atom; `file` is where it stands.
  Result<Root> root_of(const std::vector<std::string>& atoms, const std::string& file) const;

  /// Index of the definition that makes a package, or -1.
  std::ptrdiff_t maker_of(const std::string& package) const;
  std::vector<std::string> package_names() const;

 private:
  struct Giver {
    std::size_t package;
    std::string version;  ///< Of the package, or of what it provides; may be empty.
  };
  struct Need {
    std::vector<std::size_t> givers;
  };
  struct Package {
    std::string name;
    std::size_t maker;
    std::vector<Need> needs;
  };

  Result<Need> resolve(const std::string& atom, const std::string& file) const;
  Result<> add(const definition::Definition& definition, std::size_t maker, const std::string& name,
               const definition::Dependencies& dependencies);

  std::vector<Package> packages_;
  std::map<std::string, std::size_t> by_name_;
  std::map<std::string, std::vector<Giver>> named_, provided_;
  std::vector<std::string> files_;  ///< Of each definition, for messages.
};

}  // namespace nacre::plan
