#include "cli/melange_common.h"

#include "apk/dependency.h"
#include "apk/version.h"
#include "base/number.h"
#include "base/text.h"
#include "build/guest.h"
#include "codec/yaml.h"
#include "definition/load.h"
#include "os/clock.h"
#include "os/rfc3339.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace nacre::cli {
namespace {

/// --vars-file: a mapping of names to texts.
Result<definition::Pairs> read_vars(const std::string& file) {
  definition::Pairs out;
  if (file.empty()) return out;
  std::string text = TRY(os::read_file(file), "reading the variables");
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(text), file));
  if (tree.root.kind == codec::YamlKind::kNull) return out;
  if (tree.root.kind != codec::YamlKind::kMapping)
    return Error::make(ErrorKind::kInvalid, "expected a mapping of variables").at(tree.place(tree.root.span));
  for (const codec::YamlNode::Entry& entry : tree.root.entries) {
    if (entry.value.kind != codec::YamlKind::kScalar && entry.value.kind != codec::YamlKind::kNull)
      return Error::make(ErrorKind::kInvalid, "the variable '{}' is no text", entry.key)
          .at(tree.place(entry.value.span));
    out.emplace_back(entry.key, entry.value.text);
  }
  return out;
}

bool has_name(const definition::Pairs& pairs, const std::string& name) {
  return std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == name; });
}

/// What stands after '=': in quotes as it is, else up to a comment.
std::string unquote(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.find(text.front(), 1) != text.npos) {
    const char quote = text.front();
    std::string out;
    for (std::size_t i = 1; i < text.size() && text[i] != quote; ++i) {
      if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
        const char c = text[++i];
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      } else {
        out += text[i];
      }
    }
    return out;
  }
  const std::size_t comment = text.find(" #");
  return std::string(trim(text.substr(0, comment)));
}

}  // namespace

Result<definition::Pairs> parse_env_file(std::string_view text, const std::string& file) {
  definition::Pairs out;
  int number = 0;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    std::string_view line = trim(whole);
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const std::size_t equals = line.find('=');
    const std::string name(trim(line.substr(0, equals)));
    if (equals == std::string_view::npos || name.empty() || name.find_first_of(" \t\"'") != std::string::npos)
      return Error::make(ErrorKind::kInvalid, "expected NAME=value, found '{}'", line).at({file, number, 1});
    out.emplace_back(name, unquote(line.substr(equals + 1)));
  }
  return out;
}

Result<std::string> config_of(const MelangeArguments& arguments) {
  if (!arguments.words.empty()) return arguments.words[0];
  for (const char* name : {".melange.yaml", ".melange.yml", "melange.yaml", "melange.yml"})
    if (os::exists(name)) return std::string(name);
  return Error::make(ErrorKind::kInvalid, "no definition: there is no melange.yaml here")
      .hint("name a file: melange build FILE.yaml");
}

Result<std::vector<Arch>> archs_of(const MelangeArguments& arguments) {
  std::vector<Arch> out;
  for (const std::string& name : arguments.list("--arch")) {
    const Arch arch = TRY(find_arch(name));
    if (std::find(out.begin(), out.end(), arch) == out.end()) out.push_back(arch);
  }
  if (out.empty()) out.push_back(host_arch());
  return out;
}

Result<definition::Definition> load_config(const std::string& file, const MelangeArguments& arguments,
                                           const Path& os_dir, const Arch& arch) {
  std::vector<Path> folders;
  for (const char* flag : {"--pipeline-dir", "--pipeline-dirs"})
    for (const std::string& folder : arguments.list(flag)) folders.emplace_back(folder);
  folders.push_back(os_dir / "pipelines");
  definition::PipelineFolders pipelines(folders);
  definition::CompileOptions options;
  options.arch = arch;
  if (const std::string libc = arguments.text("--override-host-triplet-libc-substitution-flavor"); !libc.empty())
    options.libc_flavor = libc;
  options.vars = TRY(read_vars(arguments.text("--vars-file")));
  for (const char* flag : {"--build-option", "--test-option"})
    for (const std::string& option : arguments.list(flag)) options.enabled_options.push_back(option);
  definition::Definition out = TRY(definition::load_definition(file, pipelines, options));
  for (const std::string& env_file : arguments.list("--env-file")) {
    const std::string text = TRY(os::read_file(env_file), "reading the environment");
    const definition::Pairs pairs = TRY(parse_env_file(text, env_file));
    for (const auto& [name, value] : pairs)  // the definition wins over files, an earlier file over a later
      if (!has_name(out.environment.variables, name)) out.environment.variables.emplace_back(name, value);
  }
  return out;
}

