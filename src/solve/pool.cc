#include "solve/pool.h"

#include <algorithm>

namespace nacre::solve {
namespace {

/// Parses `texts`; the first that is no dependency becomes the package's fault.
std::vector<apk::Dependency> parse_all(const std::vector<std::string>& texts, std::string& fault) {
  std::vector<apk::Dependency> out;
  for (const std::string& text : texts) {
    auto atom = apk::parse_dependency(text);
    if (atom)
      out.push_back(*std::move(atom));
    else if (fault.empty())
      fault = fmt::format("its dependency '{}' cannot be read", text);
  }
  return out;
}

bool by_content(const apk::Dependency& atom) { return atom.op == (apk::kLess | apk::kGreater); }

}  // namespace

Pool::Pool(const std::vector<Candidate>& candidates) {
  packages_.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    Package package;
    package.candidate = &candidate;
    const apk::IndexRecord& record = *candidate.record;
    package.depends = parse_all(record.depends, package.fault);
    package.install_if = parse_all(record.install_if, package.fault);
    package.offers.push_back({record.name, record.version});
    for (const std::string& provide : record.provides) package.offers.push_back(apk::parse_provide(provide));
    for (const apk::Provide& offer : package.offers)
      by_name_[offer.name].push_back({packages_.size(), offer.version});
    if (!package.install_if.empty()) with_install_if_.push_back(packages_.size());
    packages_.push_back(std::move(package));
  }
}

std::span<const Offer> Pool::offers(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? std::span<const Offer>() : std::span<const Offer>(found->second);
}

std::vector<std::string> Pool::all_names() const {
  std::vector<std::string> out;
  for (const auto& [name, offers] : by_name_) out.push_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

bool Pool::accepts(const apk::Dependency& atom, PackageId id) const {
  const Package& package = packages_[id];
  if (by_content(atom)) return package.record().name == atom.name && package.record().checksum == atom.version;
  return std::any_of(package.offers.begin(), package.offers.end(), [&](const apk::Provide& offer) {
    return offer.name == atom.name && atom.accepts(offer.version);
  });
}

bool Pool::mismatches(const apk::Dependency& atom, PackageId id) const {
  const Package& package = packages_[id];
  const bool versioned = std::any_of(package.offers.begin(), package.offers.end(), [&](const apk::Provide& offer) {
    return offer.name == atom.name && !offer.version.empty();
  });
  return versioned && !accepts(atom, id);
}

}  // namespace nacre::solve
