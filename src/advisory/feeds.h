#pragma once

#include "advisory/document.h"
#include "codec/json.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nacre::advisory {

/// What feeds say of the distribution that they are of.
struct FeedOptions {
  std::string name_space = "nacre";            ///< Of package URLs: pkg:apk/nacre/zlib.
  std::string ecosystem = "Wolfi";             ///< Of OSV records: one that its schema knows.
  std::string author = "nacre";                ///< Of OpenVEX.
  std::string base = "https://nacre.invalid";  ///< Of names of documents: nothing is fetched from there.
  std::string url_prefix, repository = "os";   ///< Of secdb.
  std::vector<std::string> archs;
  std::int64_t date = 0;  ///< Of OpenVEX and grype's data base; 0: of the newest event.
  /// By origin: its packages, main first; an origin that is not here is its own only package.
  std::map<std::string, std::vector<std::string>> packages;
};

/// Alpine's security data base ("security.json"): fixed versions and, under "0", what never was affected. It can say
/// nothing else: open advisories are not in it.
codec::Json secdb_feed(const std::vector<Document>& advisories, const FeedOptions& options);

/// OSV records by file name: one for each advisory that is fixed, a false positive, or affected without a fix, and
/// all.json with ids and dates. What nobody judged yet is in none: OSV has no word for it. Ids of ours get the prefix
/// "x_", which the schema keeps for names that are not registered.
std::vector<std::pair<std::string, codec::Json>> osv_feed(const std::vector<Document>& advisories,
                                                          const FeedOptions& options);

/// One OpenVEX document for all six states (spec: planner, section 4).
codec::Json vex_feed(const std::vector<Document>& advisories, const FeedOptions& options);

/// The data base of the scanner grype, its schema 6, as a SQLite file that `grype db import FILE` takes: all six
/// states, for the distribution `name_space`, whatever its VERSION_ID. Replaces `file` whole; the same advisories and
/// date give the same bytes. grype refuses data that is older than five days, so `date` is best the day of writing.
/// Returns how many advisories are in it.
Result<std::size_t> write_grype_feed(const std::vector<Document>& advisories, const FeedOptions& options,
                                     const os::Path& file);

/// OpenVEX's justification for a type of false positive; empty for one that has none (then an impact statement).
std::string vex_justification(std::string_view false_positive);

}  // namespace nacre::advisory
