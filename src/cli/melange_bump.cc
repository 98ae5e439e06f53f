#include "apk/version.h"
#include "base/encoding.h"
#include "base/text.h"
#include "cli/melange_common.h"
#include "cli/melange_steps.h"
#include "codec/digest.h"
#include "codec/yaml.h"
#include "definition/edit.h"
#include "definition/substitute.h"
#include "net/http.h"
#include "store/store.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace nacre::cli {
namespace {

using codec::YamlKind;
using codec::YamlNode;
using codec::YamlTree;

struct Change {
  const YamlNode* node;
  std::string text;
};

std::string scalar(const YamlNode& root, std::string_view key) {
  const YamlNode* package = root.find("package");
  const YamlNode* node = package == nullptr ? nullptr : package->find(key);
  return node == nullptr ? std::string() : node->text;
}

/// From the end of the text, so that the spans before stay true.
std::string apply(const YamlTree& tree, std::vector<Change> changes) {
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.node->span.begin > b.node->span.begin; });
  YamlTree text{tree.file, tree.source, {}};
  for (const Change& change : changes) text.source = codec::replace_scalar(text, *change.node, change.text);
  return text.source;
}

struct Digests {
  std::string sha256, sha512;
};

Result<Digests> digests_of(const std::string& uri, Env& env) {
  codec::Hasher sha256(codec::HashKind::kSha256), sha512(codec::HashKind::kSha512);
  net::Request request;
  request.url = uri;
  request.max_bytes = std::uint64_t{16} << 30;
  request.sink = [&](std::string_view bytes) -> Result<> {
    sha256.update(bytes);
    sha512.update(bytes);
    return {};
  };
  Task task(env.events, "fetch " + uri);
  const net::Response response = TRY(net::send_with_retry(env.http, request, env.stop), "fetching '{}'", uri);
  TRY(net::expect_success(response, uri));
  task.finish();
  Digests out;
  out.sha256 = to_hex(sha256.finish());
  out.sha512 = to_hex(sha512.finish());
  return out;
}

/// New digests of what the fetch steps name now.
Result<> change_digests(const YamlTree& tree, const YamlNode& replaced, Env& env, std::vector<Change>& changes) {
  for (const UsedStep& step : steps_that_use(tree.root, replaced, "fetch")) {
    const YamlNode* short_one = step.written->find("expected-sha256");
    const YamlNode* long_one = step.written->find("expected-sha512");
    if (short_one == nullptr && long_one == nullptr) continue;
    const std::string uri = step.input("uri");
    if (!is_address(uri))
      return Error::make(ErrorKind::kInvalid, "'{}' is no address that can be fetched", uri)
          .at(tree.place(step.written->span));
    const Digests digests = TRY(digests_of(uri, env));
    if (short_one != nullptr) changes.push_back({short_one, digests.sha256});
    if (long_one != nullptr) changes.push_back({long_one, digests.sha512});
  }
  return {};
}

/// Names of variables that var-transforms make from the version.
std::vector<std::string> version_variables(const YamlTree& tree) {
  std::vector<std::string> out = {"${{package.version}}", "${{package.full-version}}"};
  const YamlNode* list = tree.root.find("var-transforms");
  if (list == nullptr) return out;
  for (const YamlNode& item : list->items) {
    const YamlNode* from = item.find("from");
    const YamlNode* to = item.find("to");
    if (from == nullptr || to == nullptr) continue;
    const bool made = std::any_of(out.begin(), out.end(), [&](const std::string& variable) {
      return from->text.find(variable) != std::string::npos;
    });
    if (made) out.push_back(fmt::format("${{{{vars.{}}}}}", to->text));
  }
  return out;
}

/// --expected-commit: in the one git-checkout there is, else in those whose tag moves with the version.
void change_commits(const YamlTree& tree, const YamlNode& replaced, const std::string& commit,
                    std::vector<Change>& changes) {
  const std::vector<UsedStep> steps = steps_that_use(tree.root, replaced, "git-checkout");
  const std::vector<std::string> variables = version_variables(tree);
  for (const UsedStep& step : steps) {
    const YamlNode* expected = step.written->find("expected-commit");
    const YamlNode* tag = step.written->find("tag");
    if (expected == nullptr || expected->text.find("${{") != std::string::npos) continue;
    const bool moves = tag != nullptr && std::any_of(variables.begin(), variables.end(), [&](const std::string& name) {
                         return tag->text.find(name) != std::string::npos;
                       });
    if (steps.size() == 1 || moves) changes.push_back({expected, commit});
  }
}

