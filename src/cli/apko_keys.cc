#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <set>

#include "base/text.h"
#include "cli/apko.h"
#include "cli/melange_common.h"
#include "index/discovery.h"
#include "publish/login.h"
#include "publish/registry.h"

// Whom to believe, and as whom to speak: keys that repositories give of themselves, logins of registries.
namespace nacre::cli {
namespace {

using F = MelangeFlag;

constexpr std::string_view kShow = "show";

Result<int> run_install_keys(const MelangeArguments& arguments, Session& session) {
  const Path root = arguments.text("--root");
  std::vector<std::string> repositories = arguments.words;
  if (repositories.empty()) {
    const std::string file = (root / "etc/apk/repositories").string();
    const std::string text = TRY(os::read_file(file), "looking for repositories");
    const std::vector<index::RepositoryLine> lines = TRY(index::parse_repositories(text, file));
    for (const index::RepositoryLine& line : lines) repositories.push_back(line.base);
  }
  const std::vector<index::TrustedKey> keys =
      TRY(discovered_keys(repositories, arguments.list("--key-discovery"), index::Reach::kOnline, session.env));
  if (keys.empty())
    return Error::make(ErrorKind::kDenied, "no key was installed: none of those above was named")
        .hint("look at their fingerprints, and name those that you trust with --key-discovery");
  for (const index::TrustedKey& key : keys) {
    const Path file = root / "etc/apk/keys" / key.name;
    TRY(os::make_dirs(file.parent_path()));
    TRY(os::write_file(file, key.pem));
    session.print("wrote " + file.string());
  }
  return 0;
}

Result<int> run_login(const MelangeArguments& arguments, Session& session) {
  const std::string& host = arguments.words[0];
  const publish::Reference parsed = TRY(publish::parse_reference(host + "/x"));
  if (parsed.host != host)
    return Error::make(ErrorKind::kInvalid, "'{}' is no registry", host).hint("name it as HOST or HOST:PORT");
  publish::Login login;
  login.user = arguments.text("--username");
  login.password = arguments.text("--password");
  if (arguments.on("--password-stdin")) {
    login.password.assign(std::istreambuf_iterator<char>(std::cin), {});
    while (login.password.ends_with('\n') || login.password.ends_with('\r')) login.password.pop_back();
  }
  if (login.user.empty() || login.password.empty())
    return Error::make(ErrorKind::kInvalid, "a login needs a user and a password")
        .hint("apko login HOST --username USER --password-stdin");
  const std::string place =
      TRY(publish::keep_login(host, login, publish::login_places(), session.env.processes, session.env.stop));
  session.print(fmt::format("the login of '{}' is kept by {}", host, place));
  return 0;
}

}  // namespace

MelangeFlag key_discovery_flag() {
  return {"--key-discovery",
          0,
          F::kList,
          "",
          "fingerprints of keys that repositories give of themselves and that are to be trusted; 'show' trusts none",
          ""};
}

Result<std::vector<index::TrustedKey>> discovered_keys(const std::vector<std::string>& repositories,
                                                       const std::vector<std::string>& named, index::Reach reach,
                                                       Env& env) {
  std::vector<index::TrustedKey> out;
  std::set<std::string> wanted(named.begin(), named.end()), seen;
  wanted.erase(std::string(kShow));
  const index::Fetcher fetcher = TRY(index::Fetcher::make(env, reach));
  std::set<std::string> missing = wanted;
  for (const std::string& repository : std::set<std::string>(repositories.begin(), repositories.end())) {
    const std::vector<index::DiscoveredKey> keys = TRY(index::discover_keys(repository, fetcher));
    for (const index::DiscoveredKey& key : keys) {
      const bool trusted = wanted.contains(key.fingerprint);
      tell(env, fmt::format("'{}' says that '{}' is its key: {} ({})", key.repository, key.key.name, key.fingerprint,
                            trusted ? "trusted: it was named" : "not trusted: nobody named it"));
      missing.erase(key.fingerprint);
      if (trusted && seen.insert(key.fingerprint).second) out.push_back(key.key);
    }
  }
  if (!missing.empty())
    return Error::make(ErrorKind::kDenied, "no repository gives a key with the fingerprint '{}'", *missing.begin())
        .hint("the keys above are those that they give; did one change?");
  return out;
}

MelangeCommand apko_install_keys() {
  return {.name = "install-keys",
          .summary = "install keys that repositories give of themselves, those that are named",
          .usage = "[REPOSITORY…]",
          .flags = {key_discovery_flag(),
                    {"--root", 0, F::kText, "/", "root with etc/apk/repositories and etc/apk/keys", ""}},
          .max_words = 64,
          .run = run_install_keys};
}

MelangeCommand apko_login() {
  return {.name = "login",
          .summary = "keep the login of a registry where docker keeps it",
          .usage = "HOST",
          .flags = {{"--username", 'u', F::kText, "", "user", ""},
                    {"--password", 'p', F::kText, "", "password; others see it in the list of processes", ""},
                    {"--password-stdin", 0, F::kSwitch, "", "read the password from standard input", ""}},
          .min_words = 1,
          .max_words = 1,
          .run = run_login};
}

}  // namespace nacre::cli
