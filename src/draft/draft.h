#pragma once

#include "codec/json.h"
#include "draft/source_tree.h"

#include <optional>
#include <utility>

namespace nacre::draft {

/// Where the sources of a tree can be had, as far as that is known.
struct Origin {
  std::string uri, sha256;                      ///< A file that upstream publishes.
  std::string repository, tag, branch, commit;  ///< Or a git repository.
  std::string date;                             ///< Of the commit: "20261124".
  bool known() const { return !uri.empty() || !repository.empty(); }
};

/// A package that the build or the result needs.
struct Wanted {
  std::string package;
  bool sure = true;  ///< Not sure: it is written as a comment.
  std::string why;   ///< "pkg-config libfoo, configure.ac:12"; may be empty.
};

/// One step of the pipeline to write.
struct DraftStep {
  std::string name, uses, runs, remark;
  std::vector<std::pair<std::string, std::string>> with;
};

/// All that a first definition says.
struct Facts {
  std::string system;                      ///< "autotools"
  std::vector<std::string> other_systems;  ///< Whose files are there as well.
  std::string name, version, description, url;
  std::vector<std::string> licenses;  ///< SPDX expressions; none: not known.
  std::vector<Wanted> build, runtime;
  std::vector<DraftStep> steps;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> programs;        ///< What is installed to be run.
  std::vector<std::string> asked_programs;  ///< Of them: those that have a --version, by their manual.
  std::vector<std::string> modules;         ///< What Python, Perl or Ruby load.
  bool library = false, static_library = false, headers = false, pkgconfig = false, manuals = false, info = false;
  bool network = false;              ///< The build downloads what it needs.
  std::vector<std::string> remarks;  ///< For the person who goes on: comments at the top.

  void need(std::string package, bool sure = true, std::string why = {});
  void need_at_runtime(std::string package, bool sure = true, std::string why = {});
};

/// Names of the build systems that are known, in the order in which they are tried.
std::vector<std::string> build_systems();

struct DraftOptions {
  std::string name, version;  ///< Over what the tree says.
  std::string system;         ///< One of build_systems(); empty: the first that fits.
};

/// Reads what the tree says of itself. kInvalid when no build system is known, or nothing would be installed.
Result<Facts> find_facts(const SourceTree& tree, const Origin& origin, const DraftOptions& options);

/// The definition, laid out as `nacre fmt` does.
std::string write_definition(const Facts& facts, const Origin& origin);

/// What was found, for programs.
codec::Json facts_json(const Facts& facts, const Origin& origin);

}  // namespace nacre::draft
