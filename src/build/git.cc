#include "build/git.h"

#include "base/events.h"
#include "base/text.h"
#include "base/tree_path.h"
#include "build/search.h"
#include "codec/digest.h"
#include "os/process.h"
#include "store/store.h"

#include <set>

namespace nacre::build {
namespace {

using definition::Source;
using os::Path;

constexpr std::string_view kCommitKind = "git-commit";  ///< "git:HEX" -> the commit that was checked.
constexpr int kMaxModules = 500, kMaxModuleDepth = 8;
constexpr double kTimeoutSeconds = 3600;

struct Address {
  std::string url;     ///< What git is given.
  std::string origin;  ///< "directory" or "upstream".
};

/// How many commits to bring; 0: all. As the pipeline decides it.
Result<int> depth_of(const Source& source) {
  if (!source.cherry_picks.empty()) return 0;
  if (source.depth.empty() || source.depth == "unset")
    return !source.branch.empty() && !source.commit.empty() && !source.branch_tip ? 0 : 1;
  if (source.depth == "-1") return 0;
  int depth = 0;
  for (const char c : source.depth) {
    if (c < '0' || c > '9' || depth > 1'000'000)
      return Error::make(ErrorKind::kInvalid, "depth: expected a number of commits or -1, found '{}'", source.depth)
          .at(source.place);
    depth = depth * 10 + (c - '0');
  }
  if (depth == 0) return Error::make(ErrorKind::kInvalid, "depth: expected at least 1, or -1 for all").at(source.place);
  return depth;
}

/// Names that git takes for options or for several revisions are refused before it sees them.
Result<> check_name(std::string_view what, const std::string& name, const Source& source) {
  static constexpr std::string_view kForbidden = " ~^:?*[\\\x7f";
  const bool bad = name.starts_with('-') || name.starts_with('/') || name.ends_with('/') ||
                   name.find("..") != std::string::npos || name.find("@{") != std::string::npos ||
                   name.find_first_of(kForbidden) != std::string::npos ||
                   std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (!bad) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' cannot be the name of a {}", name, what).at(source.place);
}

/// A bare repository in the making.
class Repository {
 public:
  Repository(Path folder, Env& env) : folder_(std::move(folder)), env_(env) {}

  Result<std::string> git(std::vector<std::string> arguments) {
    return os::run_or_fail(env_.processes, command(std::move(arguments)), env_.stop);
  }
  /// As git(), where failing is an answer.
  Result<bool> asks(std::vector<std::string> arguments) {
    const os::Exit exit = TRY(env_.processes.run(command(std::move(arguments)), env_.stop));
    return exit.ok();
  }
  Result<> init() {
    TRY(os::make_dirs(folder_));
    TRY(git({"init", "--quiet", "--bare", "--template=", "."}));
    return {};
  }
  Result<> fetch(const std::string& url, int depth, std::vector<std::string> refs) {
    std::vector<std::string> arguments = {"fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head",
                                          "--upload-pack=git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true "
                                          "upload-pack"};
    if (!url.starts_with("file://")) arguments.pop_back();
    if (depth > 0) arguments.push_back(fmt::format("--depth={}", depth));
    arguments.push_back("--");
    arguments.push_back(url);
    arguments.insert(arguments.end(), refs.begin(), refs.end());
    TRY(git(std::move(arguments)));
    return {};
  }
  /// The branch that HEAD is there: "refs/heads/main".
  Result<std::string> head_of(const std::string& url) {
    const std::string answer = TRY(git({"ls-remote", "--symref", "--", url, "HEAD"}));
    for (const std::string& line : split(answer, '\n')) {
      const std::vector<std::string> words = split_words(line);
      if (words.size() == 3 && words[0] == "ref:" && words[1].starts_with("refs/heads/")) return words[1];
    }
    return Error::make(ErrorKind::kInvalid, "its HEAD is no branch").hint("name a tag or a branch in the definition");
  }
  Result<std::string> commit_of(const std::string& revision) {
    const std::string out = TRY(git({"rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"}));
    return std::string(trim(out));
  }
  const Path& folder() const { return folder_; }

