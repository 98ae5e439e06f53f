#include "base/text.h"
#include "cli/melange_common.h"
#include "codec/archive.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "draft/license.h"
#include "store/store.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

struct Found {
  std::string path, license;  ///< license: empty when the text is not known.
  double weight = 0;
};

/// `depth` counts the directories above the file.
void consider(const std::string& path, std::size_t depth, bool deep, const std::function<Result<std::string>()>& read,
              std::vector<Found>& out) {
  if (!deep && depth > 1) return;
  double weight = draft::license_weight(Path(path).filename().string());
  if (weight == 0) return;
  if (depth == 0) weight += 0.5;
  const auto text = read();
  out.push_back({path, text ? draft::recognise_license(*text) : "", weight});
}

std::size_t depth_of(const std::string& path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

Result<std::vector<Found>> in_folder(const Path& folder, bool deep) {
  std::vector<Found> out;
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(folder));
  for (const os::TreeEntry& entry : entries)
    if (entry.type == os::FileType::kRegular)
      consider(
          entry.path.str(), depth_of(entry.path.str()), deep,
          [&] { return os::read_beneath(folder, entry.path, draft::kMaxLicenseBytes); }, out);
  return out;
}

/// What lies below the directory at the top of a source archive, which
/// unpacking strips.
std::string below_top(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Result<std::vector<Found>> in_archive(const Path& file, bool deep, bool package) {
  std::vector<Found> out;
  std::string path, content;
  bool wanted = false;
  const auto flush = [&] {
    if (!wanted) return;
    const std::string inside = package ? path : below_top(path);
    consider(
        inside, depth_of(inside), deep, [&] { return Result<std::string>(content); }, out);
  };
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    flush();
    path = header.path;
    content.clear();
    wanted = header.type == '0' && draft::license_weight(Path(path).filename().string()) > 0;
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    if (wanted && content.size() < draft::kMaxLicenseBytes)
      content += bytes.substr(0, draft::kMaxLicenseBytes - content.size());
    return {};
  };
  if (package) TRY(apk::read_package(file, &visitor));
  else TRY(codec::read_archive(file, visitor));
  flush();
  return out;
}

/// "GPL-2.0-or-later" and "GPL-2.0-only" have the same text.
std::string family(std::string license) {
  for (const char* end : {"-or-later", "-only", "+"})
    if (license.ends_with(end)) license.resize(license.size() - std::string_view(end).size());
  return license;
}

std::set<std::string> declared_of(const definition::Definition& definition) {
  std::set<std::string> out;
  for (const definition::Copyright& entry : definition.copyright)
    for (const std::string& word : split_words(replace_all(replace_all(entry.license, "(", " "), ")", " ")))
      if (word != "AND" && word != "OR" && word != "WITH") out.insert(family(word));
  return out;
}

std::string table_of(std::vector<Found>& found) {
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.path < b.path;
  });
  std::string out;
  for (const Found& file : found)
    out += fmt::format("{:<18} {:.2f}  {}\n", file.license.empty() ? "unknown" : file.license, file.weight, file.path);
  return out;
}

Result<std::vector<Found>> look(const std::string& word, const MelangeArguments& arguments,
                                const definition::Definition* definition, Env& env) {
  const bool deep = arguments.text("--scan-type") == "deep";
  if (definition == nullptr)
    return std::filesystem::is_directory(word) ? in_folder(word, deep) : in_archive(word, deep, true);
  if (const std::string folder = arguments.text("--workdir"); !folder.empty()) return in_folder(folder, deep);
  std::vector<Found> out;
  const std::vector<build::FetchedSource> sources =
      TRY(build::fetch_sources(*definition, {}, build::places_of_machine(), env));
  for (const build::FetchedSource& source : sources) {
    const Path archive = TRY(env.store.local(source.sha256));
    auto found = in_archive(archive, deep, false);
    if (!found) continue;  // no archive: nothing to look into
    out.insert(out.end(), found->begin(), found->end());
  }
  return out;
}

