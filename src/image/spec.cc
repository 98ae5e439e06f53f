#include "image/spec.h"

#include "apk/dependency.h"
#include "base/field_archs.h"
#include "base/text.h"
#include "base/tree_path.h"
#include "definition/schema.h"
#include "definition/table.h"
#include "image/layer_format.h"

#include <algorithm>
#include <charconv>
#include <set>

// The tables of apko's YAML: one for each mapping. Reading, hints and schema come from them.

namespace nacre::image {
namespace {

using definition::Value;

constexpr int kMaxBudget = 120;  // overlay mounts of older kernels and runtimes stop at 128
const std::vector<std::string> kPathTypes = {"directory", "empty-file", "hardlink", "symlink", "permissions"};

/// What may stand in etc/passwd and etc/group.
bool is_account_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '$';
  };
  return !name.empty() && name.size() <= 32 && name.front() != '-' && std::all_of(name.begin(), name.end(), fits);
}

/// Names of files that the image gets: keys and certificates.
bool is_file_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 200 && name.front() != '.' && std::all_of(name.begin(), name.end(), fits);
}

Value child(const Value& mapping, std::string_view key) { return {mapping.tree, mapping.node->find(key)}; }
Value child_or_self(const Value& mapping, std::string_view key) {
  const Value found = child(mapping, key);
  return found.node != nullptr ? found : mapping;
}

Result<> no_control_bytes(const Value& value, std::string_view text, std::string_view what) {
  if (text.find_first_of(std::string_view("\0\n", 2)) == std::string_view::npos) return {};
  return value.invalid("{} may hold neither a line end nor a NUL byte", what);
}

/// A list of texts with their places; none may be empty.
Result<> read_texts(const Value& value, std::vector<std::string>& out, std::vector<Place>& places) {
  const std::vector<Value> items = TRY(value.list());
  for (const Value& item : items) {
    std::string text = TRY(item.text());
    if (text.empty()) return item.invalid("expected a text, found nothing");
    TRY(no_control_bytes(item, text, "an item"));
    places.push_back(item.place());
    out.push_back(std::move(text));
  }
  return {};
}

template <auto kMember>
Result<> read_repositories(const Value& value, const definition::Scope*, Contents& out) {
  std::vector<std::string> found;
  TRY(read_texts(value, found, out.repository_places));
  for (std::string& repository : found) {
    while (repository.size() > 1 && repository.ends_with('/')) repository.pop_back();
    (out.*kMember).push_back(std::move(repository));
  }
  return {};
}

Result<> read_packages(const Value& value, const definition::Scope*, Contents& out) {
  TRY(read_texts(value, out.packages, out.package_places));
  for (std::size_t i = 0; i < out.packages.size(); ++i)
    if (!apk::parse_dependency(out.packages[i]))
      return Error::make(ErrorKind::kInvalid, "'{}' in contents.packages is no package", out.packages[i])
          .at(out.package_places[i])
          .hint("write NAME, NAME=VERSION, NAME~VERSION or NAME>VERSION");
  return {};
}

template <auto kMember>
Result<> read_optional_number(const Value& value, const definition::Scope*, PathChange& out) {
  out.*kMember = TRY(value.number<unsigned>());
  return {};
}

Result<> read_mode(const Value& value, const definition::Scope*, PathChange& out) {
  const std::string text = TRY(value.text());
  auto mode = parse_mode(text);
  if (!mode) return std::move(mode).error().at(value.place());
  out.mode = *mode;
  return {};
}

