#include "definition/parse.h"

#include <algorithm>

namespace nacre::definition {
namespace {

constexpr unsigned kBuildId = 1000;

Result<> parse_contents(const Value& value, const Scope& scope, Environment& out) {
  Fields fields = TRY(Fields::of(value, "contents"));
  for (const char* key : {"build_repositories", "repositories", "runtime_repositories"})
    TRY(fields.texts(key, out.repositories));
  TRY(fields.texts("keyring", out.keyring));
  if (const auto packages = fields.find("packages")) {
    const std::vector<Value> items = TRY(packages->list(), "reading 'packages'");
    for (const Value& item : items) {
      const std::string text = TRY(item.text(), "reading 'packages'");
      const std::string made = TRY(expand(text, scope, item));
      add_unique(out.packages, made);
    }
  }
  fields.skip({"baseimage", "runtime_keyring"});
  return fields.done();
}

Result<> parse_users(const Value& value, std::vector<Account>& out) {
  const std::vector<Value> list = TRY(value.list(), "reading 'users'");
  for (const Value& item : list) {
    Account& user = out.emplace_back();
    Fields fields = TRY(Fields::of(item, "user"));
    TRY(fields.text("username", user.name));
    TRY(fields.number("uid", user.uid));
    user.gid = user.uid;
    TRY(fields.number("gid", user.gid));
    TRY(fields.text("shell", user.shell));
    TRY(fields.text("homedir", user.home));
    TRY(fields.done());
    if (user.name.empty()) return item.invalid("a user needs a 'username'");
  }
  return {};
}

Result<> parse_groups(const Value& value, std::vector<AccountGroup>& out) {
  const std::vector<Value> list = TRY(value.list(), "reading 'groups'");
  for (const Value& item : list) {
    AccountGroup& group = out.emplace_back();
    Fields fields = TRY(Fields::of(item, "group"));
    TRY(fields.text("groupname", group.name));
    TRY(fields.number("gid", group.gid));
    TRY(fields.texts("members", group.members));
    TRY(fields.done());
    if (group.name.empty()) return item.invalid("a group needs a 'groupname'");
  }
  return {};
}

Result<> parse_accounts(const Value& value, Environment& out) {
  Fields fields = TRY(Fields::of(value, "accounts"));
  TRY(fields.text("run-as", out.run_as));
  if (const auto users = fields.find("users")) TRY(parse_users(*users, out.users));
  if (const auto groups = fields.find("groups")) TRY(parse_groups(*groups, out.groups));
  return fields.done();
}

/// Builds and tests run as an account that every root has.
void add_build_account(Environment& out) {
  const auto named = [](const auto& account) { return account.name == "build"; };
  if (std::none_of(out.users.begin(), out.users.end(), named))
    out.users.push_back({"build", kBuildId, kBuildId, "", ""});
  if (std::none_of(out.groups.begin(), out.groups.end(), named))
    out.groups.push_back({"build", kBuildId, {"build"}});
}

}  // namespace

Result<> parse_environment(const std::optional<Value>& value, const Scope& scope,
                           Environment& out) {
  add_build_account(out);
  if (!value) return {};
  out.users.clear();
  out.groups.clear();
  Fields fields = TRY(Fields::of(*value, "environment"));
  if (const auto contents = fields.find("contents")) TRY(parse_contents(*contents, scope, out));
  if (const auto accounts = fields.find("accounts")) TRY(parse_accounts(*accounts, out));
  TRY(fields.pairs("environment", out.variables));
  // Fields of an image definition that mean nothing in a build.
  fields.skip({"entrypoint", "cmd", "stop-signal", "work-dir", "archs", "paths", "vcs-url",
               "annotations", "include", "volumes", "layering", "certificates", "format"});
  TRY(fields.done());
  add_build_account(out);
  return {};
}

Result<std::vector<BuildOption>> parse_build_options(const Value& value) {
  std::vector<BuildOption> out;
  if (value.is_null()) return out;
  if (value.node->kind != codec::YamlKind::kMapping)
    return value.invalid("expected a mapping for options");
  for (const auto& entry : value.node->entries) {
    BuildOption& option = out.emplace_back();
    option.name = entry.key;
    Fields fields = TRY(Fields::of({value.tree, &entry.value}, "option '" + entry.key + "'"));
    TRY(fields.pairs("vars", option.vars));
    if (const auto environment = fields.find("environment")) {
      Fields inner = TRY(Fields::of(*environment, "environment of an option"));
      if (const auto contents = inner.find("contents")) {
        Fields lists = TRY(Fields::of(*contents, "contents of an option"));
        if (const auto packages = lists.find("packages")) {
          Fields changes = TRY(Fields::of(*packages, "packages of an option"));
          TRY(changes.texts("add", option.add));
          TRY(changes.texts("remove", option.remove));
          TRY(changes.done());
        }
        TRY(lists.done());
      }
      TRY(inner.done());
    }
    TRY(fields.done());
  }
  return out;
}

}  // namespace nacre::definition
