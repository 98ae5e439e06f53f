#pragma once

#include "base/result.h"
#include "codec/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::advisory {

/// One end of a range of versions.
struct OsvEvent {
  enum class Kind { kIntroduced, kFixed, kLastAffected, kLimit } kind = Kind::kIntroduced;
  std::string version;  ///< Or a commit, in ranges of type GIT.
};

/// A range of an affected package.
struct OsvRange {
  enum class Type { kSemver, kEcosystem, kGit } type = Type::kEcosystem;
  std::string repository;  ///< Of kGit.
  std::vector<OsvEvent> events;
};

/// One package that a vulnerability touches.
struct OsvAffected {
  std::string ecosystem, name;  ///< Both empty for what only a git repository names.
  std::vector<OsvRange> ranges;
  std::vector<std::string> versions;  ///< As listed one by one.
  std::string severity;               ///< Word of its own, when the record has one here.
};

/// What is used of one OSV record (https://ossf.github.io/osv-schema/).
struct OsvRecord {
  std::string id, summary;
  std::vector<std::string> aliases;  ///< With `upstream`: other names of the same.
  std::int64_t modified = 0;
  bool withdrawn = false;
  std::optional<double> score;  ///< Of its CVSS 3 vector.
  std::string severity;         ///< Word of the score, else of the data base; empty: unknown.
  std::vector<OsvAffected> affected;
};

/// Reads a record. kInvalid without id, modified, or with a member of a wrong type. What is not known (types of ranges,
/// fields) is left out.
Result<OsvRecord> read_osv(const codec::Json& json);
/// A compact form with only what OsvRecord holds, for read_osv().
codec::Json compact_osv(const OsvRecord& record);

/// Whether a version is one of those that a record names.
struct Verdict {
  enum class Kind { kNot, kAffected, kUnsure } kind = Kind::kNot;
  std::string fixed;   ///< Of kAffected: the first version without it; empty: none known.
  std::string reason;  ///< Of kUnsure.
};
/// The evaluation of the OSV schema: a listed version is affected, and one inside any range; ranges by the ecosystem's
/// own order. What cannot be ordered is kUnsure, never guessed; ranges of commits tell only by listed versions.
Verdict judge_version(const OsvAffected& affected, std::string_view version);

/// "https://github.com/O/R.git" and "git://github.com/o/r/" -> "github.com/o/r": how repositories are compared.
std::string repository_key(std::string_view address);

}  // namespace nacre::advisory
