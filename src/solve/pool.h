#pragma once

#include "solve/solve.h"

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// Inside this room only: candidates, parsed and found by what they offer.
namespace nacre::solve {

using PackageId = std::size_t;

/// One name that a package goes by: its own, or one that it provides.
struct Offer {
  PackageId package = 0;
  std::string version;  ///< Empty: an unversioned provide, of which several may be installed.
};

struct Package {
  const Candidate* candidate = nullptr;
  std::vector<apk::Dependency> depends, install_if;
  std::vector<apk::Provide> offers;  ///< Its own name first.
  std::string fault;                 ///< Why it can never be chosen: a dependency that cannot be read.

  const apk::IndexRecord& record() const { return *candidate->record; }
  std::string text() const { return record().name + "-" + record().version; }
  std::string_view origin() const { return record().origin.empty() ? record().name : record().origin; }
  /// Tag of its repository, or empty.
  std::string_view tag() const {
    const std::string_view name = candidate->repository;
    return name.starts_with('@') ? name.substr(1) : std::string_view();
  }
};

class Pool {
 public:
  explicit Pool(const std::vector<Candidate>& candidates);

  std::size_t size() const { return packages_.size(); }
  const Package& operator[](PackageId id) const { return packages_[id]; }
  /// Who offers `name`, in the order of the candidates.
  std::span<const Offer> offers(std::string_view name) const;
  std::span<const PackageId> with_install_if() const { return with_install_if_; }
  std::vector<std::string> all_names() const;  ///< Sorted; for "did you mean".

  /// Whether the package, by any of its names, is what `atom` asks for.
  bool accepts(const apk::Dependency& atom, PackageId id) const;
  /// Whether it goes by the atom's name in some version, and in none that the atom accepts.
  bool mismatches(const apk::Dependency& atom, PackageId id) const;

 private:
  std::vector<Package> packages_;
  std::unordered_map<std::string, std::vector<Offer>> by_name_;
  std::vector<PackageId> with_install_if_;
};

}  // namespace nacre::solve