Result<> check_path(const Value& value, PathChange& out) {
  out.place = value.place();
  out.written = out.path;
  out.written_source = out.source;
  if (out.path.empty()) return value.invalid("'path' is missing");
  const auto path = TreePath::parse(out.path);
  const bool for_root = out.type == "permissions" || out.type == "directory";
  if (!path || (path->is_root() && !for_root))
    return child(value, "path").invalid("'{}' is no path inside the image", out.path);
  out.path = path->str();
  if (out.type.empty()) return value.invalid("'type' is missing").hint("it is one of " + join(kPathTypes, ", "));
  if (std::find(kPathTypes.begin(), kPathTypes.end(), out.type) == kPathTypes.end())
    return child(value, "type")
        .invalid("type is one of {}, not '{}'", join(kPathTypes, ", "), out.type)
        .hint(nearest_hint(out.type, kPathTypes));
  const bool link = out.type == "symlink" || out.type == "hardlink";
  if (link && out.source.empty()) return value.invalid("the {} '{}' has no source", out.type, out.path);
  if (out.type == "hardlink") {
    const auto source = TreePath::parse(out.source);
    if (!source || source->is_root())
      return child(value, "source").invalid("'{}' is no file inside the image", out.source);
    out.source = source->str();
  }
  return {};
}

Result<> read_user_gid(const Value& value, const definition::Scope*, SpecUser& out) {
  out.gid = TRY(value.number<unsigned>());
  out.gid_given = true;
  return {};
}

Result<> check_user(const Value& value, SpecUser& out) {
  if (out.name.empty()) return value.invalid("a user has no username");
  if (!is_account_name(out.name)) return child(value, "username").invalid("'{}' is no account name", out.name);
  const Value uid = child(value, "uid");
  if (uid.node == nullptr) return value.invalid("user '{}' has no uid", out.name);
  if (out.uid == 0)
    return uid.invalid("user '{}' has uid 0; only root has", out.name).hint("to run as root, write `run-as: 0`");
  if (!out.gid_given) out.gid = out.uid;
  if (out.home.empty()) out.home = "/home/" + out.name;
  for (const char* key : {"shell", "homedir"}) {
    const std::string& text = key[0] == 's' ? out.shell : out.home;
    if (text.find_first_of(std::string_view(":\n\0", 3)) != std::string::npos)
      return child_or_self(value, key).invalid("'{}' may hold neither ':' nor a line end", key);
  }
  return {};
}

Result<> check_group(const Value& value, definition::AccountGroup& out) {
  if (out.name.empty()) return value.invalid("a group has no groupname");
  if (!is_account_name(out.name)) return child(value, "groupname").invalid("'{}' is no account name", out.name);
  if (child(value, "gid").node == nullptr) return value.invalid("group '{}' has no gid", out.name);
  for (const std::string& member : out.members)
    if (!is_account_name(member)) return child(value, "members").invalid("'{}' is no user name", member);
  return {};
}

Result<> check_named(const Value& value, NamedText& out) {
  out.place = value.place();
  if (out.name.empty()) return value.invalid("'name' is missing");
  if (!is_file_name(out.name))
    return child(value, "name")
        .invalid("'{}' is no name of a file", out.name)
        .hint("letters, digits, '_', '-' and '.', no '.' first");
  if (out.content.empty()) return value.invalid("'{}' has no content", out.name);
  return {};
}

Result<> check_contents(const Value& value, Contents& out) {
  std::set<std::string> seen;
  for (const NamedText& key : out.runtime_keyring)
    if (!seen.insert(key.name).second)
      return Error::make(ErrorKind::kInvalid, "runtime_keyring has '{}' twice", key.name).at(key.place);
  if (out.base && (out.base->image.empty() || out.base->index.empty()))
    return child(value, "baseimage").invalid("a base image needs both 'image' and 'apkindex'");
  if (out.base) out.base->place = child(value, "baseimage").place();
  return {};
}

Result<> check_entrypoint(const Value& value, Entrypoint& out) {
  if (!out.type.empty() && out.type != kServiceBundle)
    return child(value, "type").invalid("entrypoint.type is '{}' or nothing, not '{}'", kServiceBundle, out.type);
  for (const auto& [name, command] : out.services) {
    if (!is_file_name(name)) return child(value, "services").invalid("'{}' is no name of a service", name);
    if (command.empty()) return child(value, "services").invalid("service '{}' has no command", name);
  }
  return {};
}

