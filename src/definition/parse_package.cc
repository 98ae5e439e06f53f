#include "definition/parse.h"

#include "apk/dependency.h"
#include "apk/version.h"

#include <algorithm>
#include <cmath>

namespace nacre::definition {
namespace {

/// With a version and endings it becomes the name of files, which have 255 bytes.
constexpr std::size_t kMaxNameBytes = 128;

/// A list of atoms, which may hold variables of the second phase. One that apk cannot read is refused here: in an index
/// "a b" would be two.
template <auto kMember>
Field<Dependencies> expanded(std::string_view key, std::string_view help) {
  return {{key, Shape::kTexts, help}, [](const Value& value, const Scope* scope, Dependencies& out) -> Result<> {
            const std::vector<Value> items = TRY(value.list());
            for (const Value& item : items) {
              const std::string text = TRY(item.text());
              std::string made = TRY(expand(text, *scope, item));
              if (auto atom = apk::read_dependency(made); !atom)
                return std::move(atom)
                    .error()
                    .at(item.place())
                    .hint("write it like zlib, zlib>=1.3, zlib~1.3 or !zlib");
              (out.*kMember).push_back(std::move(made));
            }
            return {};
          }};
}

/// A priority may be negative in the text; readers of packages take that for 0, and so do we.
template <auto kMember, auto kText>
Field<Dependencies> priority(std::string_view key, std::string_view help) {
  return {{key, Shape::kText, help}, [](const Value& value, const Scope* scope, Dependencies& out) -> Result<> {
            const std::string text = TRY(value.text());
            codec::YamlNode node = *value.node;
            node.text = TRY(expand(text, *scope, value));
            if (node.text.empty()) return {};
            out.*kText = node.text;
            const auto number = TRY((Value{value.tree, &node}.number<std::int64_t>()));
            out.*kMember = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
            return {};
          }};
}

bool is_cpe_text(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && plain(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return plain(c) || c == '+' || c == '_' || c == '.' || c == '-';
  });
}

Result<> check_cpe(const Value& value, Cpe& out) {
  if (!out.part.empty() && out.part != "a" && out.part != "o")
    return value.invalid("cpe part must be 'a' or 'o', found '{}'", out.part);
  const std::pair<std::string_view, const std::string&> parts[] = {
      {"vendor", out.vendor},         {"product", out.product},
      {"edition", out.edition},       {"language", out.language},
      {"sw_edition", out.sw_edition}, {"target_sw", out.target_sw},
      {"target_hw", out.target_hw},   {"other", out.other}};
  for (const auto& [key, text] : parts)
    if (!text.empty() && !is_cpe_text(text))
      return value.invalid("cpe {} '{}' has characters that a CPE cannot have", key, text);
  if (out.vendor.empty() != out.product.empty()) return value.invalid("a cpe needs both vendor and product");
  return {};
}

/// Files are given capabilities by name: only these five, and only with a reason.
Result<> check_setcap(const Value& value, SetCap& out) {
  static const std::vector<std::string> kKnown = {"cap_net_bind_service", "cap_net_admin", "cap_net_raw",
                                                  "cap_ipc_lock", "cap_sys_admin"};
  if (out.reason.empty()) return value.invalid("setcap of '{}' needs a 'reason'", out.path);
  for (const auto& [names, sets] : out.add)
    for (const std::string& name : split(names, ','))
      if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
        return value.invalid("unknown capability '{}'", name).hint("known are: " + join(kKnown, ", "));
  return {};
}

Result<> check_package(const Value& value, Definition& out) {
  const auto place = [&](std::string_view key) {
    const codec::YamlNode* node = value.node->find(key);
    return node && node->kind != codec::YamlKind::kNull ? Value{value.tree, node} : value;
  };
  TRY(check_package_name(out.name, place("name")));
  if (out.version.empty())
    return place("version").invalid("package '{}' has no version", out.name).hint("add version:, in quotes");
  if (!apk::is_valid_version(out.version) || out.version.find("-r") != std::string::npos)
    return place("version")
        .invalid("'{}' is no version", out.version)
        .hint("digits with dots, then perhaps a letter, _alpha _beta _pre _rc or _p with a number: 1.2.3_rc1");
  return {};
}

}  // namespace

Result<> check_package_name(const std::string& name, const Value& where) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool fine = !name.empty() && plain(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return plain(c) || c == '+' || c == '_' || c == '.' || c == '-';
  });
  if (name.size() > kMaxNameBytes)
    return where.invalid("a package's name of {} bytes is longer than {}", name.size(), kMaxNameBytes);
  if (fine) return {};
  if (name.empty()) return where.invalid("a package without a name").hint("add name:");
  return where.invalid("'{}' cannot be the name of a package", name)
      .hint("letters, digits, '+', '_', '.', '-'; a letter or digit first");
}

