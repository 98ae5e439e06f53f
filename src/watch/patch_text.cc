#include "watch/patch_text.h"

#include "base/text.h"
#include "base/tree_path.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace nacre::watch {
namespace {

constexpr std::size_t kMaxPatchBytes = 64u << 20;
constexpr std::uint64_t kMaxLine = 1'000'000'000;
constexpr std::string_view kNoFile = "/dev/null";

/// Lines with their ends.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    out.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// "-12,7": start and length; a length that is not written is 1.
bool read_range(std::string_view& text, char mark, std::uint64_t& line, std::uint64_t& length) {
  if (text.empty() || text[0] != mark) return false;
  text.remove_prefix(1);
  const auto number = [&](std::uint64_t& into) {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (status != std::errc{} || into > kMaxLine) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  };
  if (!number(line)) return false;
  length = 1;
  if (text.empty() || text[0] != ',') return true;
  text.remove_prefix(1);
  return number(length);
}

/// The name behind "--- " or "+++ ": up to a tab, where dates begin; git quotes names with odd bytes.
std::string path_behind(std::string_view line) {
  line = trim(line.substr(4));
  line = line.substr(0, line.find('\t'));
  if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
  return std::string(trim(line));
}

/// Reads the files of a patch, line by line.
class Reader {
 public:
  Reader(std::string_view text, std::string_view name) : lines_(lines_of(text)), name_(name) {}

  Result<std::vector<FilePatch>> files() {
    while (at_ < lines_.size()) {
      const std::string& line = lines_[at_];
      if (line.starts_with("diff --git ")) {
        begin_git();
      } else if (line.starts_with("rename from ") && git_) {
        file().renamed = true;
        ++at_;
      } else if ((line.starts_with("GIT binary patch") || line.starts_with("Binary files ")) && git_) {
        file().binary = true;
        ++at_;
      } else if (begins_file()) {
        if (!git_ || !file().hunks.empty() || !file().old_path.empty()) out_.emplace_back();
        file().old_path = path_behind(line);
        file().new_path = path_behind(lines_[at_ + 1]);
        if (first_ == npos) first_ = at_;
        // As patch does it: names that end in a carriage return say that a mail program added them to all lines.
        if (line.ends_with("\r\n") && lines_[at_ + 1].ends_with("\r\n")) drop_returns();
        at_ += 2;
      } else if (line.starts_with("@@ -") && !out_.empty() && !file().old_path.empty()) {
        TRY(hunk());
      } else {
        ++at_;
      }
    }
    std::erase_if(out_, [](const FilePatch& file) { return file.hunks.empty() && !file.binary && !file.renamed; });
    return std::move(out_);
  }