Result<> check_layering(const Value& value, Layering& out) {
  const std::vector<std::string> known = {"origin", "package", "single"};
  if (!out.strategy.empty() && std::find(known.begin(), known.end(), out.strategy) == known.end())
    return child(value, "strategy")
        .invalid("layering.strategy is one of {}, not '{}'", join(known, ", "), out.strategy)
        .hint(nearest_hint(out.strategy, known));
  const Value budget = child(value, "budget");
  if (budget.node != nullptr && (out.budget < 0 || out.budget > kMaxBudget))
    return budget.invalid("layering.budget is a number from 1 to {}, or 0 for the usual one, not {}", kMaxBudget,
                          out.budget);
  return {};
}

Result<> read_archs(const Value& value, const definition::Scope*, ImageSpec& out) {
  const std::vector<Value> items = TRY(value.list());
  std::set<std::string> wanted;
  for (const Value& item : items) {
    const std::string name = TRY(item.text());
    if (name == "all") {
      for (const Arch& arch : field_archs()) wanted.emplace(arch.apk);
      continue;
    }
    auto arch = find_field_arch(name);
    if (!arch) return std::move(arch).error().at(item.place());
    wanted.emplace(arch->apk);
  }
  for (const Arch& arch : field_archs())
    if (wanted.contains(std::string(arch.apk))) out.archs.emplace_back(arch.apk);
  return {};
}

Result<> check_pairs(const Value& where, const definition::Pairs& pairs) {
  for (const auto& [key, value] : pairs)
    if (key.find('\0') != std::string::npos || value.find('\0') != std::string::npos)
      return where.invalid("'{}' has a NUL byte", key);
  return {};
}

/// A base image brings everything but packages.
Result<> check_over_base(const ImageSpec& spec) {
  const std::pair<const char*, bool> fields[] = {
      {"entrypoint", !spec.entrypoint.command.empty() || !spec.entrypoint.shell_fragment.empty() ||
                         !spec.entrypoint.type.empty() || !spec.entrypoint.services.empty()},
      {"cmd", !spec.cmd.empty()},
      {"stop-signal", !spec.stop_signal.empty()},
      {"work-dir", !spec.work_dir.empty()},
      {"accounts", !spec.accounts.run_as.empty() || !spec.accounts.users.empty() || !spec.accounts.groups.empty()},
      {"environment", !spec.environment.empty()},
      {"paths", !spec.paths.empty()},
      {"annotations", !spec.annotations.empty()}};
  for (const auto& [name, given] : fields)
    if (given)
      return Error::make(ErrorKind::kInvalid, "an image over a base image has '{}', which the base decides", name)
          .at(spec.contents.base->place)
          .hint("beside contents.baseimage only contents, archs and include may be set");
  return {};
}

Result<> check_spec(const Value& value, ImageSpec& out) {
  for (const auto& [key, text] : out.environment)
    if (key.empty() || key.find('=') != std::string::npos)
      return child(value, "environment").invalid("'{}' is no name of an environment variable", key);
  TRY(check_pairs(child_or_self(value, "environment"), out.environment));
  TRY(check_pairs(child_or_self(value, "annotations"), out.annotations));
  for (const std::string& volume : out.volumes)
    if (volume.empty()) return child(value, "volumes").invalid("a volume is a path, found nothing");
  if (auto known = check_layer_format(out.format); !out.format.empty() && !known)
    return std::move(known).error().at(child(value, "format").place());
  if (out.contents.base) TRY(check_over_base(out));
  return {};
}

std::string name_of_file(std::string_view file) {
  std::string_view name = file.substr(file.rfind('/') + 1);
  for (const std::string_view ending : {".yaml", ".yml", ".json", ".apko"})
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  return std::string(name);
}

}  // namespace