/// Whether what was recognised in files and what is declared are the same, and
/// the lines that say where they are not.
std::string differences(const std::set<std::string>& declared, const std::vector<Found>& found) {
  std::set<std::string> there;
  for (const Found& file : found)
    if (!file.license.empty()) there.insert(family(file.license));
  std::string out;
  for (const std::string& license : there)
    if (!declared.contains(license)) out += fmt::format("found, and not declared: {}\n", license);
  for (const std::string& license : declared)
    if (!there.contains(license) && !found.empty())
      out += fmt::format("declared, and not recognised in a file: {}\n", license);
  return out;
}

/// The licence as the definition declared it ("GPL-2.0-or-later" has the text
/// of "GPL-2.0-only"), else as it was found.
std::string as_declared(const std::string& license, const definition::Definition& definition) {
  for (const definition::Copyright& entry : definition.copyright)
    if (entry.license.find(' ') == std::string::npos && family(entry.license) == family(license)) return entry.license;
  return license;
}

/// A path as YAML reads it.
std::string quoted(const std::string& path) {
  const bool plain = !path.starts_with('-') && std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._/+-").find(static_cast<char>(c)) != std::string_view::npos;
  });
  return plain ? path : codec::to_json(codec::Json(path));
}

/// What `copyright:` would say, one line each: "flat" an entry for each file,
/// "simple" one for all.
std::vector<std::string> copyright_lines(const std::vector<Found>& found, const definition::Definition& definition,
                                         const std::string& format) {
  std::vector<std::string> out;
  std::set<std::string> names;
  for (const Found& file : found) {
    if (file.license.empty()) continue;
    const std::string license = as_declared(file.license, definition);
    names.insert(license);
    if (format == "simple") continue;
    out.push_back("- license: " + license);
    out.push_back("  license-path: " + quoted(file.path));
  }
  if (format == "simple" && !names.empty())
    out.push_back("- license: " + join(std::vector<std::string>(names.begin(), names.end()), " AND "));
  return out;
}

/// The text of a definition with other lines below `package: copyright:`.
/// kInvalid where an edit would lose what only a person wrote.
Result<std::string> with_copyright(const codec::YamlTree& tree, const std::vector<std::string>& lines) {
  const codec::YamlNode* package = tree.root.find("package");
  const codec::YamlNode::Entry* entry = nullptr;
  if (package != nullptr)
    for (const codec::YamlNode::Entry& known : package->entries)
      if (known.key == "copyright") entry = &known;
  if (entry == nullptr || entry->value.kind != codec::YamlKind::kSequence)
    return Error::make(ErrorKind::kInvalid, "the package has no list under 'copyright'").at({tree.file, 0, 0});
  for (const codec::YamlNode& item : entry->value.items)
    for (const codec::YamlNode::Entry& field : item.entries)
      if (field.key != "license" && field.key != "license-path")
        return Error::make(ErrorKind::kInvalid, "'{}' would be lost: edit 'copyright' by hand", field.key)
            .at(tree.place(field.key_span));
  // Whole lines, from that of the key to the one before whatever follows.
  std::vector<std::string> text = split(tree.source, '\n');
  const auto first = static_cast<std::size_t>(entry->key_span.line - 1);
  const auto margin = static_cast<std::size_t>(entry->key_span.column - 1);
  const auto indent_of = [](const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); };
  const bool block = trim(text[first]) == "copyright:";
  std::size_t last = first;
  for (std::size_t i = first + 1; i < text.size() && block; ++i) {
    const std::size_t indent = indent_of(text[i]);
    const bool item = indent == margin && text[i].substr(indent).starts_with("- ");
    if (!trim(text[i]).empty() && indent <= margin && !item) break;
    if (!trim(text[i]).empty()) last = i;
  }
  for (std::size_t i = first; i <= last; ++i)
    if (const std::size_t mark = text[i].find(" #"); mark != std::string::npos)
      return Error::make(ErrorKind::kInvalid, "a comment would be lost: edit 'copyright' by hand")
          .at({tree.file, static_cast<int>(i) + 1, static_cast<int>(mark) + 2});
  if (!block && entry->value.span.line != entry->key_span.line)
    return Error::make(ErrorKind::kInvalid, "'copyright' is written in a way that cannot be edited")
        .at(tree.place(entry->key_span));
  const std::size_t deeper = block && last > first ? indent_of(text[first + 1]) : margin + 2;
  std::vector<std::string> made = {std::string(margin, ' ') + "copyright:"};
  for (const std::string& line : lines) made.push_back(std::string(deeper, ' ') + line);
  text.erase(text.begin() + static_cast<std::ptrdiff_t>(first), text.begin() + static_cast<std::ptrdiff_t>(last) + 1);
  text.insert(text.begin() + static_cast<std::ptrdiff_t>(first), made.begin(), made.end());
  return join(text, "\n");
}