 private:
  os::Command command(std::vector<std::string> arguments) const {
    os::Command out;
    out.argv = {"git", "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "fetch.unpackLimit=1",
                "-c", "gc.auto=0", "-c", "advice.detachedHead=false"};
    out.argv.insert(out.argv.end(), arguments.begin(), arguments.end());
    out.inherit_env = true;
    out.env = {"GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:http:git:ssh:file", "LC_ALL=C",
               "GIT_DIR=" + folder_.string(), "GIT_CEILING_DIRECTORIES=/"};
    out.working_dir = folder_;
    out.timeout_seconds = kTimeoutSeconds;
    return out;
  }
  Path folder_;
  Env& env_;
};

/// What a checkout starts from: "refs/tags/v1".
Result<std::string> wanted_ref(const Source& source, Repository& repository, const std::string& url) {
  if (!source.tag.empty()) return "refs/tags/" + source.tag;
  if (!source.branch.empty()) return "refs/heads/" + source.branch;
  return repository.head_of(url);
}

/// The commit that the step will check out. kDenied when it is not the one expected.
Result<std::string> checked_commit(const Source& source, Repository& repository, const std::string& ref, int depth) {
  const std::string found = TRY(repository.commit_of(ref));
  if (source.commit.empty() || source.commit == found) return found;
  if (!source.tag.empty()) {
    const std::string object = TRY(repository.git({"rev-parse", "--verify", "--quiet", "--end-of-options", ref}));
    if (trim(object) == source.commit) return found;
    return Error::make(ErrorKind::kDenied,
                       "tag '{}' of '{}' is another commit than expected\n  expected {}\n  found {}",
                       source.tag, source.repository, source.commit, found)
        .at(source.place)
        .hint("a tag that moved is a reason to ask upstream before you change expected-commit");
  }
  const bool ancestor = depth == 0 && TRY(repository.asks({"merge-base", "--is-ancestor", source.commit, found}));
  if (ancestor && !source.branch_tip) return source.commit;
  return Error::make(ErrorKind::kDenied, "commit {} is not {} of '{}', which is at {}", source.commit,
                     source.branch_tip || depth != 0 ? "the tip of " + ref : "part of " + ref, source.repository, found)
      .at(source.place)
      .hint(depth != 0 && !source.branch_tip ? "with `depth: -1` any commit of the branch can be had"
                                             : "look whether upstream rewrote the branch");
}

/// Brings one repository and what it includes below one folder.
class Checkout {
 public:
  Checkout(const Source& source, const FetchPlaces& places, Path folder, Env& env)
      : source_(source), places_(places), folder_(std::move(folder)), env_(env) {}

  /// The commit.
  Result<std::string> bring();
  const std::string& origin() const { return origin_; }

 private:
  std::vector<Address> places_of(const std::string& repository) const;
  Result<std::string> bring_from(const Address& address, Repository& repository);
  Result<> bring_modules(Repository& repository, const std::string& address, const std::string& commit, int level);
  Result<> bring_module(const std::string& address, const std::string& commit, int level);
  Result<> write_addresses();