RepositorySource repositories_of(const definition::Environment& environment, const MelangeArguments& arguments,
                                 const Arch& arch) {
  RepositorySource out;
  out.arch = arch;
  out.repositories = environment.build_repositories;
  for (const std::string& line : environment.repositories) out.repositories.push_back(line);
  out.keyring = environment.keyring;
  for (const std::string& line : arguments.list("--repository-append")) out.repositories.push_back(line);
  for (const std::string& key : arguments.list("--keyring-append")) out.keyring.push_back(key);
  if (arguments.on("--ignore-signatures")) out.signatures = RepositorySource::Signatures::kIgnore;
  return out;
}

std::vector<std::string> world_of(const std::vector<std::string>& atoms) {
  std::vector<std::string> out;
  for (const std::string& atom : atoms) {
    auto parsed = apk::parse_dependency(atom);
    const bool bare = parsed && parsed->op != apk::kAny && (parsed->op & apk::kFuzzy) == 0 &&
                      parsed->name.find(':') == std::string::npos && apk::is_valid_version(parsed->version + "-r0");
    if (bare) parsed->version += "-r0";
    out.push_back(bare ? parsed->str() : atom);
  }
  return out;
}

Result<double> parse_go_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
                                                                   {"s", 1},     {"m", 60},    {"h", 3600}};
  double sum = 0;
  std::string_view rest = text;
  if (rest == "0") return 0.0;
  while (!rest.empty()) {
    double number = 0;
    const auto [stop, status] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    const std::size_t end = std::min(rest.find_first_of("0123456789."), rest.size());
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const auto& known) { return known.first == rest.substr(0, end); });
    if (status != std::errc{} || number < 0 || unit == std::end(kUnits)) break;
    sum += number * unit->second;
    rest.remove_prefix(end);
    if (rest.empty()) return sum;
  }
  return Error::make(ErrorKind::kInvalid, "expected a duration such as 90s or 1h30m, got '{}'", text);
}

Result<sandbox::Limits> limits_of(const MelangeArguments& arguments, const definition::Resources& resources) {
  sandbox::Limits out;
  const auto quantity = [&](const char* flag) -> Result<double> {
    const std::string text = arguments.text(flag);
    if (text.empty()) return 0.0;
    return build::parse_quantity(text);
  };
  // Defaults: what the definition asks for itself is used instead, whether it is more or less.
  if (resources.cpu.empty()) out.cpus = TRY(quantity("--cpu"), "reading --cpu");
  if (resources.memory.empty()) {
    const double bytes = TRY(quantity("--memory"), "reading --memory");
    out.memory_bytes = static_cast<std::uint64_t>(bytes);
  }
  if (resources.disk.empty()) {
    const double bytes = TRY(quantity("--disk"), "reading --disk");
    out.disk_bytes = static_cast<std::uint64_t>(bytes);
  }
  if (const std::string text = arguments.text("--timeout"); !text.empty())
    out.timeout_seconds = TRY(parse_go_duration(text), "reading --timeout");
  return out;
}

Result<std::int64_t> date_of(const MelangeArguments& arguments) {
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH"); epoch != nullptr && *epoch != '\0') {
    const std::string_view text = trim(epoch);
    if (const auto out = whole_number<std::int64_t>(text); out && *out >= 0) return *out;
    return Error::make(ErrorKind::kInvalid, "SOURCE_DATE_EPOCH is no number of seconds: '{}'", text);
  }
  const std::string text = arguments.text("--build-date");
  if (text.empty()) return 0;
  if (const auto seconds = os::parse_rfc3339(text)) return *seconds;
  return Error::make(ErrorKind::kInvalid, "--build-date needs a date such as 2026-11-24T05:03:00Z, got '{}'", text);
}

