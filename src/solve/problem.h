#pragma once

#include "solve/pool.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// One question to the solver: what of the pool can be reached from the world, with small numbers, and the rules by
// which an offer meets an atom. Inside this room only.
namespace nacre::solve {

using NameId = std::uint32_t;
using PackageId = std::uint32_t;

/// Where atoms and versions are read as apk-tools has it, and where as apko has it.
struct Rules {
  /// False, apk-tools: a provide without a version is lower than every version. True, apko: it meets no atom with an
  /// operator, and "so:" names without a revision are below package versions (see apk::comparable_version).
  bool apko = false;
  /// apko's reading of operators (`==` is any version) and its version order.
  bool apko_language = false;
};

struct Atom {
  NameId name = 0;
  std::string_view version, tag;
  unsigned op = apk::kAny;
  bool conflict = false;
  bool broken = false;  ///< Given up by the world (--force-broken-world).
};

struct Provide {
  NameId name = 0;
  std::string_view version;  ///< Empty: without a version.
};

struct Offer {
  PackageId package = 0;
  std::string_view version;
  bool versioned = true;
  bool own = true;  ///< The package's own name.
};

/// What is known of where packages come from; the number is the source's in the pool.
struct Source {
  std::string name;        ///< For messages.
  std::string tag;         ///< "" or the tag without '@'.
  int preference = 0;      ///< Lower wins before versions are looked at; apko's rules only.
  bool available = true;   ///< False: known, but out of reach (--no-network).
  bool repository = true;  ///< False: the installed database, or a package made for this run.
  bool cached = false;     ///< The cache's list of installed packages.
};

struct Package {
  NameId name = 0;
  std::uint32_t record = 0;
  std::string_view version, checksum, origin, arch;
  std::span<const Atom> depends, install_if;
  std::span<const Provide> provides;
  std::uint32_t priority = 0, source = 0;
  std::uint64_t sources = 0;
  bool empty = false;
  std::string fault;  ///< Why it can never be chosen; empty when it can.
};

/// The order in which apk-tools shows names: without regard to case, then with it.
bool display_less(std::string_view a, std::string_view b);

class Problem {
 public:
  /// `atoms` are the world's, in the world's order. Names that nobody speaks of get numbers too.
  Problem(const Pool& pool, std::span<const apk::Dependency> atoms, std::vector<Source> sources, Rules rules);
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  std::vector<Atom> world;
  const Rules rules;
  const std::vector<Source> sources;

  std::size_t name_count() const { return names_.size(); }
  std::size_t package_count() const { return packages_.size(); }
  const Package& package(PackageId id) const { return packages_[id]; }
  Package& package(PackageId id) { return packages_[id]; }
  std::string_view name(NameId id) const { return names_[id].text; }
  std::span<const Offer> offers(NameId id) const { return part(offers_, names_[id].offers); }
  /// Packages with an install_if on the name, and names whose providers depend on it.
  std::span<const PackageId> companions(NameId id) const { return part(companions_, names_[id].companions); }
  std::span<const PackageId> dependents(NameId id) const { return part(dependents_, names_[id].dependents); }
  std::optional<NameId> find(std::string_view name) const;

  /// Whether an offer of the atom's name is what it asks for; '!' plays no part.
  bool matches(const Atom& atom, const Offer& offer) const;
  /// Whether the package, by any of its names, does.
  bool accepts(const Atom& atom, PackageId id) const;
  /// Which packages may not stand beside whoever asks for `atom`: matched by a conflict, or of the name in a version
  /// that does not fit.
  bool rules_out(const Atom& atom, const Offer& offer) const;

  std::string text(PackageId id) const;  ///< "zlib-1.3-r0"
  std::string text(const Atom& atom) const;
  /// Tags of the repositories that have it, each once, in the repositories' order; none when a repository without a
  /// tag has it too. A pin to any of them allows it.
  std::vector<std::string_view> tags(PackageId id) const;
  bool is_tagged(PackageId id) const { return !tags(id).empty(); }
  bool has_tag(PackageId id, std::string_view tag) const;  ///< One of its repositories has it.

 private:
  template <class T>
  static std::span<const T> part(const std::vector<T>& all, Range range) {
    return std::span<const T>(all).subspan(range.first, range.count);
  }
  struct Name {
    std::string_view text;
    Range offers, companions, dependents;
  };
  NameId reach(std::uint32_t pool_name);
  void spread(const Pool& pool);
  void fill(const Pool& pool);

  std::vector<Name> names_;
  std::vector<Package> packages_;
  std::vector<Atom> atoms_;
  std::vector<Provide> provides_;
  std::vector<Offer> offers_;
  std::vector<PackageId> companions_, dependents_;
  std::vector<std::uint32_t> name_at_, package_at_;        ///< Pool number -> number here.
  std::vector<std::uint32_t> pool_names_, pool_packages_;  ///< The other way round; kNone: a name the pool lacks.
  std::vector<std::string> own_;                           ///< Texts of the world.
  const Pool* pool_;
};

}  // namespace nacre::solve