  const Source& source_;
  const FetchPlaces& places_;
  Path folder_;
  Env& env_;
  std::string origin_;
  std::vector<std::pair<std::string, std::string>> brought_;  ///< Address, folder.
};

std::vector<Address> Checkout::places_of(const std::string& repository) const {
  std::vector<Address> out;
  for (const Path& directory : places_.directories)
    for (const Path& name : mirror_names(repository))
      if (os::exists(directory / name / "HEAD"))
        out.push_back({"file://" + std::filesystem::absolute(directory / name).string(), "directory"});
  if (places_.upstream) out.push_back({repository, "upstream"});
  return out;
}

Result<std::string> Checkout::bring_from(const Address& address, Repository& repository) {
  TRY(os::remove_tree(repository.folder()));
  TRY(repository.init());
  const int depth = TRY(depth_of(source_));
  const std::string ref = TRY(wanted_ref(source_, repository, address.url));
  std::vector<std::string> refs = {fmt::format("+{}:{}", ref, ref)};
  if (!source_.cherry_picks.empty()) refs.push_back("+refs/heads/*:refs/heads/*");
  TRY(repository.fetch(address.url, depth, refs));
  if (ref.starts_with("refs/heads/")) TRY(repository.git({"symbolic-ref", "HEAD", ref}));
  return checked_commit(source_, repository, ref, depth);
}

Result<std::string> Checkout::bring() {
  std::vector<std::string> tried;
  for (const Address& address : places_of(source_.repository)) {
    Repository repository(folder_ / "repository.git", env_);
    auto commit = bring_from(address, repository);
    if (!commit) {
      // Another commit in an old mirror says nothing; upstream has the last word.
      if (env_.stop.stop_requested() || commit.error().kind() == ErrorKind::kInvalid ||
          (commit.error().kind() == ErrorKind::kDenied && address.origin == "upstream"))
        return std::move(commit).error();
      tried.push_back(fmt::format("{}: {}", address.origin, replace_all(commit.error().render(), "\n", "; ")));
      continue;
    }
    origin_ = address.origin;
    brought_.emplace_back(source_.repository, "repository.git");
    if (source_.submodules) TRY(bring_modules(repository, source_.repository, *commit, 1));
    TRY(write_addresses());
    return *commit;
  }
  if (tried.empty()) tried.push_back("no place was asked");
  return Error::make(ErrorKind::kUnavailable, "no place has git source '{}' at {}\n  {}", source_.repository,
                     !source_.tag.empty() ? source_.tag : source_.commit, join(tried, "\n  "))
      .at(source_.place)
      .hint("put a bare clone below a directory, as OWNER+NAME or HOST/OWNER/NAME.git, and name that directory in "
            "NACRE_SOURCE_MIRRORS");
}

Result<> Checkout::bring_modules(Repository& repository, const std::string& address, const std::string& commit,
                                 int level) {
  if (!TRY(repository.asks({"cat-file", "-e", commit + ":.gitmodules"}))) return {};
  if (level > kMaxModuleDepth)
    return Error::make(ErrorKind::kInvalid, "submodules in submodules deeper than {}", kMaxModuleDepth)
        .at(source_.place);
  const std::string text = TRY(repository.git(
      {"config", "--blob", commit + ":.gitmodules", "--null", "--get-regexp", "^submodule\\..*\\.(path|url)$"}));
  std::map<std::string, std::pair<std::string, std::string>> modules;  // name -> path, url
  for (const std::string& row : split(text, '\0')) {
    const std::size_t line = row.find('\n'), dot = row.substr(0, line).rfind('.');
    if (line == std::string::npos || dot == std::string::npos) continue;
    auto& module = modules[row.substr(0, dot)];
    (row.substr(dot + 1, line - dot - 1) == "path" ? module.first : module.second) = row.substr(line + 1);
  }
  for (const auto& [name, module] : modules) {
    const auto& [path, url] = module;
    const std::string entry = TRY(repository.git({"ls-tree", "-z", commit, "--", path}));
    const std::vector<std::string> words = split_words(entry.substr(0, entry.find('\t')));
    if (words.size() != 3 || words[1] != "commit") continue;  // Named, and not there.
    TRY(bring_module(submodule_address(address, url), words[2], level),
        "bringing submodule '{}' of '{}'", path, address);
  }
  return {};
}

Result<> Checkout::bring_module(const std::string& address, const std::string& commit, int level) {
  if (!is_remote_repository(address))
    return Error::make(ErrorKind::kInvalid, "a submodule names '{}', which is no network address", address)
        .at(source_.place);
  std::string name;
  for (const auto& [known, folder] : brought_)
    if (known == address) name = folder;
  const bool first = name.empty();
  if (first) name = fmt::format("modules/{}.git", brought_.size());
  if (brought_.size() > kMaxModules)
    return Error::make(ErrorKind::kInvalid, "more than {} submodules", kMaxModules).at(source_.place);
  Repository repository(folder_ / name, env_);
  if (first) TRY(repository.init());
  std::vector<std::string> tried;
  const std::string ref = "refs/heads/nacre-" + commit;
  for (const Address& place : places_of(address)) {
    auto got = repository.fetch(place.url, 1, {fmt::format("+{}:{}", commit, ref)});
    if (!got) {
      if (env_.stop.stop_requested()) return std::move(got).error();
      tried.push_back(fmt::format("{}: {}", place.origin, replace_all(got.error().render(), "\n", "; ")));
      continue;
    }
    TRY(repository.git({"symbolic-ref", "HEAD", ref}));
    if (first) brought_.emplace_back(address, name);
    return bring_modules(repository, address, commit, level + 1);
  }
  return Error::make(ErrorKind::kUnavailable, "no place has commit {} of '{}'\n  {}", commit, address,
                     join(tried, "\n  "))
      .at(source_.place);
}

Result<> Checkout::write_addresses() {
  std::string text;
  for (const auto& [address, folder] : brought_) text += address + "\t" + folder + "\n";
  return os::write_file(folder_ / "addresses", text);
}

Result<FetchedSource> known_source(const Source& source, const std::string& name, const Sha256& digest,
                                   std::string origin, Env& env) {
  FetchedSource out;
  out.uri = source.repository;
  if (!source.tag.empty()) out.ref = "refs/tags/" + source.tag;
  if (!source.branch.empty()) out.ref = "refs/heads/" + source.branch;
  out.sha256 = digest;
  out.size_bytes = TRY(env.store.size(digest));
  out.origin = std::move(origin);
  out.expected = name;
  out.commit = TRY(env.store.state().get(kCommitKind, name)).value_or(source.commit);
  return out;
}

Result<std::optional<FetchedSource>> from_store(const Source& source, const std::string& name, Env& env) {
  // Without a commit the name says nothing of the content: ask again.
  if (source.commit.empty()) return std::optional<FetchedSource>();
  const auto known = TRY(env.store.state().get(kSourceKind, name));
  const auto digest = known ? parse_sha256(*known) : Result<Sha256>(Sha256{});
  bool there = known && digest;
  if (there) there = TRY(env.store.holds(*digest));
  if (!there) return std::optional<FetchedSource>();
  FetchedSource out = TRY(known_source(source, name, *digest, "store", env));
  return std::optional(std::move(out));
}

/// One file of a folder, with nothing in it of when and where it was made.
Result<Path> pack(const Path& folder, Env& env) {
  const Path file = folder.string() + ".tar";
  os::Command command;
  command.argv = {"tar", "--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0",
                  "-cf", file.string(), "-C", folder.string(), "."};
  command.inherit_env = true;
  TRY(os::run_or_fail(env.processes, command, env.stop), "packing the history");
  return file;
}

}  // namespace

bool is_remote_repository(std::string_view repository) {
  for (const std::string_view scheme : {"https://", "http://", "git://", "ssh://"})
    if (repository.starts_with(scheme)) return true;
  // user@host:path
  const std::size_t at = repository.find('@'), colon = repository.find(':');
  return at != std::string_view::npos && colon != std::string_view::npos && at < colon &&
         repository.find('/') > colon && !repository.starts_with('-');
}

std::string git_source_name(const Source& source) {
  std::string text;
  for (const std::string* part : {&source.repository, &source.branch, &source.tag, &source.commit, &source.depth})
    text += *part + "\n";
  text += source.submodules ? "true\n" : "false\n";
  for (const char c : source.cherry_picks)
    if (std::string_view(" \t\n\v\f\r").find(c) == std::string_view::npos) text += c;
  return "git:" + codec::sha256(text).hex();
}

std::vector<Path> mirror_names(std::string_view repository) {
  std::string rest(repository);
  if (const std::size_t scheme = rest.find("://"); scheme != std::string::npos) rest = rest.substr(scheme + 3);
  else rest = replace_all(rest, ":", "/");
  if (const std::size_t at = rest.find('@'); at != std::string::npos && at < rest.find('/')) rest = rest.substr(at + 1);
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.ends_with(".git")) rest.resize(rest.size() - 4);
  const auto plain = TreePath::parse(rest);
  const std::size_t slash = rest.find('/');
  if (!plain || plain->str() != rest || slash == std::string::npos) return {};
  const std::string below = rest.substr(slash + 1), joined = replace_all(below, "/", "+");
  return {Path(joined) / "repo", Path(joined), Path(rest + ".git"), Path(rest), Path(below + ".git"), Path(below)};
}