/// --fix: what is recognised becomes what is declared, when both differ and
/// something was recognised.
Result<> fix(const std::string& file, const definition::Definition& definition, const std::vector<Found>& found,
             const std::string& format, Env& env) {
  const std::vector<std::string> lines = copyright_lines(found, definition, format);
  if (lines.empty()) {
    tell(env, "no licence was recognised: the definition stays as it is");
    return {};
  }
  std::string source = TRY(os::read_file(file), "reading the definition");
  const codec::YamlTree tree = TRY(codec::parse_yaml(std::move(source), file));
  const std::string text = TRY(with_copyright(tree, lines));
  TRY(codec::parse_yaml(text, file), "reading what was edited");
  TRY(os::write_file(file, text));
  tell(env, fmt::format("'copyright' of {} now says what was recognised", file));
  return {};
}

Result<int> run_license_check(const MelangeArguments& arguments, Session& session) {
  const std::string& word = arguments.words[0];
  const std::string type = arguments.text("--scan-type");
  if (type != "shallow" && type != "deep")
    return Error::make(ErrorKind::kInvalid, "--scan-type is shallow or deep, got '{}'", type);
  const std::string format = arguments.text("--format");
  if (format != "simple" && format != "flat")
    return Error::make(ErrorKind::kInvalid, "--format is simple or flat, got '{}'", format);
  std::optional<definition::Definition> definition;
  if (word.ends_with(".yaml") || word.ends_with(".yml"))
    definition = TRY(load_config(word, arguments, session.os_dir, host_arch()));
  std::vector<Found> found = TRY(look(word, arguments, definition ? &*definition : nullptr, session.env));
  session.print(found.empty() ? "no licence files found" : table_of(found));
  if (!definition && arguments.on("--fix"))
    return Error::make(ErrorKind::kInvalid, "--fix edits a definition, and '{}' is none", word);
  if (!definition) return 0;
  const std::string text = differences(declared_of(*definition), found);
  if (!text.empty()) session.print(text);
  if (!text.empty() && arguments.on("--fix")) TRY(fix(word, *definition, found, format, session.env));
  return 0;  // differences are for a person to judge, as with the reference
}

}  // namespace

MelangeCommand melange_license_check() {
  using F = MelangeFlag;
  return {.name = "license-check",
          .summary =
              "look for licence files in sources, a directory or a package, "
              "and compare with what is declared",
          .usage = "CONFIG|DIR|FILE.apk",
          .flags = {{"--fix", 0, F::kSwitch, "", "write what was recognised into the definition", ""},
                    {"--format", 0, F::kText, "flat", "of --fix: flat (an entry for each file) or simple (one)", ""},
                    {"--scan-type", 0, F::kText, "shallow", "shallow (top and one level) or deep", ""},
                    {"--workdir", 0, F::kText, "", "the unpacked sources, instead of fetching them", ""}},
          .min_words = 1,
          .max_words = 1,
          .run = run_license_check};
}

}  // namespace nacre::cli