Result<std::int64_t> parse_timeout(const Value& value) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                                                   {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  const std::string text = TRY(value.text());
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  if (const auto [stop, status] = std::from_chars(text.data(), end, whole);
      status == std::errc{} && stop == end && whole >= 0)
    return whole;
  double total = 0;
  const char* at = text.data();
  while (at != end) {
    double number = 0;
    const auto [stop, status] = std::from_chars(at, end, number, std::chars_format::fixed);
    const std::string_view rest(stop, static_cast<std::size_t>(end - stop));
    const std::size_t letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const auto& known) { return known.first == rest.substr(0, letters); });
    if (status != std::errc{} || unit == std::end(kUnits) || number < 0 || *at == '-') break;
    total += number * unit->second;
    at = stop + letters;
  }
  if (text.empty() || at != end || total > 9.2e18)
    return value.invalid("expected a duration, found '{}'", text).hint("write it like 90s, 30m or 1h30m");
  return static_cast<std::int64_t>(std::llround(total));
}

// A table's rows stand in the order of the format's own description; hints list them so.

template <>
const Table<Dependencies>& table_of() {
  static const Table<Dependencies> kTable{
      "dependencies",
      {expanded<&Dependencies::runtime>("runtime", "what the package needs where it is installed"),
       expanded<&Dependencies::provides>("provides", "other names that the package answers to"),
       expanded<&Dependencies::replaces>("replaces", "packages whose files it may overwrite"),
       priority<&Dependencies::provider_priority, &Dependencies::provider_priority_text>(
           "provider-priority", "which of several providers of a name is chosen: the highest"),
       priority<&Dependencies::replaces_priority, &Dependencies::replaces_priority_text>(
           "replaces-priority", "which of several packages keeps a file: the highest")}};
  return kTable;
}

template <>
const Table<PackageOptions>& table_of() {
  using T = PackageOptions;
  static const Table<T> kTable{
      "options",
      {row<&T::no_provides>("no-provides", "do not derive what the package provides from its files"),
       row<&T::no_depends>("no-depends", "do not derive dependencies from its files"),
       row<&T::no_commands>("no-commands", "do not provide cmd: names"),
       row<&T::no_versioned_shlib_deps>("no-versioned-shlib-deps", "depend on libraries without their version")}};
  return kTable;
}

/// `trigger` lives flat in Scriptlets, but is a mapping of its own.
struct Trigger {
  std::string script;
  std::vector<std::string> paths;
};

template <>
const Table<Trigger>& table_of() {
  static const Table<Trigger> kTable{
      "trigger",
      {row<&Trigger::script>("script", "what runs when something below the paths changed"),
       row<&Trigger::paths>("paths", "directories that are watched")}};
  return kTable;
}

template <>
const Table<Scriptlets>& table_of() {
  using T = Scriptlets;
  static const Table<T> kTable{
      "scriptlets",
      {{{"trigger", Shape::kMapping, "a script that runs for changes of other packages", info_of<Trigger>},
        [](const Value& value, const Scope* scope, T& out) -> Result<> {
          Trigger trigger;
          TRY(read_mapping(value, scope, trigger));
          out.trigger_script = std::move(trigger.script);
          out.trigger_paths = std::move(trigger.paths);
          return {};
        }},
       row<&T::pre_install>("pre-install", "script before the files of a first installation"),
       row<&T::post_install>("post-install", "script behind them"),
       row<&T::pre_deinstall>("pre-deinstall", "script before removal"),
       row<&T::post_deinstall>("post-deinstall", "script after removal"),
       row<&T::pre_upgrade>("pre-upgrade", "script before the files of another version"),
       row<&T::post_upgrade>("post-upgrade", "script behind them")}};
  return kTable;
}

/// `checks:` holds one list.
struct Checks {
  std::vector<std::string> disabled;
};

template <>
const Table<Checks>& table_of() {
  static const Table<Checks> kTable{
      "checks", {row<&Checks::disabled>("disabled", "linters whose findings do not fail the build")}};
  return kTable;
}

template <class T>
Field<T> checks_row() {
  return {{"checks", Shape::kMapping, "which linters apply", info_of<Checks>},
          [](const Value& value, const Scope* scope, T& out) -> Result<> {
            Checks checks;
            TRY(read_mapping(value, scope, checks));
            out.disabled_checks = std::move(checks.disabled);
            return {};
          }};
}

template <>
const Table<Resources>& table_of() {
  using T = Resources;
  static const Table<T> kTable{
      "resources",
      {row<&T::cpu>("cpu", "cores: 4, 500m"), row<&T::cpu_model>("cpumodel", "model of the processor"),
       row<&T::memory>("memory", "memory: 8Gi"), row<&T::disk>("disk", "disk: 20Gi")}};
  return kTable;
}