  /// Where the header ends.
  std::size_t first() const { return first_ == npos ? lines_.size() : first_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  FilePatch& file() { return out_.back(); }
  void drop_returns() {
    for (std::size_t i = at_; i < lines_.size(); ++i)
      if (lines_[i].ends_with("\r\n")) lines_[i].erase(lines_[i].size() - 2, 1);
  }
  bool begins_file() const {
    return lines_[at_].starts_with("--- ") && at_ + 1 < lines_.size() && lines_[at_ + 1].starts_with("+++ ");
  }
  void begin_git() {
    if (first_ == npos) first_ = at_;
    git_ = true;
    out_.emplace_back();
    ++at_;
  }

  Result<> hunk() {
    const std::size_t head = at_;
    Hunk hunk;
    std::uint64_t old_length = 0, new_length = 0;
    std::string_view range = std::string_view(lines_[at_]).substr(3);
    bool good = read_range(range, '-', hunk.old_line, old_length) && range.starts_with(' ');
    if (good) range.remove_prefix(1);
    good = good && read_range(range, '+', hunk.new_line, new_length) && range.starts_with(" @@");
    if (!good) return fault(head, "a hunk whose head cannot be read");
    ++at_;
    while (hunk.old_side.size() < old_length || hunk.new_side.size() < new_length) {
      if (at_ >= lines_.size()) return fault(head, "a hunk that ends too early");
      const std::string& line = lines_[at_++];
      const std::string content = line.size() > 1 ? line.substr(1) : std::string("\n");
      // Mail programs drop the blank of an empty line.
      const char mark = line == "\n" || line == "\r\n" ? ' ' : line[0];
      if (mark != ' ' && mark != '+' && mark != '-' && mark != '\\') return fault(at_ - 1, "a line that no hunk has");
      if (mark == '\\') {
        drop_end(hunk, lines_[at_ - 2]);
        continue;
      }
      if (mark != '+') hunk.old_side.push_back(line == "\r\n" ? line : content);
      if (mark != '-') hunk.new_side.push_back(line == "\r\n" ? line : content);
      hunk.added += mark == '+';
      hunk.removed += mark == '-';
    }
    if (at_ < lines_.size() && lines_[at_].starts_with('\\')) drop_end(hunk, lines_[at_++ - 1]);
    if (hunk.old_side.size() != old_length || hunk.new_side.size() != new_length)
      return fault(head, "a hunk of another length than it says");
    file().hunks.push_back(std::move(hunk));
    return {};
  }

  /// "\ No newline at end of file" is about the line before it.
  static void drop_end(Hunk& hunk, const std::string& before) {
    const auto drop = [](std::vector<std::string>& side) {
      if (!side.empty() && side.back().ends_with('\n')) side.back().pop_back();
    };
    if (before[0] != '+') drop(hunk.old_side);
    if (before[0] != '-') drop(hunk.new_side);
  }

  Error fault(std::size_t line, std::string_view what) const {
    return Error::make(ErrorKind::kInvalid, "{}", what).at({name_, static_cast<int>(line) + 1, 0});
  }

  std::vector<std::string> lines_;
  std::string name_;
  std::size_t at_ = 0, first_ = npos;
  bool git_ = false;
  std::vector<FilePatch> out_;
};

void find_vulnerabilities(std::string_view text, std::vector<std::string>& out) {
  const auto is_part = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  };
  for (const std::string_view mark : {"CVE-", "GHSA-"}) {
    for (std::size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
      std::size_t end = at + mark.size(), dashes = 0;
      const std::size_t most = mark == "CVE-" ? 1 : 2;
      for (; end < text.size() && is_part(text[end]) && (text[end] != '-' || ++dashes <= most); ++end)
        if (mark == "CVE-" && text[end] != '-' && (text[end] < '0' || text[end] > '9')) break;
      std::string name(text.substr(at, end - at));
      while (name.ends_with('-')) name.pop_back();
      if (name.size() > mark.size() + 4 && std::find(out.begin(), out.end(), name) == out.end())
        out.push_back(std::move(name));
    }
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

/// An address of a commit, pull or merge request.
std::string upstream_address(std::string_view line) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    const std::size_t at = line.find(scheme);
    if (at == std::string_view::npos) continue;
    std::string_view address = line.substr(at);
    address = address.substr(0, address.find_first_of(" \t\r\n<>\"'),;"));
    for (const std::string_view part :
         {"/commit/", "/commits/", "/pull/", "/merge_requests/", "/-/commit/", "/patch/?id="})
      if (address.find(part) != std::string_view::npos) return std::string(address);
  }
  return {};
}

PatchHeader read_header(const std::vector<std::string>& lines, std::size_t end, std::string_view name) {
  PatchHeader out;
  const std::map<std::string, std::string PatchHeader::*> fields = {
      {"forwarded", &PatchHeader::forwarded},
      {"applied-upstream", &PatchHeader::applied_upstream},
      {"origin", &PatchHeader::origin},
      {"author", &PatchHeader::author},
      {"from", &PatchHeader::author},
      {"last-update", &PatchHeader::last_update},
      {"upstream-status", &PatchHeader::forwarded}};
  find_vulnerabilities(name.substr(name.rfind('/') + 1), out.vulnerabilities);
  for (std::size_t i = 0; i < end; ++i) {
    std::string_view line = trim(lines[i]);
    while (!line.empty() && (line[0] == '#' || is_blank(line[0]))) line.remove_prefix(1);
    find_vulnerabilities(line, out.vulnerabilities);
    if (out.mentions.empty()) out.mentions = upstream_address(line);
    // "From 1a2b… Mon Sep 17" of git format-patch names a commit that need not be upstream's.
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon > 20) continue;
    const auto field = fields.find(lower(line.substr(0, colon)));
    if (field == fields.end() || !(out.*field->second).empty()) continue;
    out.*field->second = std::string(trim(line.substr(colon + 1)));
  }
  return out;
}

}  // namespace

bool PatchHeader::is_bare() const {
  return forwarded.empty() && applied_upstream.empty() && origin.empty() && author.empty() && mentions.empty();
}

std::string PatchHeader::status() const {
  if (!applied_upstream.empty()) return "applied in " + applied_upstream;
  const std::string said = lower(forwarded);
  if (said.starts_with("not-needed") || said.starts_with("inappropriate")) return "not needed";
  if (said.starts_with("no") || said.starts_with("pending") || said.starts_with("denied")) return "not forwarded";
  if (said.starts_with("backport")) return "from upstream";
  if (!said.empty()) return "forwarded";
  if (lower(origin).starts_with("upstream") || lower(origin).starts_with("backport")) return "from upstream";
  if (!mentions.empty()) return "mentions upstream";
  return "not said";
}

