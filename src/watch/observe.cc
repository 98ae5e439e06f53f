#include "base/events.h"
#include "base/text.h"
#include "net/url.h"
#include "os/process.h"
#include "os/threads.h"
#include "watch/debian.h"
#include "watch/feeds.h"

#include <re2/re2.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>

namespace nacre::watch {
namespace {

constexpr unsigned kDefinitionsAtOnce = 8;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// First line that a client prints about its own configuration; empty when there is no such client.
std::string ask_client(std::vector<std::string> argv, Env& env) {
  os::Command command;
  command.inherit_env = true;
  command.argv = std::move(argv);
  command.timeout_seconds = 20;
  const auto exit = env.processes.run(command, env.stop);
  return exit && exit->ok() ? std::string(trim(exit->out)) : std::string();
}

std::string home_file(const char* name) {
  const auto text = os::read_file(os::Path(from_environment("HOME")) / name, 1u << 20);
  return text ? *text : std::string();
}

std::string pip_index(Env& env) {
  std::string out = from_environment("PIP_INDEX_URL");
  if (out.empty()) out = ask_client({"python3", "-m", "pip", "config", "get", "global.index-url"}, env);
  if (out.empty())
    out = ask_client({"python3", "-c", "import pip._internal.models.index as i; print(i.PyPI.simple_url)"}, env);
  return out;
}

std::string go_proxy(Env& env) {
  const std::string list = ask_client({"go", "env", "GOPROXY"}, env);
  return list.substr(0, list.find_first_of(",|"));
}

std::string first_match(const std::string& text, const char* pattern) {
  std::string out;
  RE2::PartialMatch(text, pattern, &out);
  return out;
}

FeedAddress chosen(const char* variable, std::function<std::string()> otherwise) {
  std::string value = from_environment(variable);
  return value.empty() ? FeedAddress(std::move(otherwise)) : FeedAddress(std::move(value));
}

/// One feed that may answer for a definition.
struct Question {
  FeedKind kind;
  std::function<Result<std::vector<RawRelease>>()> ask;
  std::string server;   ///< Of a feed that has many: one that is silent says nothing of the others.
};

std::vector<RawRelease> raw_of(const std::vector<DebianSource>& sources) {
  std::vector<RawRelease> out;
  for (const DebianSource& source : sources) out.push_back({source.version, 0, false});
  return out;
}

std::string server_of(std::string_view uri) {
  const auto url = net::parse_url(uri);
  return url ? url->host : std::string();
}

void ask_own_form(const definition::Definition& definition, const Feeds& feeds, Env& env,
                  std::vector<Question>& out) {
  const definition::Update& update = definition.update;
  for (const auto& block : update.github)
    out.push_back({FeedKind::kGitHub, [&block, &feeds, &env] { return ask_github(block, feeds, env); }});
  for (const auto& block : update.release_monitor)
    out.push_back({FeedKind::kReleaseMonitor,
                   [&block, &feeds, &env] { return ask_release_monitor(block.identifier, feeds, env); }});
  if (update.git.empty()) return;
  for (const definition::Source& source : definition.sources)
    if (source.kind == definition::Source::Kind::kGit)
      out.push_back({FeedKind::kGit, [&source, &env] { return ask_git(source.repository, env); },
                     server_of(source.repository)});
}

void ask_ecosystems(const definition::Definition& definition, const Feeds& feeds, Env& env,
                    std::vector<Question>& out) {
  for (const definition::Source& source : definition.sources) {
    const auto package = package_of_uri(source.uri);
    if (!package) continue;
    out.push_back({package->kind, [package, &feeds, &env]() -> Result<std::vector<RawRelease>> {
                     switch (package->kind) {
                       case FeedKind::kNpm: return ask_npm(package->name, feeds, env);
                       case FeedKind::kGo: return ask_go(package->name, feeds, env);
                       case FeedKind::kCrates: return ask_crates(package->name, feeds, env);
                       case FeedKind::kMaven: return ask_maven(package->group, package->name, feeds, env);
                       default: return ask_pypi(package->name, feeds, env);
                     }
                   }});
  }
}

}  // namespace

struct FeedAddress::Asked {
  std::once_flag once;
  std::function<std::string()> ask;
  std::string text;
};

FeedAddress::FeedAddress(std::string known) : asked_(std::make_shared<Asked>()) { asked_->text = std::move(known); }

FeedAddress::FeedAddress(std::function<std::string()> ask) : asked_(std::make_shared<Asked>()) {
  asked_->ask = std::move(ask);
}

const std::string& FeedAddress::text() const {
  std::call_once(asked_->once, [this] {
    if (asked_->ask) asked_->text = asked_->ask();
  });
  return asked_->text;
}

std::unique_ptr<FeedMemory::Place> FeedMemory::enter(const std::string& server, unsigned at_once) {
  std::unique_lock lock(mutex_);
  left_.wait(lock, [&] { return asking_[server] < at_once; });
  ++asking_[server];
  return std::make_unique<Place>(*this, server);
}

void FeedMemory::leave(const std::string& server) {
  {
    const std::lock_guard lock(mutex_);
    --asking_[server];
  }
  left_.notify_all();
}

bool FeedMemory::is_silent(const std::string& server) const {
  const std::lock_guard lock(mutex_);
  return silent_.contains(server);
}

void FeedMemory::note_silent(const std::string& server) {
  const std::lock_guard lock(mutex_);
  silent_.insert(server);
}

std::shared_ptr<const DebianIndex> FeedMemory::debian() const {
  const std::lock_guard lock(mutex_);
  return debian_;
}

void FeedMemory::set_debian(std::shared_ptr<const DebianIndex> index) {
  const std::lock_guard lock(mutex_);
  debian_ = std::move(index);
}

std::string_view name_of(FeedKind kind) {
  switch (kind) {
    case FeedKind::kGitHub: return "GitHub";
    case FeedKind::kGit: return "git";
    case FeedKind::kReleaseMonitor: return "release-monitoring";
    case FeedKind::kDebian: return "Debian";
    case FeedKind::kPyPI: return "PyPI";
    case FeedKind::kNpm: return "npm";
    case FeedKind::kGo: return "Go";
    case FeedKind::kCrates: return "crates";
    case FeedKind::kMaven: return "Maven";
  }
  return "?";
}

Feeds feeds_of_machine(Env& env) {
  Feeds feeds;
  feeds.github_api = chosen("NACRE_FEED_GITHUB", [] { return std::string("https://api.github.com"); });
  feeds.github_token = from_environment("GITHUB_TOKEN");
  feeds.release_monitor =
      chosen("NACRE_FEED_RELEASE_MONITOR", [] { return std::string("https://release-monitoring.org"); });
  feeds.pypi = chosen("NACRE_FEED_PYPI", [&env] { return pip_index(env); });
  feeds.npm = chosen("NACRE_FEED_NPM", [&env] { return ask_client({"npm", "config", "get", "registry"}, env); });
  feeds.go_proxy = chosen("NACRE_FEED_GO", [&env] { return go_proxy(env); });
  feeds.crates =
      chosen("NACRE_FEED_CRATES", [] { return first_match(home_file(".cargo/config.toml"), "\"sparse\\+([^\"]+)\""); });
  feeds.maven = chosen("NACRE_FEED_MAVEN",
                       [] { return first_match(home_file(".m2/settings.xml"), "<url>\\s*([^<\\s]+)\\s*</url>"); });
  feeds.archives = std::make_shared<build::AptArchives>();
  if (const std::string suites = from_environment("NACRE_FEED_DEBIAN_SUITES"); !suites.empty())
    feeds.debian_suites = split_words(suites);
  return feeds;
}

Result<Observation> observe(const definition::Definition& definition, const Feeds& feeds,
                            const std::vector<build::LockedSource>& lock, Env& env) {
  std::vector<Question> questions;
  ask_own_form(definition, feeds, env, questions);
  ask_ecosystems(definition, feeds, env, questions);
  std::string debian;
  for (const build::LockedSource& source : lock)
    if (std::find(source.used_by.begin(), source.used_by.end(), definition.name) != source.used_by.end() &&
        debian.empty())
      debian = debian_name(source);
  if (!debian.empty())
    questions.push_back({FeedKind::kDebian, [&]() -> Result<std::vector<RawRelease>> {
                           const auto index = TRY(debian_index(feeds, env));
                           const auto found = index->sources.find(debian);
                           if (found == index->sources.end())
                             return Error::make(ErrorKind::kNotFound, "it has no source '{}'", debian);
                           return raw_of(found->second);
                         }});
  Observation out;
  std::string faults;
  for (const Question& question : questions) {
    const std::string name(name_of(question.kind));
    const std::string server = name + " " + question.server;
    const auto place = feeds.memory->enter(server, question.kind == FeedKind::kDebian ? 1 : FeedMemory::kAtOnce);
    if (feeds.memory->is_silent(server)) {
      out.unreachable.push_back(name);
      faults += fmt::format("\n  {}: it did not answer before", name);
      continue;
    }
    const auto raw = question.ask();
    if (!raw) {
      if (raw.error().kind() == ErrorKind::kUnavailable) feeds.memory->note_silent(server);
      out.unreachable.push_back(name);
      faults += fmt::format("\n  {}: {}", name, raw.error().render());
      continue;
    }
    out.feed = question.kind;
    out.releases = TRY(select_releases(definition.update, question.kind, *raw), "reading the update block of '{}'",
                       definition.name);
    if (!out.releases.empty()) return out;
    faults += fmt::format("\n  {}: none of its {} releases fits the update block", name, raw->size());
  }
  if (questions.empty())
    return Error::make(ErrorKind::kNotFound, "nothing says where to look for releases of '{}'", definition.name)
        .at({definition.file, 0, 0})
        .hint("add an `update:` block, or a source with a Debian pool path in sources.lock");
  return Error::make(ErrorKind::kUnavailable, "no feed knows a release of '{}'{}", definition.name, faults);
}

std::vector<Result<Observation>> observe_all(const std::vector<const definition::Definition*>& definitions,
                                             const Feeds& feeds, const std::vector<build::LockedSource>& lock, Env& env,
                                             const Task& task) {
  std::vector<Result<Observation>> out(definitions.size());
  std::atomic<std::size_t> asked = 0;
  (void)os::for_each(definitions.size(), kDefinitionsAtOnce, [&](std::size_t i) -> Result<> {
    if (env.stop.stop_requested()) out[i] = Error::make(ErrorKind::kUnavailable, "interrupted");
    else out[i] = observe(*definitions[i], feeds, lock, env);
    task.progress(++asked, definitions.size());
    return {};
  });
  return out;
}

}  // namespace nacre::watch
