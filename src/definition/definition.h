#pragma once

#include "base/arch.h"
#include "base/result.h"
#include "codec/json.h"
#include "codec/yaml.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nacre::definition {

using Pairs = std::vector<std::pair<std::string, std::string>>;  ///< In the text's order.

/// One step of a pipeline after compiling: no `uses` left to resolve, no ${{…}} left to replace.
struct Step {
  std::string name, uses, runs, if_condition, working_directory, label;
  Pairs with;                      ///< Inputs after defaults and substitution.
  Pairs given;                     ///< What of `with` the compiled form shows: not the defaults as written.
  Pairs environment;
  std::vector<std::string> needs;  ///< Packages.
  std::vector<Step> pipeline;      ///< Children (of a `uses`, or nested).
  int required_steps = 0;          ///< assertions.required-steps; 0: none.
  Place place;
  bool enabled = true;             ///< `if` evaluated for the architecture asked.
};

struct Dependencies {
  std::vector<std::string> runtime, provides, replaces;
  std::uint64_t provider_priority = 0, replaces_priority = 0;        ///< Negative ones are 0, as readers see them.
  std::string provider_priority_text, replaces_priority_text;        ///< As written: "-1"; empty when not given.
};

struct PackageOptions {
  bool no_provides = false, no_depends = false, no_commands = false, no_versioned_shlib_deps = false;
};

struct Scriptlets {
  std::string pre_install, post_install, pre_deinstall, post_deinstall, pre_upgrade, post_upgrade;
  std::string trigger_script;
  std::vector<std::string> trigger_paths;
};

struct Copyright {
  std::string license, license_path, attestation, detection_override;
  std::vector<std::string> paths;
};

/// Capabilities that a file gets once it is packed: "cap_net_raw,cap_net_admin" -> "+ep".
struct SetCap {
  std::string path;
  Pairs add;
  std::string reason;
};

/// Parts of a CPE name; empty: any.
struct Cpe {
  std::string part, vendor, product, edition, language, sw_edition, target_sw, target_hw, other;
};

struct Account { std::string name; unsigned uid = 0, gid = 0; std::string shell, home; };
struct AccountGroup { std::string name; unsigned gid = 0; std::vector<std::string> members; };

/// What an `environment:` can say of an image and a build has no use for; the compiled form shows it.
struct ImageParts {
  std::string entrypoint_type, command, shell_fragment, cmd, stop_signal, work_dir, vcs_url, include, base_image,
      base_index;
  Pairs services, annotations;
  std::vector<std::string> archs, volumes;
  struct Path {
    std::string path, type, uid, gid, permissions, source;
    bool recursive = false;
  };
  std::vector<Path> paths;
};

/// `environment:` of a build or a test.
struct Environment {
  std::vector<std::string> packages, keyring;
  std::vector<std::string> repositories, build_repositories;
  Pairs variables;
  std::vector<Account> users;
  std::vector<AccountGroup> groups;
  std::string run_as;
  ImageParts image;
};

struct Test {
  Environment environment;
  std::vector<Step> pipeline;
};

struct Subpackage {
  std::string name, description, url;
  Dependencies dependencies;
  PackageOptions options;
  Scriptlets scriptlets;
  std::vector<Step> pipeline;
  Test test;                         ///< Its environment holds the subpackage itself.
  bool has_test = false;
  Pairs annotations;
  std::vector<std::string> disabled_checks;
  std::vector<SetCap> setcap;        ///< The reference reads it and loses it.
  std::string commit;
  Place place;
};

struct Resources { std::string cpu, memory, disk, cpu_model; };

/// How to learn of newer upstream releases (the `update:` block), in every form the field uses.
struct Update {
  bool present = false, enabled = false, manual = false, shared = false, require_sequential = false,
       enable_prerelease_tags = false;
  std::string exclude_reason, version_separator, schedule_period, schedule_reason;
  struct GitHub {
    std::string identifier, strip_prefix, strip_suffix, tag_filter, tag_filter_prefix, tag_filter_contains;
    bool use_tag = false;
  };
  struct Git { std::string strip_prefix, strip_suffix, tag_filter_prefix, tag_filter_contains; };
  struct ReleaseMonitor {
    std::string identifier, strip_prefix, strip_suffix, version_filter_prefix, version_filter_contains;
  };
  std::vector<GitHub> github;                    ///< 0 or 1.
  std::vector<Git> git;
  std::vector<ReleaseMonitor> release_monitor;
  std::vector<std::string> ignore_regex_patterns;
  struct Oci { std::string identifier, strip_prefix, strip_suffix, tag_filter_prefix, tag_filter_contains; };
  std::vector<Oci> oci;
  struct VersionSource {
    std::string name, stream, commit_source;
    std::vector<std::string> ignore;
    bool use_release = false;
  };
  struct VersionData {
    std::string format;
    std::vector<VersionSource> sources;
  };
  std::vector<VersionData> version_data;
  struct Transform { std::string match, replace; };
  std::vector<Transform> version_transform;
};