Result<int> run_bump(const MelangeArguments& arguments, Session& session) {
  const std::string file = arguments.words[0], version = arguments.words[1];
  if (!apk::is_valid_version(version) || version.find("-r") != std::string::npos)
    return Error::make(ErrorKind::kInvalid, "'{}' is no version that a definition can have", version)
        .hint("digits with dots, then perhaps a letter, _alpha _beta _pre _rc or _p with a number: 1.2.3_rc1");
  const std::string commit = arguments.text("--expected-commit");
  if (!commit.empty() && (commit.size() != 40 || commit.find_first_not_of("0123456789abcdef") != std::string::npos))
    return Error::make(ErrorKind::kInvalid, "--expected-commit needs 40 hexadecimal digits, got '{}'", commit);
  std::string text = TRY(os::read_file(file), "reading the definition");
  const YamlTree before = TRY(codec::parse_yaml(std::move(text), file));
  std::uint64_t epoch = 0;
  if (scalar(before.root, "version") == version) {
    const std::string number = scalar(before.root, "epoch");
    std::from_chars(number.data(), number.data() + number.size(), epoch);
    ++epoch;
  }
  std::string bumped = TRY(definition::bump_version(before, version, epoch));
  const YamlTree after = TRY(codec::parse_yaml(std::move(bumped), file));
  const definition::FirstPhase first = TRY(definition::run_first_phase(after, {}));
  std::vector<Change> changes;
  TRY(change_digests(after, first.root, session.env, changes));
  if (!commit.empty()) change_commits(after, first.root, commit, changes);
  const std::string out = apply(after, std::move(changes));
  TRY(codec::parse_yaml(out, file), "reading what was edited");
  TRY(os::write_file(file, out));
  std::fprintf(stderr, "%s: %s-r%llu\n", file.c_str(), version.c_str(), static_cast<unsigned long long>(epoch));
  return 0;
}

/// Every source with a digest that the main pipeline fetches, as `sha256:HEX` in the cache.
Result<int> run_update_cache(const MelangeArguments& arguments, Session& session) {
  Env& env = session.env;
  const Path folder = arguments.text("--cache-dir");
  TRY(os::make_dirs(folder));
  const build::FetchPlaces places = build::places_of_machine();
  for (const std::string& file : arguments.words) {
    std::string text = TRY(os::read_file(file), "reading the definition");
    const YamlTree tree = TRY(codec::parse_yaml(std::move(text), file));
    const definition::FirstPhase first = TRY(definition::run_first_phase(tree, {}));
    for (const UsedStep& step : steps_that_use(tree.root, first.root, "fetch")) {
      definition::Source source;
      source.uri = step.input("uri");
      source.sha256 = step.input("expected-sha256");
      source.sha512 = step.input("expected-sha512");
      source.place = tree.place(step.written->span);
      if (source.sha256.empty() && source.sha512.empty()) continue;
      const build::FetchedSource fetched = TRY(build::fetch_source(source, {}, places, env));
      const Path target = folder / fetched.expected;
      if (os::exists(target)) continue;
      const std::string bytes = TRY(env.store.read(fetched.sha256, std::uint64_t{8} << 30));
      TRY(os::write_file(target, bytes));
      session.print(fetched.expected);
    }
  }
  return 0;
}

void collect(const YamlNode* written, const YamlNode* replaced, std::string_view pipeline, std::vector<UsedStep>& out) {
  if (written == nullptr || replaced == nullptr) return;
  for (std::size_t i = 0; i < std::min(written->items.size(), replaced->items.size()); ++i) {
    const YamlNode& step = written->items[i];
    const YamlNode* uses = step.find("uses");
    const YamlNode* with = step.find("with");
    if (uses != nullptr && uses->text == pipeline && with != nullptr)
      out.push_back({with, replaced->items[i].find("with")});
    collect(step.find("pipeline"), replaced->items[i].find("pipeline"), pipeline, out);
  }
}

}  // namespace

std::string UsedStep::input(std::string_view name) const {
  const YamlNode* node = replaced == nullptr ? nullptr : replaced->find(name);
  return node == nullptr ? std::string() : node->text;
}

std::vector<UsedStep> steps_that_use(const YamlNode& written, const YamlNode& replaced, std::string_view pipeline) {
  std::vector<UsedStep> out;
  collect(written.find("pipeline"), replaced.find("pipeline"), pipeline, out);
  return out;
}

MelangeCommand melange_bump() {
  return {.name = "bump",
          .summary = "edit a definition for a new version: version, epoch, digests",
          .usage = "CONFIG VERSION",
          .flags = {{"--expected-commit", 0, MelangeFlag::kText, "", "commit of the new version, for git-checkout",
                     ""}},
          .min_words = 2,
          .max_words = 2,
          .run = run_bump};
}

MelangeCommand melange_update_cache() {
  return {.name = "update-cache",
          .summary = "fetch the sources of definitions into a cache directory",
          .usage = "CONFIG …",
          .flags = {{"--cache-dir", 0, MelangeFlag::kText, "/var/cache/melange", "the cache", ""}},
          .min_words = 1,
          .max_words = 1u << 20,
          .run = run_update_cache};
}

}  // namespace nacre::cli
