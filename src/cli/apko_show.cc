#include "base/text.h"
#include "cli/apko.h"
#include "cli/kept.h"
#include "cli/melange_common.h"
#include "store/store.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using F = MelangeFlag;

constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"name-version", "{{ .Name }} {{ .Version }}"},
    {"name-version-source", "{{ .Name }} {{ .Version }} {{ .Source }}"},
    {"name=version", "{{ .Name }}={{ .Version }}"},
    {"name=version-source", "{{ .Name }}={{ .Version }} {{ .Source }}"},
    {"name-(version)", "{{ .Name }} ({{ .Version }})"},
    {"name-(version)-source", "{{ .Name }} ({{ .Version }}) {{ .Source }}"},
    {"packagelock", "- {{ .Name }}={{ .Version }}"},
    {"packagelock-source", "- {{ .Name }}={{ .Version }} # {{ .Source }}"}};

/// Fills {{ .Name }}, {{ .Version }} and {{ .Source }}; anything else between braces is kInvalid.
Result<std::string> fill(std::string_view text, const RepositoryShelf::Pick& pick, const std::string& source) {
  const std::map<std::string_view, std::string_view> values = {
      {".Name", pick.record.name}, {".Version", pick.record.version}, {".Source", source}};
  std::string out;
  while (!text.empty()) {
    const std::size_t open = text.find("{{"), close = text.find("}}", open);
    if (open == std::string_view::npos) break;
    if (close == std::string_view::npos)
      return Error::make(ErrorKind::kInvalid, "'{}' has '{{{{' without '}}}}'", text);
    std::string_view name = trim(text.substr(open + 2, close - open - 2));
    std::size_t skip = close + 2;
    out += text.substr(0, open);
    const auto value = values.find(name);
    if (value == values.end())
      return Error::make(ErrorKind::kInvalid, "the format knows no '{}'", name)
          .hint("there are .Name, .Version and .Source");
    out += value->second;
    text.remove_prefix(skip);
  }
  return out + std::string(text);
}

Result<int> run_show_packages(const MelangeArguments& arguments, Session& session) {
  std::string format = arguments.text("--format");
  for (const auto& [name, text] : kFormats)
    if (format == name) format = text;
  const ImageJob job = TRY(load_job(arguments, session.env));
  const std::vector<ArchPicks> all = TRY(choose(job, session.env));
  for (const ArchPicks& arch : all) {
    if (all.size() > 1) tell(session.env, fmt::format("packages for {}", arch.arch.apk));
    for (std::size_t i = 0; i < arch.picks.size(); ++i) {
      const std::string line = TRY(fill(format, arch.picks[i], arch.places[i]));
      std::puts(line.c_str());
    }
  }
  return 0;
}

/// "https://user:xxxxx@host/os" of an address with a password; also behind "@tag ".
std::string without_password(std::string address) {
  const std::size_t scheme = address.find("://");
  if (scheme == address.npos) return address;
  const std::size_t begin = scheme + 3, end = std::min(address.find('/', begin), address.size());
  const std::size_t at = address.substr(0, end).rfind('@'), colon = address.find(':', begin);
  if (at != address.npos && at > begin && colon < at) address.replace(colon + 1, at - colon - 1, "xxxxx");
  return address;
}

Result<int> run_show_config(const MelangeArguments& arguments, Session& session) {
  ImageJob job = TRY(load_job(arguments, session.env));
  image::ImageSpec& spec = job.loaded.spec;
  if (spec.entrypoint.type == image::kServiceBundle) {
    spec.entrypoint.command = image::kServiceCommand;
    spec.contents.packages.emplace_back("s6");
  }
  image::Contents& contents = spec.contents;
  for (auto* list :
       {&contents.build_repositories, &contents.runtime_repositories, &contents.repositories, &contents.keyring})
    for (std::string& address : *list) address = without_password(address);
  std::fputs(image::spec_to_yaml(spec).c_str(), stdout);
  return 0;
}