Result<unsigned> parse_mode(std::string_view text) {
  const auto fault = [&] {
    return Error::make(ErrorKind::kInvalid, "permissions should be an octal number, and is '{}'", text)
        .hint("write it as 0o755");
  };
  std::string_view digits = text;
  int base = 8;
  if (digits.starts_with("0x")) base = 16;
  else if (!digits.starts_with('0')) base = 10;
  // 755 would be the decimal number, which nobody means; 493 (JSON's 0755) is plain.
  if (base == 10 && digits.find_first_of("89") == std::string_view::npos) return fault();
  if (digits.starts_with("0o") || base == 16) digits.remove_prefix(2);
  unsigned out = 0;
  const auto [stop, status] = std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  if (digits.empty() || status != std::errc{} || stop != digits.data() + digits.size() || out > 07777) return fault();
  return out;
}

Result<> check_layer_format(std::string_view format) {
  if (format == "tar") return {};
  return Error::make(ErrorKind::kInvalid, "layers are written as 'tar', not '{}'", format)
      .hint("`nacre image export --format erofs` makes an EROFS of an image");
}

Result<ImageSpec> read_image_spec(const codec::YamlTree& yaml) {
  ImageSpec spec;
  spec.file = yaml.file;
  spec.name = name_of_file(yaml.file);
  TRY(definition::read_mapping(Value{&yaml, &yaml.root}, nullptr, spec));
  return spec;
}

std::vector<std::string> world_of(const ImageSpec& spec) {
  std::vector<std::string> out = spec.contents.packages;
  if (spec.entrypoint.type == kServiceBundle) out.emplace_back("s6");
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

codec::Json image_schema() {
  return definition::mapping_schema(definition::info_of<ImageSpec>(), "definition of an image");
}

}  // namespace nacre::image

