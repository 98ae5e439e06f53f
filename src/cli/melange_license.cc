#include "base/text.h"
#include "cli/melange_common.h"
#include "codec/archive.h"
#include "codec/json.h"
#include "store/store.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

constexpr std::size_t kMaxLicenseBytes = 1u << 20;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

/// How likely a file of this name holds a licence: 0 for none. The field's weights, for the names that matter.
double weight_of(const std::string& name) {
  const std::string text = lower(name), stem = text.substr(0, text.find_last_of('.'));
  const std::string end = text == stem ? "" : text.substr(stem.size());
  const bool preferred = end == ".md" || end == ".markdown" || end == ".txt";
  if (end == ".go" || end == ".py" || end == ".c" || end == ".h" || end == ".js") return 0;
  const auto whole = [](const std::string& word) {
    return word == "license" || word == "licence" || word == "unlicense" || word == "unlicence";
  };
  const auto copying = [](const std::string& word) { return word == "copying" || word == "copyright"; };
  if (whole(text)) return 1.0;
  if (whole(stem)) return preferred ? 0.95 : 0.80;
  if (copying(text)) return 0.90;
  if (copying(stem)) return preferred ? 0.85 : 0.75;
  for (const char* word : {"license", "licence", "copying", "copyright"})
    if (text.starts_with(fmt::format("{}-", word)) || text.starts_with(fmt::format("{}_", word)) ||
        text.starts_with(fmt::format("{}.", word)))
      return 0.70;
  for (const char* word : {"-license", "_license", "-licence", "-copying", "_copying"})
    if (stem.find(word) != std::string::npos) return 0.60;
  if (stem == "ofl") return 0.50;
  if (stem == "patents") return 0.35;
  return 0;
}

/// Blanks of any kind as one, letters in lower case: what the phrases below are looked for in.
std::string plain(std::string_view text) { return lower(join(split_words(text), " ")); }

struct Phrase {
  const char* license;
  std::vector<const char*> all, none;
};

/// Licences by phrases that their texts have and their neighbours have not. The first that fits is the answer.
const std::vector<Phrase>& phrases() {
  static const std::vector<Phrase> kPhrases = {
      {"Apache-2.0", {"apache license", "version 2.0, january 2004"}, {}},
      {"MPL-2.0", {"mozilla public license version 2.0"}, {}},
      {"AGPL-3.0-only", {"gnu affero general public license", "version 3, 19 november 2007"}, {}},
      {"LGPL-3.0-only", {"gnu lesser general public license", "version 3, 29 june 2007"}, {}},
      {"LGPL-2.1-only", {"gnu lesser general public license", "version 2.1, february 1999"}, {}},
      {"LGPL-2.0-only", {"gnu library general public license", "version 2, june 1991"}, {}},
      {"GPL-3.0-only", {"gnu general public license", "version 3, 29 june 2007"}, {}},
      {"GPL-2.0-only", {"gnu general public license", "version 2, june 1991"}, {}},
      {"BSL-1.0", {"boost software license - version 1.0"}, {}},
      {"Unlicense", {"this is free and unencumbered software released into the public domain"}, {}},
      {"CC0-1.0", {"cc0 1.0 universal"}, {}},
      {"OFL-1.1", {"sil open font license version 1.1"}, {}},
      {"Zlib",
       {"provided 'as-is', without any express or implied warranty", "altered source versions must be plainly"},
       {}},
      {"curl", {"copyright and permission notice", "daniel stenberg"}, {}},
      {"ISC",
       {"permission to use, copy, modify, and/or distribute this software for any purpose", "above copyright notice"},
       {}},
      {"ISC",
       {"permission to use, copy, modify, and distribute this software for any purpose", "above copyright notice"},
       {}},
      {"0BSD",
       {"permission to use, copy, modify, and/or distribute this software for any purpose"},
       {"above copyright notice"}},
      {"BSD-4-Clause", {"redistribution and use in source and binary forms", "all advertising materials"}, {}},
      {"BSD-3-Clause", {"redistribution and use in source and binary forms", "endorse or promote products"}, {}},
      {"BSD-2-Clause",
       {"redistribution and use in source and binary forms", "provided that the following conditions"},
       {}},
      {"MIT-0",
       {"permission is hereby granted, free of charge", "without restriction"},
       {"above copyright notice and this permission"}},
      {"MIT", {"permission is hereby granted, free of charge", "without restriction"}, {}},
      {"PSF-2.0", {"python software foundation license version 2"}, {}},
  };
  return kPhrases;
}