Result<int> run_lock_as(const MelangeArguments& arguments, Session& session, std::string_view extension) {
  const ImageJob job = TRY(load_job(arguments, session.env));
  const store::Lease in_use = TRY(hold_off_gc(session.env));
  std::vector<ArchPicks> all = TRY(choose(job, session.env));
  TRY(fetch_picks(job, all, session.env));
  const image::LockFile lock = TRY(make_lock(job, all, arguments.words[0], session.env));
  std::string output = arguments.text("--output");
  if (output.empty()) output = Path(arguments.words[0]).replace_extension().string() + "." + std::string(extension);
  TRY(os::write_file(output, image::write_lock_file(lock)));
  std::vector<Sha256> blobs;
  for (const ArchPicks& arch : all) blobs.insert(blobs.end(), arch.blobs.begin(), arch.blobs.end());
  TRY(keep_for(output, "lock", blobs, session.env));
  tell(session.env, fmt::format("{} packages in '{}'", lock.packages.size(), output));
  return 0;
}
Result<int> run_lock(const MelangeArguments& arguments, Session& session) {
  return run_lock_as(arguments, session, "lock.json");
}
Result<int> run_resolve(const MelangeArguments& arguments, Session& session) {
  tell(session.env, "`apko resolve` is the old name of `apko lock`");
  return run_lock_as(arguments, session, "resolved.json");
}

std::string quoted(const std::string& text) {
  return "\"" + replace_all(replace_all(text, "\\", "\\\\"), "\"", "\\\"") + "\"";
}

/// The name that an atom is about.
std::string name_of_atom(const std::string& atom) { return atom.substr(0, atom.find_first_of("=<>~@")); }

/// Nodes are packages and the names by which they are asked for.
Result<int> run_dot(const MelangeArguments& arguments, Session& session) {
  const ImageJob job = TRY(load_job(arguments, session.env));
  const std::vector<ArchPicks> all = TRY(choose(job, session.env));
  const std::vector<RepositoryShelf::Pick>& picks = all.front().picks;
  const bool tree = arguments.on("--spanning-tree");
  std::set<std::string> edges, asked, reached;
  std::string nodes;
  const auto edge = [&](const std::string& from, const std::string& to) {
    if (from != to && (!tree || reached.insert(to).second))
      edges.insert(fmt::format("  {} -> {};\n", quoted(from), quoted(to)));
  };
  for (const std::string& atom : job.spec().contents.packages) {
    edge(arguments.words[0], atom);
    if (name_of_atom(atom) != atom) edge(atom, name_of_atom(atom));
    asked.insert(name_of_atom(atom));
  }
  for (const RepositoryShelf::Pick& pick : picks) {
    nodes += fmt::format("  {} [label={}, tooltip={}];\n", quoted(pick.record.name),
                         quoted(pick.record.name + "-" + pick.record.version), quoted(pick.record.description));
    for (const std::string& atom : pick.record.depends) {
      if (atom.starts_with('!')) continue;
      edge(pick.record.name, name_of_atom(atom));
      asked.insert(name_of_atom(atom));
    }
  }
  for (const RepositoryShelf::Pick& pick : picks) {
    for (const std::string& provide : pick.record.provides) {
      const std::string name = name_of_atom(provide);
      if (!asked.contains(name) || name == pick.record.name) continue;
      nodes += fmt::format("  {} [shape=rect];\n", quoted(name));
      edges.insert(fmt::format("  {} -> {};\n", quoted(name), quoted(pick.record.name)));
    }
  }
  std::string out = "digraph images {\n  rankdir=LR;\n" + nodes;
  for (const std::string& line : edges) out += line;
  session.print(out + "}");
  return 0;
}

Result<int> run_clean(const MelangeArguments& arguments, Session& session) {
  if (const std::string folder = arguments.text("--cache-dir"); !folder.empty())
    return Error::make(ErrorKind::kInvalid, "'{}' is not nacre's to clean", folder)
        .hint("what was fetched is in nacre's store: `nacre gc` removes what nothing needs");
  const std::vector<std::pair<std::string, std::string>> kept = TRY(session.env.store.state().list("foreign-file"));
  if (!arguments.on("--dry-run"))
    for (const auto& [key, value] : kept) TRY(session.env.store.state().erase("foreign-file", key));
  session.print(fmt::format("{} {} kept answers of repositories; `nacre gc` removes the blobs that nothing needs",
                            arguments.on("--dry-run") ? "would forget" : "forgot", kept.size()));
  return 0;
}