std::string submodule_address(std::string_view repository, std::string_view url) {
  if (!url.starts_with("./") && !url.starts_with("../")) return std::string(url);
  std::string base(repository);
  while (base.ends_with('/')) base.pop_back();
  while (true) {
    if (url.starts_with("./")) {
      url.remove_prefix(2);
    } else if (url.starts_with("../")) {
      url.remove_prefix(3);
      const std::size_t slash = base.rfind('/');
      if (slash != std::string::npos && slash > base.find("://") + 2) base.resize(slash);
    } else {
      return base + "/" + std::string(url);
    }
  }
}

Result<FetchedSource> fetch_git(const Source& source, const FetchPlaces& places, Env& env) {
  if (!source.tag.empty() && !source.branch.empty())
    return Error::make(ErrorKind::kInvalid, "git-checkout names both a branch ('{}') and a tag ('{}')", source.branch,
                       source.tag)
        .at(source.place);
  TRY(check_name("tag", source.tag, source));
  TRY(check_name("branch", source.branch, source));
  const std::string name = git_source_name(source);
  if (auto found = TRY(from_store(source, name, env))) return *std::move(found);
  const store::Lease lease = TRY(env.store.lease("source/" + replace_all(name, ":", "-")), "fetching '{}'",
                                 source.repository);
  if (auto found = TRY(from_store(source, name, env))) return *std::move(found);

  Task task(env.events, fmt::format("fetch {}", source.repository));
  TRY(os::make_dirs(env.store.home() / "partial"));
  const os::TempDir place = TRY(os::TempDir::create(env.store.home() / "partial", "git-"));
  const Path folder = place.path() / "source";
  Checkout checkout(source, places, folder, env);
  const std::string commit = TRY(checkout.bring());
  const Path packed = TRY(pack(folder, env));
  const Sha256 digest = TRY(env.store.put_file(packed, store::Store::Take::kMove), "storing '{}'", source.repository);
  Repository repository(folder / "repository.git", env);
  const std::string date = TRY(repository.git({"show", "--no-patch", "--format=%ct", commit}));
  TRY(env.store.state().put("source-date", digest.hex(), std::string(trim(date))));
  TRY(env.store.state().put(kCommitKind, name, commit));
  TRY(env.store.state().put(kSourceKind, name, digest.hex()));
  FetchedSource out = TRY(known_source(source, name, digest, checkout.origin(), env));
  task.finish(fmt::format("{}, {}", out.origin, human_bytes(out.size_bytes)));
  return out;
}

}  // namespace nacre::build