std::string recognise(std::string_view text) {
  const std::string words = plain(text.substr(0, kMaxLicenseBytes));
  const auto has = [&](const char* phrase) { return words.find(phrase) != std::string::npos; };
  for (const Phrase& phrase : phrases())
    if (std::all_of(phrase.all.begin(), phrase.all.end(), has) &&
        std::none_of(phrase.none.begin(), phrase.none.end(), has))
      return phrase.license;
  return {};
}

struct Found {
  std::string path, license;  ///< license: empty when the text is not known.
  double weight = 0;
};

/// `depth` counts the directories above the file.
void consider(const std::string& path, std::size_t depth, bool deep, const std::function<Result<std::string>()>& read,
              std::vector<Found>& out) {
  if (!deep && depth > 1) return;
  double weight = weight_of(Path(path).filename().string());
  if (weight == 0) return;
  if (depth == 0) weight += 0.5;
  const auto text = read();
  out.push_back({path, text ? recognise(*text) : "", weight});
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
          [&] { return os::read_beneath(folder, entry.path, kMaxLicenseBytes); }, out);
  return out;
}

/// Source archives hold one directory at the top, which counts for nothing.
Result<std::vector<Found>> in_archive(const Path& file, bool deep, bool package) {
  std::vector<Found> out;
  std::string path, content;
  bool wanted = false;
  const auto flush = [&] {
    if (!wanted) return;
    const std::size_t depth = depth_of(path);
    consider(
        path, package || depth == 0 ? depth : depth - 1, deep, [&] { return Result<std::string>(content); }, out);
  };
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    flush();
    path = header.path;
    content.clear();
    wanted = header.type == '0' && weight_of(Path(path).filename().string()) > 0;
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    if (wanted && content.size() < kMaxLicenseBytes) content += bytes.substr(0, kMaxLicenseBytes - content.size());
    return {};
  };
  if (package)
    TRY(apk::read_package(file, &visitor));
  else
    TRY(codec::read_archive(file, visitor));
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
      TRY(build::fetch_sources(*definition, {}, build::places_of_machine(env), env));
  for (const build::FetchedSource& source : sources) {
    auto found = in_archive(env.store.blob_path(source.sha256), deep, false);
    if (!found) continue;  // no archive: nothing to look into
    out.insert(out.end(), found->begin(), found->end());
  }
  return out;
}

Result<int> run_license_check(const MelangeArguments& arguments, Session& session) {
  const std::string& word = arguments.words[0];
  if (arguments.on("--fix"))
    return Error::make(ErrorKind::kInvalid, "--fix is not there: licences are stated by a person")
        .hint("`melange license-check` lists what was found; edit `copyright:` by hand");
  const std::string type = arguments.text("--scan-type");
  if (type != "shallow" && type != "deep")
    return Error::make(ErrorKind::kInvalid, "--scan-type is shallow or deep, got '{}'", type);
  std::optional<definition::Definition> definition;
  if (word.ends_with(".yaml") || word.ends_with(".yml"))
    definition = TRY(load_config(word, arguments, session.os_dir, host_arch()));
  std::vector<Found> found = TRY(look(word, arguments, definition ? &*definition : nullptr, session.env));
  session.print(found.empty() ? "no licence files found" : table_of(found));
  if (!definition) return 0;
  const std::set<std::string> declared = declared_of(*definition);
  std::set<std::string> there;
  for (const Found& file : found)
    if (!file.license.empty()) there.insert(family(file.license));
  std::string text;
  for (const std::string& license : there)
    if (!declared.contains(license)) text += fmt::format("found, and not declared: {}\n", license);
  for (const std::string& license : declared)
    if (!there.contains(license) && !found.empty())
      text += fmt::format("declared, and not recognised in a file: {}\n", license);
  if (!text.empty()) session.print(text);
  return 0;  // differences are for a person to judge, as with the reference
}

}  // namespace

MelangeCommand melange_license_check() {
  using F = MelangeFlag;
  MelangeCommand command;
  command.name = "license-check";
  command.summary = "look for licence files in sources, a directory or a package, and compare with what is declared";
  command.usage = "CONFIG|DIR|FILE.apk";
  command.min_words = command.max_words = 1;
  command.flags = {{"--fix", 0, F::kSwitch, "", "mend the definition: refused here", ""},
                   {"--format", 0, F::kText, "flat", "of --fix: simple or flat", "--fix is refused"},
                   {"--scan-type", 0, F::kText, "shallow", "shallow (top and one level) or deep", ""},
                   {"--workdir", 0, F::kText, "", "the unpacked sources, instead of fetching them", ""}};
  command.run = run_license_check;
  return command;
}

}  // namespace nacre::cli