std::size_t Patch::hunks() const {
  std::size_t out = 0;
  for (const FilePatch& file : files) out += file.hunks.size();
  return out;
}

std::size_t Patch::added() const {
  std::size_t out = 0;
  for (const FilePatch& file : files)
    for (const Hunk& hunk : file.hunks) out += hunk.added;
  return out;
}

std::size_t Patch::removed() const {
  std::size_t out = 0;
  for (const FilePatch& file : files)
    for (const Hunk& hunk : file.hunks) out += hunk.removed;
  return out;
}

PatchCount count_patch(std::string_view text) {
  PatchCount out;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("@@")) ++out.hunks;
    else if (line.starts_with('+') && !line.starts_with("+++")) ++out.added;
    else if (line.starts_with('-') && !line.starts_with("---")) ++out.removed;
  }
  return out;
}

Result<Patch> parse_patch(std::string_view text, std::string_view name) {
  if (text.size() > kMaxPatchBytes)
    return Error::make(ErrorKind::kInvalid, "a patch of more than {} bytes", kMaxPatchBytes)
        .at({std::string(name), 0, 0});
  Reader reader(text, name);
  Patch out;
  out.files = TRY(reader.files());
  out.header = read_header(reader.lines(), reader.first(), name);
  return out;
}

std::optional<std::string> stripped_path(std::string_view path, std::size_t strip) {
  if (path == kNoFile || path.empty()) return std::nullopt;
  for (std::size_t i = 0; i < strip; ++i) {
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
    while (path.starts_with('/')) path.remove_prefix(1);
  }
  const auto parsed = TreePath::parse(path);
  if (!parsed || parsed->is_root()) return std::nullopt;
  return parsed->str();
}

namespace {

using Lines = std::vector<std::string>;

/// The lines of one side of a hunk that must stand in a file: all of it, or without so many at its ends.
struct Side {
  const Lines& lines;
  std::size_t before = 0, after = 0;  ///< Left out.
  std::size_t size() const { return lines.size() - before - after; }
};

bool stands_at(const Lines& file, std::size_t at, const Side& side) {
  return at + side.size() <= file.size() &&
         std::equal(side.lines.begin() + static_cast<long>(side.before),
                    side.lines.end() - static_cast<long>(side.after), file.begin() + static_cast<long>(at));
}

/// Where `side` stands at or behind `from`: the place expected, else the nearest, which must be the only one unless
/// `anywhere`.
std::optional<std::size_t> find_side(const Lines& file, std::size_t from, std::size_t expected, const Side& side,
                                     bool anywhere) {
  if (expected >= from && stands_at(file, expected, side)) return expected;
  std::optional<std::size_t> found;
  const auto distance = [&](std::size_t at) { return at > expected ? at - expected : expected - at; };
  for (std::size_t at = from; at + side.size() <= file.size(); ++at) {
    if (!stands_at(file, at, side)) continue;
    if (found && !anywhere) return std::nullopt;
    if (!found || distance(at) < distance(*found)) found = at;
  }
  return found;
}

/// Lines that both sides share at their beginning, or end: context.
std::size_t context_lines(const Lines& a, const Lines& b, bool at_end) {
  std::size_t count = 0;
  while (count < std::min(a.size(), b.size()) &&
         (at_end ? a[a.size() - 1 - count] == b[b.size() - 1 - count] : a[count] == b[count]))
    ++count;
  return count;
}

/// A hunk found: where what is replaced begins, and how many lines of context at each end are not looked at.
struct Fit {
  std::size_t at = 0, before = 0, after = 0;
};

std::optional<Fit> find_hunk(const Lines& file, std::size_t done, std::size_t expected, const Lines& from,
                             const Lines& to, const ApplyOptions& options) {
  if (from.empty())
    return expected >= done && expected <= file.size() ? std::optional(Fit{expected, 0, 0}) : std::nullopt;
  const std::size_t head = context_lines(from, to, false), tail = context_lines(from, to, true);
  for (std::size_t fuzz = 0; fuzz <= options.fuzz; ++fuzz) {
    const Side side{from, std::min(fuzz, head), std::min(fuzz, std::min(tail, from.size() - std::min(fuzz, head)))};
    if (side.size() == 0 && fuzz > 0) break;
    if (const auto at = find_side(file, done, expected + side.before, side, options.anywhere))
      return Fit{*at, side.before, side.after};
  }
  return std::nullopt;
}

/// One file's content after its hunks; the number of the first that does not fit, from 1, when it is kConflict.
Result<std::string> apply_hunks(const FilePatch& patch, Direction direction, const std::string& path,
                                const std::string& content, const ApplyOptions& options) {
  const Lines file = lines_of(content);
  std::string out;
  std::size_t done = 0;
  std::int64_t drift = 0;
  for (std::size_t number = 1; const Hunk& hunk : patch.hunks) {
    const bool forward = direction == Direction::kForward;
    const Lines &from = forward ? hunk.old_side : hunk.new_side, &to = forward ? hunk.new_side : hunk.old_side;
    const std::uint64_t line = forward ? hunk.old_line : hunk.new_line;
    // An empty side names the line behind which it stands.
    const std::int64_t said = static_cast<std::int64_t>(line) - (from.empty() || line == 0 ? 0 : 1) + drift;
    const std::size_t expected = said < 0 ? 0 : static_cast<std::size_t>(said);
    const auto fit = find_hunk(file, done, expected, from, to, options);
    if (!fit) return Error::make(ErrorKind::kConflict, "hunk {} of '{}' does not fit", number, path);
    for (; done < fit->at; ++done) out += file[done];
    for (std::size_t i = fit->before; i + fit->after < to.size(); ++i) out += to[i];
    done = fit->at + from.size() - fit->before - fit->after;
    drift = static_cast<std::int64_t>(fit->at) - static_cast<std::int64_t>(fit->before) - (said - drift);
    ++number;
  }
  for (; done < file.size(); ++done) out += file[done];
  return out;
}

/// A file that the patch makes (`from` is /dev/null) or removes (`to` is).
Result<std::optional<std::string>> whole_file(const FilePatch& patch, Direction direction, const std::string& path,
                                              bool makes, const std::optional<std::string>& content) {
  if (patch.hunks.size() > 1) return Error::make(ErrorKind::kInvalid, "'{}' is made or removed in several hunks", path);
  const bool forward = direction == Direction::kForward;
  std::string made, gone;
  if (!patch.hunks.empty()) {
    for (const std::string& line : forward ? patch.hunks[0].new_side : patch.hunks[0].old_side) made += line;
    for (const std::string& line : forward ? patch.hunks[0].old_side : patch.hunks[0].new_side) gone += line;
  }
  if (makes) {
    if (content) return Error::make(ErrorKind::kConflict, "'{}' is there already", path);
    return std::optional(made);
  }
  if (!content) return Error::make(ErrorKind::kConflict, "there is no '{}'", path);
  if (*content != gone) return Error::make(ErrorKind::kConflict, "'{}' has other content", path);
  return std::optional<std::string>();
}

}  // namespace

