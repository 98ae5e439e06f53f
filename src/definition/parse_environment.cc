#include "definition/parse.h"

#include <algorithm>

namespace nacre::definition {
namespace {

constexpr unsigned kBuildId = 1000;

/// `contents:` lives flat in Environment.
struct Contents {
  std::vector<std::string> build_repositories, repositories, keyring, packages;
  struct BaseImage {
    std::string image, apkindex;
  } base;
};

/// Known and lost: the reference copies an environment field by field, and not these.
struct Named {
  std::string name, content;
};
struct Certificates {
  std::vector<Named> additional;
  std::vector<std::string> providers;
};
struct Layering {
  std::string strategy;
  int budget = 0;
};

struct Accounts {
  std::string run_as;
  std::vector<Account> users;
  std::vector<AccountGroup> groups;
};

struct Entrypoint {
  std::string type, command, shell_fragment;
  Pairs services;
};

/// Reads a mapping only to refuse what is wrong with it.
template <class T>
Result<> check_only(const Value& value, const Scope* scope, Environment&) {
  T ignored;
  return read_mapping(value, scope, ignored);
}

/// Builds and tests run as an account that every root has.
void add_build_account(Environment& out) {
  const auto named = [](const auto& account) { return account.name == "build"; };
  if (std::none_of(out.users.begin(), out.users.end(), named))
    out.users.push_back({"build", kBuildId, kBuildId, "", ""});
  if (std::none_of(out.groups.begin(), out.groups.end(), named)) out.groups.push_back({"build", kBuildId, {"build"}});
}

Result<> read_contents(const Value& value, const Scope* scope, Environment& out) {
  Contents contents;
  TRY(read_mapping(value, scope, contents));
  out.packages = std::move(contents.packages);
  out.repositories = std::move(contents.repositories);
  out.build_repositories = std::move(contents.build_repositories);
  out.keyring = std::move(contents.keyring);
  out.image.base_image = std::move(contents.base.image);
  out.image.base_index = std::move(contents.base.apkindex);
  return {};
}

Result<> read_accounts(const Value& value, const Scope* scope, Environment& out) {
  Accounts accounts;
  TRY(read_mapping(value, scope, accounts));
  out.run_as = std::move(accounts.run_as);
  out.users = std::move(accounts.users);
  out.groups = std::move(accounts.groups);
  return {};
}

Result<> read_entrypoint(const Value& value, const Scope* scope, Environment& out) {
  Entrypoint entrypoint;
  TRY(read_mapping(value, scope, entrypoint));
  out.image.entrypoint_type = std::move(entrypoint.type);
  out.image.command = std::move(entrypoint.command);
  out.image.shell_fragment = std::move(entrypoint.shell_fragment);
  out.image.services = std::move(entrypoint.services);
  return {};
}

/// A text of `image` that the environment's own table names.
template <auto kMember>
Field<Environment> image_row(std::string_view key, std::string_view help) {
  return {{key, shape_of_member<TypeOf<kMember>>(), help},
          [](const Value& value, const Scope*, Environment& out) -> Result<> {
            return read_into(value, out.image.*kMember);
          }};
}

Result<> check_number(const Value& value, std::string_view key) {
  const codec::YamlNode* node = value.node->find(key);
  if (!node || node->kind == codec::YamlKind::kNull) return {};
  std::string digits = node->text;
  const bool octal = digits.size() > 1 && digits[0] == '0';
  if (digits.starts_with("0o")) digits.erase(1, 1);
  unsigned number = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, status] = std::from_chars(digits.data(), end, number, octal ? 8 : 10);
  if (status == std::errc{} && stop == end) return {};
  return Value{value.tree, node}.invalid("expected a number, found '{}'", node->text);
}

}  // namespace

template <>
const Table<Contents::BaseImage>& table_of() {
  using T = Contents::BaseImage;
  static const Table<T> kTable{"baseimage", {row<&T::image>("image"), row<&T::apkindex>("apkindex")}};
  return kTable;
}

template <>
const Table<Named>& table_of() {
  static const Table<Named> kTable{"an entry", {row<&Named::name>("name"), row<&Named::content>("content")}};
  return kTable;
}

template <>
const Table<Contents>& table_of() {
  using T = Contents;
  static const Table<T> kTable{
      "contents",
      {row<&T::build_repositories>("build_repositories", "repositories for building alone"),
       unkept<T>("runtime_repositories", Shape::kTexts, "repositories that an image names"),
       row<&T::repositories>("repositories", "where packages come from"),
       row<&T::keyring>("keyring", "keys that sign them"),
       unkept<T>("runtime_keyring", Shape::kList, "keys that an image holds", info_of<Named>),
       {{"packages", Shape::kTexts, "what is installed"},
        [](const Value& value, const Scope* scope, T& out) -> Result<> {
          const std::vector<Value> items = TRY(value.list());
          for (const Value& item : items) {
            const std::string text = TRY(item.text());
            std::string made = TRY(expand(text, *scope, item));
            out.packages.push_back(std::move(made));
          }
          return {};
        }},
       mapping<&T::base>("baseimage", "image to build upon")}};
  return kTable;
}