Result<int> run_completion(const MelangeArguments& arguments) {
  const std::string script = TRY(melange_completion(arguments.words[0], apko_commands(), apko_tool()));
  std::fputs(script.c_str(), stdout);
  return 0;
}

Result<int> run_version(const MelangeArguments& arguments) {
  if (!arguments.on("--json")) {
    std::puts(fmt::format("apko, answered by nacre {}", program_version()).c_str());
    return 0;
  }
  codec::Json out;
  out.set("gitVersion", fmt::format("v{}", program_version())).set("program", "nacre");
  out.set("platform", fmt::format("linux/{}", host_arch().go));
  std::fputs(codec::to_pretty_json(out).c_str(), stdout);
  return 0;
}

/// Flags of questions that compose nothing.
std::vector<MelangeFlag> question_flags(const std::vector<MelangeFlag>& more = {}) {
  std::vector<MelangeFlag> out = apko_source_flags();
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

const MelangeFlag kOutput = {
    "--output", 0, F::kText, "", "file; the definition's name with .lock.json when absent", ""};

}  // namespace

MelangeCommand apko_lock() {
  return {.name = "lock",
          .summary = "write down exactly which packages an image is made of",
          .usage = "CONFIG",
          .flags = question_flags({kOutput}),
          .min_words = 1,
          .max_words = 1,
          .run = run_lock};
}

MelangeCommand apko_resolve() {
  return {.name = "resolve",
          .summary = "the old name of lock",
          .usage = "CONFIG",
          .flags = question_flags({kOutput}),
          .min_words = 1,
          .max_words = 1,
          .run = run_resolve};
}

MelangeCommand apko_show_config() {
  return {.name = "show-config",
          .summary = "the definition with what it includes, as YAML",
          .usage = "CONFIG",
          .flags = question_flags(),
          .min_words = 1,
          .max_words = 1,
          .run = run_show_config};
}

MelangeCommand apko_show_packages() {
  return {.name = "show-packages",
          .summary = "the packages that an image would have",
          .usage = "CONFIG",
          .flags = question_flags({{"--format", 0, F::kText, "name-version",
                                    "name-version, name=version, name-(version), packagelock, each also with -source, "
                                    "or text with {{ .Name }}, {{ .Version }} and {{ .Source }}",
                                    ""}}),
          .min_words = 1,
          .max_words = 1,
          .run = run_show_packages};
}

MelangeCommand apko_dot() {
  return {.name = "dot",
          .summary = "the packages of an image and what they need, as a graph for dot",
          .usage = "CONFIG",
          .flags = question_flags(
              {{"--spanning-tree", 'S', F::kSwitch, "", "one edge to each package", ""},
               {"--web", 0, F::kSwitch, "", "show it in a browser", "pipe it into `dot -Tsvg`"},
               {"--registry-explorer", 'e', F::kText, "", "site that nodes lead to", "the graph has no links"}}),
          .min_words = 1,
          .max_words = 1,
          .run = run_dot};
}

MelangeCommand apko_clean() {
  return {.name = "clean",
          .summary = "forget what was fetched from repositories",
          .flags = {{"--cache-dir", 0, F::kText, "", "the reference's cache", ""},
                    {"--dry-run", 0, F::kSwitch, "", "say what would be done", ""}},
          .run = run_clean};
}

MelangeCommand apko_completion() {
  return {.name = "completion",
          .summary = "a completion script for bash, zsh, fish or powershell",
          .usage = "SHELL",
          .min_words = 1,
          .max_words = 1,
          .run_alone = run_completion};
}

MelangeCommand apko_version() {
  return {.name = "version",
          .summary = "what answers",
          .flags = {{"--json", 0, F::kSwitch, "", "as JSON", ""}},
          .run_alone = run_version};
}

}  // namespace nacre::cli