Result<std::vector<ChangedFile>> try_patch(const Patch& patch, std::size_t strip, Direction direction,
                                           const FileReader& read, const ApplyOptions& options) {
  std::vector<ChangedFile> out;
  const auto current = [&](const std::string& path) -> Result<std::optional<std::string>> {
    for (const ChangedFile& file : out)
      if (file.path == path) return file.content;
    return read(path);
  };
  if (patch.files.empty()) return Error::make(ErrorKind::kInvalid, "it changes nothing that can be read");
  for (const FilePatch& file : patch.files) {
    const bool forward = direction == Direction::kForward;
    const std::string& from = forward ? file.old_path : file.new_path;
    const std::string& to = forward ? file.new_path : file.old_path;
    if (file.binary || file.renamed)
      return Error::make(ErrorKind::kInvalid, "it {} a file", file.binary ? "changes the bytes of" : "renames");
    const bool makes = from == kNoFile, removes = to == kNoFile;
    // As patch does: of two names the one that is there.
    std::optional<std::string> path = stripped_path(makes ? to : from, strip);
    std::optional<std::string> content;
    if (path) content = TRY(current(*path));
    if (!content && !makes && !removes && from != to) {
      if (const auto other = stripped_path(to, strip); other && other != path) {
        content = TRY(current(*other));
        if (content) path = other;
      }
    }
    if (!path) return Error::make(ErrorKind::kInvalid, "'{}' names no file in the source", makes ? to : from);
    ChangedFile changed{*path, {}};
    if (makes || removes) {
      changed.content = TRY(whole_file(file, direction, *path, makes, content));
    } else if (!content) {
      return Error::make(ErrorKind::kConflict, "there is no '{}'", *path);
    } else {
      changed.content = TRY(apply_hunks(file, direction, *path, *content, options));
    }
    std::erase_if(out, [&](const ChangedFile& old) { return old.path == changed.path; });
    out.push_back(std::move(changed));
  }
  return out;
}

}  // namespace nacre::watch