/// A source that a `fetch` (or git-checkout) step names; found by walking the compiled steps.
struct Source {
  enum class Kind { kFetch, kGit } kind = Kind::kFetch;
  std::string uri, sha256, sha512;             ///< kFetch
  std::string repository, tag, branch, commit; ///< kGit
  std::string depth, cherry_picks;             ///< kGit: as written.
  bool submodules = false, branch_tip = false; ///< kGit: recurse-submodules, expected-commit-is-branch-tip
  Place place;
};

/// A definition, validated and compiled for one architecture.
struct Definition {
  std::string file;                  ///< As the user wrote it.
  std::string name, version, description, url, commit;
  std::uint64_t epoch = 0;
  std::vector<std::string> target_architecture;
  std::vector<Copyright> copyright;
  Dependencies dependencies;
  PackageOptions options;
  Scriptlets scriptlets;
  Resources resources;
  std::optional<Resources> test_resources;
  std::int64_t timeout_nanoseconds = 0;  ///< Of the whole build; 0: none.
  Pairs annotations;
  std::vector<std::string> disabled_checks;
  std::vector<SetCap> setcap;
  Cpe cpe;
  std::vector<std::string> capabilities_add, capabilities_drop;  ///< `capabilities` of the definition.
  Environment environment;           ///< packages include what the steps need.
  std::vector<std::string> callers_variables;  ///< Of its variables: those that --env-file gave. Never published.
  std::vector<Step> pipeline;
  std::vector<Subpackage> subpackages;
  Test test;                         ///< Its environment holds the package itself.
  bool has_test = false;
  Update update;
  std::vector<Source> sources;       ///< Of main and subpackage pipelines, in order.
  std::shared_ptr<const codec::YamlTree> yaml;  ///< The text, for messages and edits.
  /// The reference's JSON form (`nacre compile`), also embedded in packages as .melange.yaml.
  codec::Json compiled;

  std::string full_version() const;  ///< VERSION-rEPOCH
};

struct CompileOptions {
  Arch arch = host_arch();
  std::string libc_flavor = "gnu";            ///< In host.triplet.*; "musl" for the other.
  std::vector<std::string> pipeline_dirs;     ///< Looked up in order.
  Pairs vars;                                 ///< --vars-file, over the definition's own.
  Pairs environment;                          ///< --env-file, under the definition's own.
  Resources resources;                        ///< --cpu and so on, over the definition's own.
  std::vector<std::string> enabled_options;   ///< --build-option
  /// What gives a root what the `needs` of build steps ask for, where that is not a package of the same name.
  std::map<std::string, std::vector<std::string>> needs_met_by;
};

/// Reads texts of pipelines by name; the caller does the I/O (definition does none). nullptr: there is none.
/// Implementations keep what they parsed.
class PipelineSource {
 public:
  virtual ~PipelineSource() = default;
  /// `name` is "autoconf/make"; the tree of the first directory that has it. kNotFound lists near names.
  virtual Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) = 0;
};

/// YAML -> Definition. kInvalid with file:line:column and hint for everything that the reference refuses (spec 4.1)
/// and for unknown fields.
Result<Definition> read_definition(std::shared_ptr<const codec::YamlTree> yaml, PipelineSource& pipelines,
                                   const CompileOptions& options);

/// Where the node at these keys is written, or the last of those before it that is there.
Place place_of(const Definition& definition, std::initializer_list<std::string_view> keys);

/// Where each of `environment.packages` is written. What no list names comes from the pipelines that steps use: the
/// place of `pipeline:`.
std::vector<Place> places_of_packages(const Definition& definition);

/// "step 3 (zlib.yaml:41:5) uses autoconf/make", for the third of a list; empty for a step that uses nothing.
std::string use_of(const Step& step, std::size_t number);

/// The shell text that runs one step, with the prologue of spec 4.4 (`set -eo pipefail`, `cd`), without children.
std::string step_script(const Step& step, std::string_view workspace);

}  // namespace nacre::definition