namespace nacre::definition {

using image::Accounts;
using image::Certificates;
using image::Contents;
using image::Entrypoint;
using image::ImageSpec;
using image::Layering;
using image::NamedText;
using image::PathChange;
using image::SpecUser;

template <>
const Table<Contents::BaseImage>& table_of<Contents::BaseImage>() {
  using T = Contents::BaseImage;
  static const Table<T> kTable{"baseimage",
                               {row<&T::image>("image", "OCI layout of the base"),
                                row<&T::index>("apkindex", "folder with ARCH/APKINDEX: what the base has installed")}};
  return kTable;
}

template <>
const Table<NamedText>& table_of<NamedText>() {
  using T = NamedText;
  static const Table<T> kTable{
      "a named text",
      {row<&T::name>("name", "name of the file"), row<&T::content>("content", "PEM")},
      image::check_named};
  return kTable;
}

template <>
const Table<Contents>& table_of<Contents>() {
  using T = Contents;
  static const Table<T> kTable{
      "contents",
      {{{"repositories", Shape::kTexts, "to choose packages from, and kept in the image"},
        image::read_repositories<&T::repositories>},
       {{"build_repositories", Shape::kTexts, "to choose packages from alone"},
        image::read_repositories<&T::build_repositories>},
       {{"runtime_repositories", Shape::kTexts, "kept in the image alone"},
        image::read_repositories<&T::runtime_repositories>},
       row<&T::keyring>("keyring", "files or addresses of public keys"),
       list<&T::runtime_keyring>("runtime_keyring", "public keys for the image alone"),
       {{"packages", Shape::kTexts, "what is asked for"}, image::read_packages},
       maybe<&T::base>("baseimage", "image to build upon")},
      image::check_contents};
  return kTable;
}

template <>
const Table<Entrypoint>& table_of<Entrypoint>() {
  using T = Entrypoint;
  static const Table<T> kTable{"entrypoint",
                               {row<&T::type>("type", "service-bundle: s6 runs the services"),
                                row<&T::command>("command", "command line"),
                                row<&T::shell_fragment>("shell-fragment", "for /bin/sh -c"),
                                row<&T::services>("services", "name of a service to its command line")},
                               image::check_entrypoint};
  return kTable;
}

template <>
const Table<SpecUser>& table_of<SpecUser>() {
  using T = SpecUser;
  static const Table<T> kTable{"a user",
                               {row<&Account::name, T>("username", "name"), row<&Account::uid, T>("uid", "number"),
                                {{"gid", Shape::kNumber, "group; the uid when absent"}, image::read_user_gid},
                                row<&Account::shell, T>("shell", "/bin/sh when absent"),
                                row<&Account::home, T>("homedir", "/home/NAME when absent")},
                               image::check_user};
  return kTable;
}

/// As images have groups: definitions of packages have a table of their own.
struct SpecGroup : AccountGroup {};
template <>
const Table<SpecGroup>& table_of<SpecGroup>() {
  using T = SpecGroup;
  static const Table<T> kTable{
      "a group",
      {row<&AccountGroup::name, T>("groupname", "name"), row<&AccountGroup::gid, T>("gid", "number"),
       row<&AccountGroup::members, T>("members", "user names")},
      [](const Value& value, T& out) -> Result<> { return image::check_group(value, out); }};
  return kTable;
}

namespace {
Result<> read_groups(const Value& value, const Scope* scope, Accounts& out) {
  const std::vector<Value> items = TRY(value.list());
  for (const Value& item : items) {
    SpecGroup group;
    TRY(read_mapping(item, scope, group));
    out.groups.push_back(std::move(group));
  }
  return {};
}
}  // namespace

template <>
const Table<Accounts>& table_of<Accounts>() {
  using T = Accounts;
  static const Table<T> kTable{"accounts",
                               {row<&T::run_as>("run-as", "user that the container runs as"),
                                list<&T::users>("users", "users to add"),
                                {{"groups", Shape::kList, "groups to add", info_of<SpecGroup>}, read_groups}}};
  return kTable;
}

template <>
const Table<PathChange>& table_of<PathChange>() {
  using T = PathChange;
  static const Table<T> kTable{
      "paths",
      {row<&T::path>("path", "what is changed"),
       row<&T::type>("type", "what is done", "directory empty-file hardlink symlink permissions"),
       {{"uid", Shape::kNumber, "owner"}, image::read_optional_number<&T::uid>},
       {{"gid", Shape::kNumber, "group"}, image::read_optional_number<&T::gid>},
       {{"permissions", Shape::kText, "octal: 0o755"}, image::read_mode},
       row<&T::source>("source", "where a link leads"),
       row<&T::recursive>("recursive", "all beneath too")},
      image::check_path};
  return kTable;
}

template <>
const Table<Layering>& table_of<Layering>() {
  using T = Layering;
  static const Table<T> kTable{"layering",
                               {row<&T::strategy>("strategy", "how packages share layers", "origin package single"),
                                row<&T::budget>("budget", "most layers of packages")},
                               image::check_layering};
  return kTable;
}

template <>
const Table<Certificates>& table_of<Certificates>() {
  using T = Certificates;
  static const Table<T> kTable{"certificates",
                               {list<&T::additional>("additional", "certificates to trust"),
                                row<&T::providers>("providers", "names whose packages bring certificates")}};
  return kTable;
}

template <>
const Table<ImageSpec>& table_of<ImageSpec>() {
  using T = ImageSpec;
  static const Table<T> kTable{
      "an image definition",
      {mapping<&T::contents>("contents", "packages and where they come from"),
       mapping<&T::entrypoint>("entrypoint", "what runs"),
       row<&T::cmd>("cmd", "its arguments when none are given"),
       row<&T::stop_signal>("stop-signal", "signal that stops it"),
       row<&T::work_dir>("work-dir", "directory in which it runs"),
       mapping<&T::accounts>("accounts", "users and groups"),
       {{"archs", Shape::kTexts, "architectures; all when absent"}, image::read_archs},
       row<&T::environment>("environment", "variables"),
       list<&T::paths>("paths", "changes to files, in order"),
       row<&T::vcs_url>("vcs-url", "ADDRESS@COMMIT of the sources"),
       row<&T::annotations>("annotations", "of manifest, index, and labels"),
       row<&T::include>("include", "another definition under this one"),
       row<&T::volumes>("volumes", "paths that are volumes"),
       maybe<&T::layering>("layering", "how packages share layers"),
       maybe<&T::certificates>("certificates", "certificates to trust"),
       row<&T::format>("format", "of layers: tar", "tar")},
      image::check_spec};
  return kTable;
}

}  // namespace nacre::definition
