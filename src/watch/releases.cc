#include "watch/releases.h"

#include "apk/version.h"
#include "base/ascii.h"
#include "base/number.h"
#include "base/text.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace nacre::watch {
namespace {

/// What the block's own form says about tags, whichever form that is.
struct TagRules {
  std::string strip_prefix, strip_suffix, filter_prefix, filter_contains;
};

TagRules rules_of(const definition::Update& update, FeedKind kind) {
  TagRules rules;
  if (kind == FeedKind::kGitHub && !update.github.empty()) {
    const auto& block = update.github.front();
    rules = {block.strip_prefix, block.strip_suffix, block.tag_filter_prefix, block.tag_filter_contains};
    if (rules.filter_prefix.empty()) rules.filter_prefix = block.tag_filter;
  } else if (kind == FeedKind::kGit && !update.git.empty()) {
    const auto& block = update.git.front();
    rules = {block.strip_prefix, block.strip_suffix, block.tag_filter_prefix, block.tag_filter_contains};
  } else if (kind == FeedKind::kReleaseMonitor && !update.release_monitor.empty()) {
    const auto& block = update.release_monitor.front();
    rules = {block.strip_prefix, block.strip_suffix, block.version_filter_prefix, block.version_filter_contains};
  } else if (kind == FeedKind::kGo) {
    rules.strip_prefix = "v";
  }
  return rules;
}

using Pattern = std::unique_ptr<RE2>;

Result<Pattern> compile(const std::string& text) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(8 << 20);
  auto pattern = std::make_unique<RE2>(text, options);
  if (pattern->ok()) return pattern;
  return Error::make(ErrorKind::kInvalid, "'{}' is no regular expression: {}", text, pattern->error());
}

/// "$1", "${1}" and "${name}" -> "\1", as RE2 writes groups; what names no group stands for nothing, as in Go.
std::string rewrite_of(std::string_view replace, const RE2& pattern) {
  std::string out;
  for (std::size_t i = 0; i < replace.size(); ++i) {
    if (replace[i] == '\\') {
      out += "\\\\";
    } else if (replace[i] == '$' && i + 1 < replace.size()) {
      const bool braces = replace[i + 1] == '{';
      const std::size_t begin = i + (braces ? 2 : 1);
      std::size_t end = begin;
      while (end < replace.size() && is_word_character(replace[end])) ++end;
      const bool closed = !braces || (end < replace.size() && replace[end] == '}');
      if (end == begin || !closed) {
        out += '$';
        continue;
      }
      const std::string_view name = replace.substr(begin, end - begin);
      auto group = whole_number<int>(name);
      if (const auto named = pattern.NamedCapturingGroups().find(std::string(name));
          !group && named != pattern.NamedCapturingGroups().end())
        group = named->second;
      if (group && *group >= 0 && *group <= std::min(9, pattern.NumberOfCapturingGroups()))
        out += fmt::format("\\{}", *group);
      i = end - (braces ? 0 : 1);
    } else {
      out += replace[i];
    }
  }
  return out;
}

bool looks_like_prerelease(std::string_view version) {
  constexpr std::string_view kMarks[] = {"alpha", "beta", "rc", "pre", "dev", "snapshot", "nightly"};
  std::string lower(version);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(std::begin(kMarks), std::end(kMarks),
                     [&](std::string_view mark) { return lower.find(mark) != std::string::npos; });
}

bool newer(const Release& a, const Release& b) { return apk::compare_versions(a.version, b.version) > 0; }

}  // namespace

Result<std::vector<Release>> select_releases(const definition::Update& update, FeedKind kind,
                                             const std::vector<RawRelease>& raw) {
  const TagRules rules = rules_of(update, kind);
  std::vector<Pattern> ignored, matches;
  for (const std::string& text : update.ignore_regex_patterns) {
    Pattern pattern = TRY(compile(text), "reading ignore-regex-patterns");
    ignored.push_back(std::move(pattern));
  }
  for (const auto& transform : update.version_transform) {
    Pattern pattern = TRY(compile(transform.match), "reading version-transform");
    matches.push_back(std::move(pattern));
  }
  std::vector<Release> out;
  for (const RawRelease& item : raw) {
    std::string version = item.tag;
    if (!version.starts_with(rules.filter_prefix)) continue;
    if (version.find(rules.filter_contains) == std::string::npos) continue;
    const bool ignore = std::any_of(ignored.begin(), ignored.end(), [&](const Pattern& pattern) {
      return RE2::PartialMatch(item.tag, *pattern);
    });
    if (ignore) continue;
    if (!rules.strip_prefix.empty() && version.starts_with(rules.strip_prefix))
      version.erase(0, rules.strip_prefix.size());
    if (!rules.strip_suffix.empty() && version.ends_with(rules.strip_suffix))
      version.erase(version.size() - rules.strip_suffix.size());
    if (!update.version_separator.empty()) version = replace_all(version, update.version_separator, ".");
    for (std::size_t i = 0; i < matches.size(); ++i)
      RE2::GlobalReplace(&version, *matches[i], rewrite_of(update.version_transform[i].replace, *matches[i]));
    const bool pre = item.prerelease || looks_like_prerelease(version);
    if (pre && !update.enable_prerelease_tags) continue;
    if (!apk::is_valid_version(version)) continue;
    out.push_back({std::move(version), item.tag, item.published});
  }
  std::stable_sort(out.begin(), out.end(), newer);
  out.erase(
      std::unique(out.begin(), out.end(), [](const Release& a, const Release& b) { return a.version == b.version; }),
      out.end());
  return out;
}

}  // namespace nacre::watch