Result<bool> network_of(const definition::Definition& definition, std::string_view use) {
  build::NetworkPolicy policy = build::NetworkPolicy::kAlways;
  if (const char* text = std::getenv("NACRE_NETWORK"))
    policy = TRY(build::parse_network_policy(text), "reading NACRE_NETWORK");
  return build::grant_network(policy, definition, use);
}

Result<build::NetworkGrant> grant_of(const MelangeArguments& arguments) {
  build::NetworkGrant out = TRY(build::network_grant_of_machine());
  const Path folder = arguments.text("--cache-dir");
  if (!folder.empty() && os::exists(folder)) out.caches = std::filesystem::absolute(folder);
  return out;
}

void tell(Env& env, std::string_view text) {
  env.events.emit({.kind = EventKind::kNote, .name = "nacre", .detail = std::string(text)});
}

void trace_steps(std::vector<definition::Step>& steps) {
  for (definition::Step& step : steps) {
    if (!step.runs.empty()) step.runs = "set -x\n" + step.runs;
    trace_steps(step.pipeline);
  }
}

std::string commit_of_config(const MelangeArguments& arguments, const std::string& file, Env& env) {
  if (std::string given = arguments.text("--git-commit"); !given.empty()) return given;
  Path folder = std::filesystem::absolute(file).parent_path();
  for (Path above = folder; !os::exists(above / ".git"); above = above.parent_path())
    if (above == above.parent_path()) return "unknown";
  os::Command command;
  command.inherit_env = true;
  command.argv = {"git", "-C", folder.string(), "rev-parse", "HEAD"};
  const auto result = env.processes.run(command, env.stop);
  std::string text = result && result->ok() ? std::string(trim(result->out)) : std::string();
  return text.empty() ? "unknown" : text;
}

std::vector<MelangeFlag> with_guest_flags(std::vector<MelangeFlag> own) {
  using F = MelangeFlag;
  const std::string own_store = "fetched packages are kept in nacre's store";
  const std::vector<MelangeFlag> shared = {
      {"--apk-cache-dir", 0, F::kText, "", "where fetched packages are kept", own_store},
      {"--arch", 0, F::kList, "", "architectures; the machine's when there is none", ""},
      {"--cache-source", 0, F::kText, "", "directory that the cache is filled from", ""},
      {"--cpu", 0, F::kText, "", "default CPU limit: 2, 500m", ""},
      {"--cpumodel", 0, F::kText, "", "default CPU model", "it is the machine's own"},
      {"--debug", 0, F::kSwitch, "", "steps say what they run (set -x)", ""},
      {"--debug-runner", 0, F::kSwitch, "", "keep the place of the run, for a look", ""},
      {"--disk", 0, F::kText, "", "disk limit", ""},
      {"--env-file", 0, F::kList, "", "files of NAME=value for the steps", ""},
      {"--ignore-signatures", 0, F::kSwitch, "", "take indexes without a look at their signatures", ""},
      {"--interactive", 'i', F::kSwitch, "", "open a shell where a step failed", ""},
      {"--keyring-append", 'k', F::kList, "", "public keys of repositories", ""},
      {"--memory", 0, F::kText, "", "default memory limit: 512Mi", ""},
      {"--pipeline-dirs", 0, F::kList, "", "directories of pipelines, before the built-in ones", ""},
      {"--repository-append", 'r', F::kList, "", "more repositories: directories, addresses, '@tag …'", ""},
      {"--rm", 0, F::kSwitch, "true", "remove what the run left", ""},
      {"--runner", 0, F::kText, "", "bubblewrap, docker or qemu", "steps run in nacre's own sandbox"},
      {"--source-dir", 0, F::kText, "", "files for the workspace", ""},
      {"--timeout", 0, F::kText, "", "time limit of each step: 30m", ""},
  };
  own.insert(own.end(), shared.begin(), shared.end());
  std::sort(own.begin(), own.end(), [](const F& a, const F& b) { return a.name < b.name; });
  return own;
}

}  // namespace nacre::cli