template <>
const Table<Copyright>& table_of() {
  using T = Copyright;
  static const Table<T> kTable{
      "copyright",
      {row<&T::paths>("paths", "files that it speaks of"), row<&T::attestation>("attestation", "the notice itself"),
       must<&T::license>("license", "SPDX expression"),
       row<&T::license_path>("license-path", "file with the licence's text"),
       row<&T::detection_override>("detection-override", "licence to assume where detection is wrong")}};
  return kTable;
}

template <>
const Table<Cpe>& table_of() {
  using T = Cpe;
  static const Table<T> kTable{
      "cpe",
      {row<&T::part>("part", "a application, o operating system", "a o"), row<&T::vendor>("vendor"),
       row<&T::product>("product"), row<&T::edition>("edition"), row<&T::language>("language"),
       row<&T::sw_edition>("sw_edition"), row<&T::target_sw>("target_sw"), row<&T::target_hw>("target_hw"),
       row<&T::other>("other")},
      check_cpe};
  return kTable;
}

template <>
const Table<SetCap>& table_of() {
  using T = SetCap;
  static const Table<T> kTable{"setcap",
                               {must<&T::path>("path", "file in the package"),
                                row<&T::add>("add", "capability names to sets: cap_net_raw: \"+eip\""),
                                must<&T::reason>("reason", "why the file needs it")},
                               check_setcap};
  return kTable;
}

template <>
const Table<Definition>& table_of() {
  using T = Definition;
  static const Table<T> kTable{
      "package",
      {must<&T::name>("name", "name of the main package"),
       must<&T::version>("version", "upstream's version, as text"),
       row<&T::epoch>("epoch", "counter of rebuilds of one version"),
       row<&T::description>("description", "one line about the package"),
       row<&T::annotations>("annotations", "words for tools"),
       row<&T::url>("url", "home page"),
       row<&T::commit>("commit", "commit of the definition's repository"),
       row<&T::target_architecture>("target-architecture", "architectures that it is built for; none: all"),
       list<&T::copyright>("copyright", "licences"),
       mapping<&T::dependencies>("dependencies", "dependencies of the main package"),
       mapping<&T::options>("options", "what is not derived from files"),
       mapping<&T::scriptlets>("scriptlets", "scripts that run when it is installed or removed"),
       checks_row<T>(),
       mapping<&T::cpe>("cpe", "name in vulnerability data"),
       {{"timeout", Shape::kText, "of the whole build: 1h30m"},
        [](const Value& value, const Scope*, T& out) -> Result<> {
          out.timeout_nanoseconds = TRY(parse_timeout(value));
          return {};
        }},
       mapping<&T::resources>("resources", "what a build needs"),
       maybe<&T::test_resources>("test-resources", "what a test needs"),
       list<&T::setcap>("setcap", "file capabilities")},
      check_package};
  return kTable;
}

template <>
const Table<WrittenSubpackage>& table_of() {
  using T = WrittenSubpackage;
  static const Table<T> kTable{
      "a subpackage",
      {as_written<&T::condition>("if", Shape::kText, "condition; false: there is no such subpackage"),
       row<&T::range>("range", "name of a list in data: one subpackage for each item"),
       must<&Subpackage::name, T>("name", "name of the package"),
       as_written<&T::pipeline_value>("pipeline", Shape::kList, "steps", info_of<WrittenStep>),
       mapping<&Subpackage::dependencies, T>("dependencies", "dependencies of the subpackage"),
       mapping<&Subpackage::options, T>("options", "what is not derived from files"),
       mapping<&Subpackage::scriptlets, T>("scriptlets", "scripts that run when it is installed or removed"),
       row<&Subpackage::description, T>("description", "one line about the package"),
       row<&Subpackage::annotations, T>("annotations", "words for tools"),
       row<&Subpackage::url, T>("url", "home page"),
       row<&Subpackage::commit, T>("commit", "commit of the definition's repository"), checks_row<T>(),
       as_written<&T::test_value>("test", Shape::kMapping, "test of the package just built", info_of<WrittenTest>),
       list<&Subpackage::setcap, T>("setcap", "file capabilities")}};
  return kTable;
}

template <>
const Table<WrittenTest>& table_of() {
  using T = WrittenTest;
  static const Table<T> kTable{
      "a test",
      {as_written<&T::environment>("environment", Shape::kMapping, "root of the test", info_of<Environment>),
       as_written<&T::pipeline>("pipeline", Shape::kList, "steps", info_of<WrittenStep>)}};
  return kTable;
}

}  // namespace nacre::definition
