#include "solve/solve.h"

#include "solve/solver.h"

namespace nacre::solve {
namespace {

Result<std::vector<Wish>> read_world(const World& world) {
  std::vector<Wish> out;
  for (std::size_t i = 0; i < world.atoms.size(); ++i) {
    const Place place = i < world.places.size() ? world.places[i] : Place();
    auto atom = apk::parse_dependency(world.atoms[i]);
    if (!atom) return std::move(atom).error().at(place);
    out.push_back({*std::move(atom), place, std::nullopt});
  }
  return out;
}

std::string text_of(const Candidate& candidate) {
  return fmt::format("{}-{} is of the edition {}", candidate.record->name, candidate.record->version,
                     name_of(candidate.edition));
}

/// Editions are trust domains (design, decision 10).
Result<> check_editions(const std::vector<Candidate>& chosen, Options::Mixing mixing) {
  const Candidate* first = nullptr;
  if (mixing == Options::Mixing::kAny) return {};
  for (const Candidate& candidate : chosen) {
    if (mixing == Options::Mixing::kBuildRoot && candidate.edition == Edition::kStage0) continue;
    if (first == nullptr) first = &candidate;
    if (candidate.edition == first->edition) continue;
    Error error = Error::make(ErrorKind::kDenied, "{}, but {}: content of two editions must not mix", text_of(*first),
                              text_of(candidate));
    const Candidate* stage0 = first->edition == Edition::kStage0       ? first
                              : candidate.edition == Edition::kStage0 ? &candidate
                                                                      : nullptr;
    if (stage0 == nullptr) return std::move(error).hint("ask for packages of one edition only");
    return std::move(error).hint(
        fmt::format("stage0 builds but never ships: '{}' has to be built in an edition first", stage0->record->name));
  }
  return {};
}

}  // namespace

Result<std::vector<Candidate>> solve(const World& world, const std::vector<Candidate>& candidates,
                                     const Options& options) {
  const Pool pool(candidates);
  std::vector<Wish> wishes = TRY(read_world(world));
  Solver solver(pool, std::move(wishes));
  TRY(solver.run());
  std::vector<Candidate> out;
  out.reserve(solver.order().size());
  for (const PackageId id : solver.order()) out.push_back(*pool[id].candidate);
  TRY(check_editions(out, options.mixing));
  return out;
}

}  // namespace nacre::solve
