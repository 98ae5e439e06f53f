#include "watch/delta_steps.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace nacre::watch {
namespace {

using definition::ScriptCommand;

constexpr std::string_view kWorkspace = "/home/build";

/// Whether one of the single-letter options of `words` is `letter`; letters behind which a value begins are `takes`.
bool has_letter(const std::vector<std::string>& words, std::size_t from, char letter, std::string_view takes) {
  for (std::size_t i = from; i < words.size() && words[i] != ";" && words[i] != "+"; ++i) {
    const std::string& word = words[i];
    if (word.size() < 2 || word[0] != '-' || word[1] == '-') continue;
    for (std::size_t at = 1; at < word.size(); ++at) {
      if (word[at] == letter) return true;
      if (takes.find(word[at]) != std::string_view::npos) break;
    }
  }
  return false;
}

bool has_word(const std::vector<std::string>& words, std::size_t from, std::string_view start) {
  return std::any_of(words.begin() + static_cast<long>(from), words.end(),
                     [&](const std::string& word) { return word.starts_with(start); });
}

/// The files of a sed or perl command: what is no option, without the script where one stands.
std::string files_of(const std::vector<std::string>& words, std::size_t from) {
  std::vector<std::string> out;
  bool script = false, skip = false;
  for (std::size_t i = from; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (skip) {
      skip = false;
    } else if (word == "-e" || word == "-f" || word == "--expression" || word == "--file") {
      script = skip = true;
    } else if (word.size() > 1 && word[0] == '-') {
      // "-pie" ends with the script's letter.
      script = script || word.starts_with("--expression=") || (word[1] != '-' && word.find('e') != std::string::npos);
      skip = word[1] != '-' && word.ends_with('e') && word != "-ie";
    } else if (word != ";" && word != "+" && word != "{}") {
      out.push_back(word);
    }
  }
  if (!script && !out.empty()) out.erase(out.begin());
  return join(out, " ");
}

std::optional<Edit> here_document(const ScriptCommand& command) {
  if (!command.here_document) return std::nullopt;
  const std::string_view name = command.words.empty() ? "cat" : definition::base_name(command.words.front());
  Edit edit{Edit::Kind::kHereDocument, join(command.writes, " "), false, {}};
  if (name == "tee")
    for (std::size_t i = 1; i < command.words.size(); ++i)
      if (!command.words[i].starts_with('-')) edit.files += (edit.files.empty() ? "" : " ") + command.words[i];
  if ((name != "cat" && name != "tee") || edit.files.empty() || edit.files.starts_with("/dev/")) return std::nullopt;
  return edit;
}

}  // namespace

std::string input_of(const definition::Step& step, std::string_view name) {
  for (const auto& [key, value] : step.with)
    if (key == name) return value;
  return {};
}

std::string folder_of(const definition::Step& step, const std::string& handed_down) {
  return step.working_directory.empty() ? handed_down : workspace_path("", step.working_directory);
}

std::string workspace_path(const std::string& folder, std::string_view path) {
  std::vector<std::string> parts;
  std::string whole(path);
  if (whole.starts_with(kWorkspace)) whole = whole.substr(kWorkspace.size());
  else if (whole.starts_with('/')) return {};
  else whole = folder + "/" + whole;
  for (const std::string& part : split(whole, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    } else {
      return {};
    }
  }
  return join(parts, "/");
}

std::string without_dots(std::string_view path) {
  if (path.starts_with(kWorkspace)) path.remove_prefix(kWorkspace.size());
  for (;;) {
    if (path.starts_with("../")) path.remove_prefix(3);
    else if (path.starts_with("./")) path.remove_prefix(2);
    else if (path.starts_with('/')) path.remove_prefix(1);
    else return std::string(path);
  }
}

bool is_output(std::string_view text) {
  if (text.find("melange-out") != std::string_view::npos) return true;
  for (const std::string& word : split_words(text))
    if (word.starts_with('/') && !word.starts_with(kWorkspace)) return true;
  return false;
}

bool is_patch_name(std::string_view file) { return file.ends_with(".patch") || file.ends_with(".diff"); }

Result<std::vector<PatchName>> patches_of(const definition::Step& step, const std::string& folder,
                                          const os::Path& side_dir) {
  std::vector<PatchName> out;
  const auto add = [&](const std::string& written, const std::string& from, const std::string& series) {
    std::string path = workspace_path(from, written);
    // A step that changes to a folder by itself writes "../x" from there.
    if (path.empty() || !os::exists(side_dir / path))
      if (const std::string loose = without_dots(written); !loose.empty() && os::exists(side_dir / loose)) path = loose;
    out.push_back({written, path, series, {}});
  };
  const std::string series = input_of(step, "series");
  if (!series.empty()) {
    const std::string file = workspace_path(folder, series);
    const auto path = TreePath::parse(file);
    if (path && !path->is_root() && os::exists(side_dir / file)) {
      const std::string text = TRY(os::read_beneath(side_dir, *path, 1u << 20));
      for (const std::string& line : split(text, '\n')) {
        const std::vector<std::string> words = split_words(line.substr(0, line.find('#')));
        if (words.empty()) continue;
        add(words.front(), folder, file);
        std::size_t strip = 0;
        if (words.size() > 1 && words[1].starts_with("-p") &&
            std::from_chars(words[1].data() + 2, words[1].data() + words[1].size(), strip).ec == std::errc{})
          out.back().strip = strip;
      }
      return out;
    }
    return out;  // a list that the source brings names the source's own patches
  }
  for (const std::string& word : split_words(input_of(step, "patches"))) add(word, folder, "");
  return out;
}

std::vector<PickLine> picks_of(std::string_view text) {
  std::vector<PickLine> out;
  for (const std::string& line : split(text, '\n')) {
    const std::string_view bare = trim(std::string_view(line).substr(0, line.find('#')));
    if (bare.empty()) continue;
    const std::size_t colon = bare.find(':');
    const std::string_view what = trim(bare.substr(0, colon));
    const std::size_t slash = what.rfind('/');
    PickLine pick;
    pick.commit = std::string(what.substr(slash + 1));
    if (slash != std::string_view::npos) pick.branch = std::string(what.substr(0, slash));
    if (colon != std::string_view::npos) pick.why = std::string(trim(bare.substr(colon + 1)));
    out.push_back(std::move(pick));
  }
  return out;
}

std::optional<Edit> edit_of(const ScriptCommand& command) {
  const std::vector<std::string>& words = command.words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view name = definition::base_name(words[i]);
    if ((name == "sed" || name == "gsed") &&
        (has_letter(words, i + 1, 'i', "efl") || has_word(words, i + 1, "--in-place")))
      return Edit{Edit::Kind::kSed, files_of(words, i + 1), false, {}};
    if (name == "perl" && has_letter(words, i + 1, 'i', "eEMmI"))
      return Edit{Edit::Kind::kPerl, files_of(words, i + 1), false, {}};
    if ((name == "awk" || name == "gawk") && has_word(words, i + 1, "inplace"))
      return Edit{Edit::Kind::kAwk, words.back(), false, {}};
    if (i == 0 && (name == "patch" || (name == "git" && words.size() > 1 && (words[1] == "apply" || words[1] == "am"))))
      return Edit{Edit::Kind::kPatch, join(command.reads, " "), false, {}};
  }
  return here_document(command);
}

}  // namespace nacre::watch
