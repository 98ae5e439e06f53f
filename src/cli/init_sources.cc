#include "cli/init_sources.h"

#include "apk/version.h"
#include "base/events.h"
#include "base/text.h"
#include "build/download.h"
#include "build/git.h"
#include "codec/digest.h"
#include "draft/text.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

#include <algorithm>

namespace nacre::cli {
namespace {

constexpr std::uint64_t kMaxArchiveBytes = std::uint64_t{4} << 30;

bool is_address(std::string_view word) { return build::is_remote_repository(word); }

bool is_archive(std::string_view address) {
  address = address.substr(0, address.find_first_of("?#"));
  for (const char* end :
       {".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar.lz", ".tgz", ".txz", ".tbz2", ".zip", ".crate", ".tar"})
    if (address.ends_with(end)) return true;
  return false;
}

/// git in a tree that somebody else may have made: it reads, and neither asks the network nor runs what the tree
/// names.
class LocalGit {
 public:
  LocalGit(Path folder, Env& env) : folder_(std::move(folder)), env_(env) {}

  /// Empty where git has no answer.
  std::string ask(std::vector<std::string> words) const {
    os::Command command;
    command.argv = {"git", "-C", folder_.string(), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.inherit_env = true;
    command.env = {"GIT_ALLOW_PROTOCOL=none", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C",
                   "GIT_CEILING_DIRECTORIES=" + std::filesystem::absolute(folder_).parent_path().string()};
    command.timeout_seconds = 30;
    command.max_output_bytes = 4u << 20;
    const auto exit = env_.processes.run(command, env_.stop);
    return exit && exit->ok() ? std::string(trim(exit->out)) : std::string();
  }

 private:
  Path folder_;
  Env& env_;
};

/// "20261124" of a commit object's text.
std::string date_of(const std::string& commit) {
  for (const std::string& line : split(commit, '\n')) {
    if (line.empty()) break;
    if (!line.starts_with("committer ")) continue;
    const std::vector<std::string> words = split_words(std::string_view(line).substr(line.rfind('>') + 1));
    if (words.empty() || words[0].size() > 12 || words[0].find_first_not_of("0123456789") != std::string::npos)
      return {};
    return replace_all(os::rfc3339(std::stoll(words[0])).substr(0, 10), "-", "");
  }
  return {};
}

void find_checkout(const Path& folder, InitSource& out, Env& env) {
  if (!os::exists(folder / ".git")) return;
  const LocalGit git(folder, env);
  const std::string commit = git.ask({"rev-parse", "--verify", "--quiet", "HEAD^{commit}"});
  if (commit.empty()) {
    out.tree.remarks.push_back("git does not say which commit this is (of another owner, or without commits)");
    return;
  }
  const std::string remote = git.ask({"config", "--get", "remote.origin.url"});
  out.origin.repository = public_address(remote);
  out.origin.date = date_of(git.ask({"cat-file", "commit", commit}));
  if (out.origin.repository.empty()) {
    out.tree.remarks.push_back(remote.empty() ? "the checkout has no remote 'origin'"
                                              : "the remote 'origin' is a path of this machine");
    return;
  }
  out.origin.commit = commit;
  out.origin.tag = newest_tag(split(git.ask({"tag", "--points-at", commit}), '\n'));
  if (!out.origin.tag.empty()) return;
  out.origin.branch = git.ask({"symbolic-ref", "--short", "--quiet", "HEAD"});
  if (out.origin.branch.empty()) out.origin.branch = git.ask({"rev-parse", "--abbrev-ref", "origin/HEAD"}).substr(7);
  out.tree.remarks.push_back(fmt::format("commit {} has no tag: the definition takes it from branch {}",
                                         commit.substr(0, 12), out.origin.branch));
}

/// The file at an address: of a directory of mirrors when one has it by its name, else downloaded. In the store then.
Result<Sha256> bring(const std::string& address, Env& env) {
  const net::Url url = TRY(net::parse_url(address));
  const std::string name = url.path.substr(url.path.rfind('/') + 1);
  const build::FetchPlaces places = build::places_of_machine();
  for (const Path& folder : places.directories)
    if (std::error_code error; !name.empty() && std::filesystem::is_regular_file(folder / name, error))
      return env.store.put_file(folder / name, store::Store::Take::kCopy);
  const Path partial = env.store.home() / "partial" / ("init-" + codec::sha256(address).hex().substr(0, 32));
  TRY(os::make_dirs(partial.parent_path()));
  TRY(os::remove_tree(partial));  // What an earlier call left may be of other bytes: nothing tells.
  {
    Task task(env.events, fmt::format("init/{}", name));
    TRY(build::download(address, partial, kMaxArchiveBytes, task, env), "fetching '{}'", url.safe());
  }
  return env.store.put_file(partial, store::Store::Take::kMove);
}

/// The tags of a repository, from a mirror or upstream.
Result<std::vector<std::string>> tags_of(const std::string& repository, Env& env) {
  std::vector<std::string> addresses;
  for (const Path& folder : build::places_of_machine().directories)
    for (const Path& name : build::mirror_names(repository))
      if (os::exists(folder / name / "HEAD"))
        addresses.push_back("file://" + std::filesystem::absolute(folder / name).string());
  addresses.push_back(repository);
  Error last = Error::make(ErrorKind::kUnavailable, "no place was asked");
  for (const std::string& address : addresses) {
    os::Command command;
    command.argv = {"git", "-c", "safe.directory=*", "ls-remote", "--tags", "--refs", "--", address};
    command.inherit_env = true;
    command.env = {"GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:http:git:ssh:file", "LC_ALL=C"};
    command.timeout_seconds = 120;
    command.working_dir = "/";
    auto answer = os::run_or_fail(env.processes, command, env.stop);
    if (!answer) {
      last = std::move(answer).error();
      continue;
    }
    std::vector<std::string> out;
    for (const std::string& line : split(*answer, '\n'))
      if (const std::size_t at = line.find("\trefs/tags/"); at != std::string::npos)
        out.push_back(line.substr(at + 11));
    return out;
  }
  return std::move(last).while_doing("asking '{}' for its tags", public_address(repository));
}

/// Writes the files of a commit below `folder`, out of the archive of its history that fetch_git keeps.
Result<> check_out(const Path& archive, const std::string& commit, const Path& folder, Env& env) {
  os::Command unpack;
  unpack.argv = {"tar", "--no-same-owner", "-xf", archive.string(), "-C", folder.string(), "./repository.git"};
  unpack.inherit_env = true;
  TRY(os::run_or_fail(env.processes, unpack, env.stop), "unpacking the history");
  TRY(os::make_dirs(folder / "tree"));
  os::Command git;
  git.argv = {"git",
              "-c",
              "safe.directory=*",
              "-c",
              "core.hooksPath=/dev/null",
              "-c",
              "advice.detachedHead=false",
              "checkout",
              "--quiet",
              "--force",
              commit,
              "--",
              "."};
  git.inherit_env = true;
  git.env = {"GIT_DIR=" + (folder / "repository.git").string(), "GIT_WORK_TREE=" + (folder / "tree").string(),
             "GIT_ALLOW_PROTOCOL=none", "GIT_LFS_SKIP_SMUDGE=1", "LC_ALL=C"};
  git.working_dir = folder / "tree";
  TRY(os::run_or_fail(env.processes, git, env.stop), "checking out {}", commit);
  return {};
}

Result<InitSource> from_repository(const InitRequest& request, Session& session) {
  Env& env = session.env;
  InitSource out;
  definition::Source source;
  source.kind = definition::Source::Kind::kGit;
  source.repository = request.source;
  source.tag = request.tag;
  source.branch = request.branch;
  if (source.tag.empty() && source.branch.empty()) {
    const std::vector<std::string> tags = TRY(tags_of(source.repository, env));
    source.tag = newest_tag(tags);
    if (source.tag.empty())
      return Error::make(ErrorKind::kNotFound, "no tag of '{}' is a version", public_address(source.repository))
          .hint("--tag TAG or --branch BRANCH says what to take");
  }
  const build::FetchedSource fetched = TRY(build::fetch_git(source, build::places_of_machine(), env));
  const os::TempDir work = TRY(os::TempDir::create(std::filesystem::temp_directory_path(), "nacre-init-"));
  const Path archive = TRY(env.store.local(fetched.sha256));
  TRY(check_out(archive, fetched.commit, work.path(), env));
  out.tree = TRY(draft::read_folder(work.path() / "tree"));
  out.origin.repository = public_address(source.repository);
  out.origin.tag = source.tag;
  out.origin.branch = source.branch;
  out.origin.commit = fetched.commit;
  out.origin.date = date_of(LocalGit(work.path() / "repository.git", env).ask({"cat-file", "commit", fetched.commit}));
  std::string name = out.origin.repository.substr(out.origin.repository.rfind('/') + 1);
  if (name.ends_with(".git")) name.resize(name.size() - 4);
  out.tree.folder = name;
  return out;
}

}  // namespace

std::string public_address(std::string_view remote) {
  std::string text(trim(remote));
  if (!is_address(text)) return {};
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) {  // user@host:path
    const std::size_t at = text.find('@'), colon = text.find(':');
    return "https://" + text.substr(at + 1, colon - at - 1) + "/" + text.substr(colon + 1);
  }
  std::string host = text.substr(scheme + 3);
  const std::size_t slash = std::min(host.find('/'), host.size()), at = host.substr(0, slash).rfind('@');
  if (at != std::string::npos) host.erase(0, at + 1);
  const bool ssh = text.starts_with("ssh://");
  if (ssh)  // A port of ssh is none of https.
    if (const std::size_t colon = host.find(':'); colon < host.find('/')) host.erase(colon, host.find('/') - colon);
  return (ssh ? "https" : text.substr(0, scheme)) + "://" + host;
}

std::string newest_tag(const std::vector<std::string>& tags) {
  std::string best, best_version;
  for (const std::string& tag : tags) {
    const std::size_t digit = tag.find_first_of("0123456789");
    if (digit == std::string::npos || digit > 40) continue;
    const std::string version = draft::apk_version(std::string_view(tag).substr(digit));
    if (version.empty()) continue;
    const bool early = version.find('_') != std::string::npos && version.find("_p") == std::string::npos;
    const bool best_early =
        best_version.find('_') != std::string::npos && best_version.find("_p") == std::string::npos;
    // "r131" of old times is no newer than "v1.10.0".
    const bool dotted = version.find('.') != std::string::npos,
               best_dotted = best_version.find('.') != std::string::npos;
    if (!best.empty() && dotted != best_dotted) {
      if (dotted) best = tag, best_version = version;
      continue;
    }
    const bool better =
        best.empty() || (early == best_early ? apk::compare_versions(version, best_version) > 0 : best_early);
    if (better) best = tag, best_version = version;
  }
  return best;
}

Result<InitSource> find_init_source(const InitRequest& request, Session& session) {
  InitSource out;
  const std::string& word = request.source;
  const bool address = is_address(word);
  if (!address && (!request.tag.empty() || !request.branch.empty()))
    return Error::make(ErrorKind::kInvalid, "--tag and --branch are for a repository by its address")
        .hint("check the commit out, and give the directory");
  if (address && !is_archive(word)) return from_repository(request, session);
  if (address) {
    const Sha256 digest = TRY(bring(word, session.env));
    const Path archive = TRY(session.env.store.local(digest));
    out.tree = TRY(draft::read_archive(archive));
    out.origin.uri = TRY(net::parse_url(word)).safe();
    out.origin.sha256 = digest.hex();
    return out;
  }
  std::error_code error;
  if (std::filesystem::is_directory(word, error)) {
    out.tree = TRY(draft::read_folder(word));
    if (request.uri.empty()) find_checkout(word, out, session.env);
    else out.origin.sha256 = TRY(bring(request.uri, session.env)).hex();
  } else if (!os::exists(word)) {
    return Error::make(ErrorKind::kNotFound, "no file or directory '{}'", word)
        .hint("an address begins with https:// or git://");
  } else {
    out.tree = TRY(draft::read_archive(word));
    if (!request.uri.empty())
      out.origin.sha256 = TRY(session.env.store.put_file(word, store::Store::Take::kCopy)).hex();
  }
  if (!request.uri.empty()) out.origin.uri = TRY(net::parse_url(request.uri)).safe();
  return out;
}

}  // namespace nacre::cli