template <>
const Table<Account>& table_of() {
  using T = Account;
  static const Table<T> kTable{"user",
                               {must<&T::name>("username"), row<&T::uid>("uid"), row<&T::gid>("gid"),
                                row<&T::shell>("shell"), row<&T::home>("homedir")},
                               [](const Value& value, T& out) -> Result<> {
                                 if (out.name.empty()) return value.invalid("a user needs a 'username'");
                                 if (!value.node->find("gid")) out.gid = out.uid;
                                 return {};
                               }};
  return kTable;
}

template <>
const Table<AccountGroup>& table_of() {
  using T = AccountGroup;
  static const Table<T> kTable{"group",
                               {must<&T::name>("groupname"), row<&T::gid>("gid"), row<&T::members>("members")},
                               [](const Value& value, T& out) -> Result<> {
                                 if (out.name.empty()) return value.invalid("a group needs a 'groupname'");
                                 return {};
                               }};
  return kTable;
}

template <>
const Table<Accounts>& table_of() {
  using T = Accounts;
  static const Table<T> kTable{"accounts",
                               {row<&T::run_as>("run-as", "account that steps run as"),
                                list<&T::users>("users", "accounts"), list<&T::groups>("groups", "groups")}};
  return kTable;
}

template <>
const Table<Entrypoint>& table_of() {
  using T = Entrypoint;
  static const Table<T> kTable{"entrypoint",
                               {row<&T::type>("type"), row<&T::command>("command"),
                                row<&T::shell_fragment>("shell-fragment"), row<&T::services>("services")}};
  return kTable;
}

template <>
const Table<ImageParts::Path>& table_of() {
  using T = ImageParts::Path;
  static const Table<T> kTable{
      "paths",
      {row<&T::path>("path"), row<&T::type>("type"), row<&T::uid>("uid"), row<&T::gid>("gid"),
       row<&T::permissions>("permissions"), row<&T::source>("source"), row<&T::recursive>("recursive")},
      [](const Value& value, T&) -> Result<> {
        for (const char* key : {"uid", "gid", "permissions"}) TRY(check_number(value, key));
        return {};
      }};
  return kTable;
}

template <>
const Table<Certificates>& table_of() {
  using T = Certificates;
  static const Table<T> kTable{"certificates", {list<&T::additional>("additional"), row<&T::providers>("providers")}};
  return kTable;
}

template <>
const Table<Layering>& table_of() {
  using T = Layering;
  static const Table<T> kTable{"layering", {row<&T::strategy>("strategy"), row<&T::budget>("budget")}};
  return kTable;
}

template <>
const Table<Environment>& table_of() {
  using T = Environment;
  using I = ImageParts;
  static const Table<T> kTable{
      "environment",
      {{{"contents", Shape::kMapping, "packages of the root", info_of<Contents>}, read_contents},
       {{"entrypoint", Shape::kMapping, "of an image", info_of<Entrypoint>}, read_entrypoint},
       image_row<&I::cmd>("cmd", "of an image"),
       image_row<&I::stop_signal>("stop-signal", "of an image"),
       image_row<&I::work_dir>("work-dir", "of an image"),
       {{"accounts", Shape::kMapping, "users and groups", info_of<Accounts>}, read_accounts},
       image_row<&I::archs>("archs", "of an image"),
       row<&T::variables>("environment", "variables of every step"),
       {{"paths", Shape::kList, "of an image", info_of<ImageParts::Path>},
        [](const Value& value, const Scope* scope, T& out) -> Result<> {
          const std::vector<Value> items = TRY(value.list());
          for (const Value& item : items) TRY(read_mapping(item, scope, out.image.paths.emplace_back()));
          return {};
        }},
       image_row<&I::vcs_url>("vcs-url", "of an image"),
       image_row<&I::annotations>("annotations", "of an image"),
       image_row<&I::include>("include", "of an image"),
       image_row<&I::volumes>("volumes", "of an image"),
       {{"layering", Shape::kMapping, "of an image", info_of<Layering>}, check_only<Layering>},
       {{"certificates", Shape::kMapping, "of an image", info_of<Certificates>}, check_only<Certificates>}}};
  return kTable;
}

Result<> parse_environment(const std::optional<Value>& value, const Scope& scope, BuildAccount account,
                           Environment& out) {
  if (value) TRY(read_mapping(*value, &scope, out));
  if (account == BuildAccount::kYes) add_build_account(out);
  return {};
}

}  // namespace nacre::definition
