#pragma once

#include "apk/package_file.h"
#include "base/events.h"
#include "cli/melange.h"
#include "cli/repository_root.h"
#include "definition/definition.h"
#include "sandbox/sandbox.h"

#include <memory>
#include <string>
#include <vector>

// What several of melange's commands need.
namespace nacre::cli {

/// Signs with the RSA key in a PEM file, in this process, as the user gave it; the name is that of the file and ".pub".
/// Empty for an empty name: unsigned.
Result<apk::SegmentSigner> signer_of_file(const std::string& file);

/// Adds a record, or puts it in the place of the one of equal name and version.
void merge_record(std::vector<apk::IndexRecord>& records, apk::IndexRecord record);

/// The definition that the words name: the first, else melange.yaml or .melange.yaml here.
Result<std::string> config_of(const MelangeArguments& arguments);

/// --arch, each once, in the order given; the machine's when there is none.
Result<std::vector<Arch>> archs_of(const MelangeArguments& arguments);

/// Reads and compiles a definition for an architecture, with --pipeline-dir(s), --vars-file, --build-option,
/// --test-option and --env-file; after the user's pipelines come those of the distribution.
Result<definition::Definition> load_config(const std::string& file, const MelangeArguments& arguments,
                                           const Path& os_dir, const Arch& arch);

/// Repositories and keys of an environment, then of -r and -k.
RepositorySource repositories_of(const definition::Environment& environment, const MelangeArguments& arguments,
                                 const Arch& arch);

/// Atoms as the field's solver reads them: a version without a revision means revision 0 ("a=1.2" is 1.2-r0, which apk
/// itself would not say).
std::vector<std::string> world_of(const std::vector<std::string>& atoms);

/// --cpu, --memory and --timeout.
Result<sandbox::Limits> limits_of(const MelangeArguments& arguments, const definition::Resources& resources);

/// "1h30m", "90s", "250ms" in seconds.
Result<double> parse_go_duration(std::string_view text);

/// SOURCE_DATE_EPOCH of this process, else --build-date (RFC 3339), else 0.
Result<std::int64_t> date_of(const MelangeArguments& arguments);

/// --debug: every step says what it runs.
void trace_steps(std::vector<definition::Step>& steps);

/// NAME=value lines of --env-file: blank lines and # comments, "export ", single and double quotes.
Result<definition::Pairs> parse_env_file(std::string_view text, const std::string& file);

/// The commit that stands checked out around a file: --git-commit, else git's HEAD, else "unknown".
std::string commit_of_config(const MelangeArguments& arguments, const std::string& file, Env& env);

/// Steps have network, as with the reference, unless NACRE_NETWORK says "never" or "asked"; `use` is "build" or "test".
Result<bool> network_of(const definition::Definition& definition, std::string_view use);

/// What NACRE_NETWORK_ENV and NACRE_NETWORK_FILES show to steps that have network, and --cache-dir when it is there.
Result<build::NetworkGrant> grant_of(const MelangeArguments& arguments);

/// A line for people on stderr.
void tell(Env& env, std::string_view text);

/// Removes a directory when it goes, unless told to keep it.
struct Scratch {
  Path path;
  bool keep = false;
  explicit Scratch(Path where) : path(std::move(where)) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    if (!keep) (void)os::remove_tree(path);
  }
};

/// A command's own flags and those that build and test share, in the order of their names.
std::vector<MelangeFlag> with_guest_flags(std::vector<MelangeFlag> own);

}  // namespace nacre::cli
