#pragma once

#include "build/build.h"
#include "build/compiler_files.h"

namespace nacre::build {

constexpr std::string_view kWorkspace = "/home/build";
constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin";

/// What builds and tests say of the root that their steps run in. Internal to the room.
struct GuestSpec {
  std::string name;  ///< "zlib" or "test zlib-dev": of messages and of the failed record.
  const definition::Definition* definition = nullptr;
  const definition::Environment* environment = nullptr;  ///< Accounts and run-as.
  definition::Pairs variables;                           ///< Later ones win.
  std::vector<RootPackage> root;
  os::Path source_dir, work;
  std::int64_t source_date_epoch = 0;
  sandbox::Limits limits;
  unsigned jobs = 0;
  std::vector<Secret> secrets;
  const NetworkGrant* network = nullptr;  ///< nullptr: no network.
  std::vector<CompilerFile> compiler_files;
};

/// A root made ready for steps. Below `work`: workspace (/home/build), tmp (/tmp of all steps),
/// upper, log.
struct Guest {
  std::string name;
  os::Path work, workspace;
  sandbox::SandboxCommand base;            ///< All but argv, env and the listeners.
  std::map<std::string, std::string> env;  ///< Of every step, before its own.
  std::vector<Secret> secrets;             ///< For the steps that ask.
  std::vector<std::string> masks;          ///< Texts that no log may show.
  std::vector<std::string> passed_on;      ///< Names of variables whose values are never recorded.
};

/// Clears what an earlier run left in `work`, copies the side files, writes the accounts that the
/// root lacks.
Result<Guest> make_guest(const GuestSpec& spec);

/// Side files that reach the workspace: regular files, without what .melangeignore names. Empty
/// when there is no folder.
Result<std::vector<os::TreeEntry>> side_files(const os::Path& source_dir);

/// "NAME=value", ordered by name.
std::vector<std::string> env_list(const std::map<std::string, std::string>& env);

/// All of it into an open file; `path` is for messages.
Result<> write_whole(int fd, std::string_view bytes, const os::Path& path);

/// Gives the steps network, and what the grant shows to them.
Result<> add_network(Guest& guest, const NetworkGrant& grant);

// database.cc

/// Writes usr/lib/apk/db/installed into `upper`: what apk would know of a root with these packages. Those without a
/// record are left out; no file when none has one.
Result<> add_database(const std::vector<RootPackage>& root, const os::Path& upper);

// accounts.cc

/// Adds what `environment` declares and the user and group `build` (1000) to /etc/passwd and
/// /etc/group of the root, as files of `upper`, where a tree of the root does not have them.
Result<> add_accounts(const std::vector<os::Path>& trees, const os::Path& upper,
                      const definition::Environment& environment);

struct Ids {
  unsigned uid = 0, gid = 0;
};
/// The ids of `run_as` ("build", "1000", "1000:1000"); root for an empty one.
Result<Ids> ids_of(const definition::Environment& environment);

}  // namespace nacre::build
