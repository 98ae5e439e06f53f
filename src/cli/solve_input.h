#pragma once

#include "base/arch.h"
#include "cli/command.h"
#include "solve/solve.h"

#include <deque>
#include <string>
#include <vector>

namespace nacre::cli {

/// What a question to the solver is asked about: a world, and repositories for one or more architectures.
struct SolveInput {
  solve::World world;
  std::vector<Arch> archs;
  std::deque<std::vector<apk::IndexRecord>> records;               ///< Candidates point into it.
  std::vector<std::vector<solve::Candidate>> candidates;           ///< By architecture.
  solve::Options options;

  /// Pool and origins of one architecture; the pool's record numbers count its candidates.
  solve::Pool pool(std::size_t arch, std::vector<solve::Origin>& origins) const;
};

/// Options of the verbs that ask the solver.
std::vector<Option> solve_options();

/// Reads what `arguments` name: `atoms` and --world, and the packages of -r, else of a serial. The signatures of
/// indexes are not looked at: nothing is installed from them. kNotFound for a repository without an index.
Result<SolveInput> read_solve_input(const Arguments& arguments, const std::vector<std::string>& atoms,
                                    Session& session);

}  // namespace nacre::cli
