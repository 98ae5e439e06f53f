#pragma once

#include "base/arch.h"
#include "cli/command.h"
#include "index/fetcher.h"
#include "index/kept_index.h"
#include "solve/solve.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace nacre::cli {

/// Packages of one repository for one architecture: of an index file, or of a serial.
struct SolveSource {
  std::string repository;                    ///< Name for messages; "@edge" of a tagged one.
  Edition edition = Edition::kCommunity;
  std::string file;                          ///< Where the index came from; empty: of a serial.
  index::Fetched fetched;                    ///< The index, not yet looked into.
  std::vector<apk::IndexRecord> records;     ///< Of a serial; of an index when somebody asked.
};

/// What a question to the solver is asked about: a world, and repositories for one or more architectures. An index is
/// read once, ever: its mapped form and the solver's pool stay in the store.
class SolveInput {
 public:
  explicit SolveInput(Env& env, index::Fetcher fetcher) : env_(&env), fetcher_(std::move(fetcher)) {}

  solve::World world;
  std::vector<Arch> archs;
  solve::Options options;
  std::vector<std::vector<SolveSource>> sources;   ///< By architecture.

  /// Pool of one architecture; its record numbers count that architecture's candidates. `origins` gets the names of its
  /// sources. The pool lives as long as this input. kInvalid for an index that cannot be read.
  Result<solve::Pool> pool(std::size_t arch, std::vector<solve::Origin>& origins);

  /// Every package of an architecture. Cost: a copy of each record.
  Result<std::vector<solve::Candidate>> candidates(std::size_t arch);

 private:
  std::string question(std::size_t arch) const;
  Result<> read(SolveSource& source);
  Result<index::KeptIndex> index_of(const SolveSource& source) const;

  Env* env_;
  index::Fetcher fetcher_;
  std::deque<std::string> bytes_;   ///< Pools lie in it.
};

/// Options of the verbs that ask the solver.
std::vector<Option> solve_options();

/// Reads what `arguments` name: `atoms` and --world, and the packages of -r, else of a serial. The signatures of
/// indexes are not looked at: nothing is installed from them. kNotFound for a repository without an index.
Result<SolveInput> read_solve_input(const Arguments& arguments, const std::vector<std::string>& atoms,
                                    Session& session);

}  // namespace nacre::cli
