#include <algorithm>

#include "base/little_endian.h"
#include "codec/json.h"
#include "package/use.h"

namespace nacre::package {
namespace {

using codec::Json;

constexpr int kUseVersion = 3, kUseWithoutPlaces = 2, kUseWithoutFiles = 1;

void put_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7f) | 0x80);
  out += static_cast<char>(number);
}

/// Ascending numbers: how many, the first, and by how much each is more than the one before.
void put_ascending(std::string& out, std::span<const std::uint32_t> numbers) {
  put_number(out, numbers.size());
  std::uint32_t before = 0;
  for (const std::uint32_t number : numbers) {
    put_number(out, number - before);
    before = number;
  }
}

/// What was put, again; `good` becomes false where it cannot be that.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool good = true;
  bool at_end() const { return in_.empty(); }

  /// Less than `end`.
  std::uint32_t number(std::uint64_t end) {
    std::uint64_t out = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (in_.empty() || shift > 35) return fail();
      const unsigned char byte = static_cast<unsigned char>(in_[0]);
      in_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift > 0) return fail();
        break;
      }
    }
    return out < end ? static_cast<std::uint32_t>(out) : fail();
  }

  /// Appends ascending numbers, each less than `end`.
  void ascending(std::uint64_t end, std::vector<std::uint32_t>& out) {
    const std::uint32_t count = number(in_.size() + 1);
    std::uint64_t last = 0;
    for (std::uint32_t i = 0; i < count && good; ++i) {
      const std::uint64_t more = number(end - last);
      if (i > 0 && more == 0) fail();
      last += more;
      out.push_back(static_cast<std::uint32_t>(last));
    }
  }

 private:
  std::uint32_t fail() {
    good = false;
    in_ = {};
    return 0;
  }
  std::string_view in_;
};

void put_file(std::string& out, const UseFile& file) {
  put_number(out, (file.script ? 1u : 0u) | (file.unit ? 2u : 0u) | (file.computed ? 4u : 0u) |
                      (file.pastes ? 8u : 0u) | (file.asks ? 16u : 0u) | (file.told ? 32u : 0u));
  put_number(out, file.includes.size());
  for (const UseInclude& include : file.includes) {
    put_number(out, std::uint64_t{include.path} << 2 | (include.always ? 2u : 0u) | (include.own ? 1u : 0u));
    put_ascending(out, include.files);
  }
  if (!file.told) return;
  put_ascending(out, file.defines);
  put_ascending(out, file.ahead);
  put_ascending(out, file.between);
}

/// What the numbers in a blob count.
struct Counts {
  std::size_t words, paths, files, bytes;
  bool places;  ///< Of the form that may tell what stands between #includes.
};

UseFile read_file(Reader& in, const Counts& counts) {
  UseFile out;
  const std::uint32_t flags = in.number(counts.places ? 64 : 32);
  out.script = (flags & 1) != 0;
  out.unit = (flags & 2) != 0;
  out.computed = (flags & 4) != 0;
  out.pastes = (flags & 8) != 0;
  out.asks = (flags & 16) != 0;
  out.told = (flags & 32) != 0;
  const std::uint32_t count = in.number(counts.bytes);
  for (std::uint32_t i = 0; i < count && in.good; ++i) {
    UseInclude include;
    const std::uint32_t number = in.number(std::uint64_t{counts.paths} << 2);
    include.path = number >> 2;
    include.always = (number & 2) != 0;
    include.own = (number & 1) != 0;
    in.ascending(counts.files, include.files);
    out.includes.push_back(std::move(include));
  }
  if (!out.told) return out;
  in.ascending(counts.words, out.defines);
  in.ascending(counts.words, out.ahead);
  in.ascending(counts.words, out.between);
  return out;
}

Result<> read_files(std::string_view bytes, const Json& head, Use& out) {
  out.includes = head["includes"].as_strings();
  out.paste_patterns = head["pastePatterns"].as_strings();
  out.near = head["near"].as_strings();
  out.taken = head["taken"].as_strings();
  if (!std::is_sorted(out.includes.begin(), out.includes.end()))
    return Error::make(ErrorKind::kInvalid, "paths that are not in order");
  const std::int64_t files = head["files"].as_int();
  Reader in(bytes);
  if (files < 1 || static_cast<std::uint64_t>(files) > bytes.size())
    return Error::make(ErrorKind::kInvalid, "{} files in {} bytes", files, bytes.size());
  const Counts counts = {out.words.size(), out.includes.size(), static_cast<std::size_t>(files), bytes.size(),
                         head["use"].as_int() == kUseVersion};
  for (std::int64_t i = 0; i < files && in.good; ++i) out.files.push_back(read_file(in, counts));
  for (std::size_t i = 0; i < out.words.size() && in.good; ++i) {
    out.where_begin.push_back(static_cast<std::uint32_t>(out.where.size()));
    in.ascending(static_cast<std::size_t>(files), out.where);
  }
  out.where_begin.push_back(static_cast<std::uint32_t>(out.where.size()));
  for (std::size_t i = 0; i < out.numbers.size() && in.good; ++i)
    in.ascending(out.near.size(), out.near_number.emplace_back());
  in.ascending(out.near.size(), out.by_variable);
  if (!in.good || !in.at_end()) return Error::make(ErrorKind::kInvalid, "files and places that make no sense");
  return {};
}

}  // namespace

std::string use_to_bytes(const Use& use) {
  Json head = Json::object();
  head.set("use", kUseVersion).set("words", use.words.size()).set("lines", use.lines);
  head.set("computedIncludes", use.computed_includes).set("pastes", use.pastes).set("asksVersions", use.asks_versions);
  head.set("linksStatic", use.links_static);
  head.set("whole", use.whole).set("versions", Json::strings(use.versions)).set("numbers", Json::strings(use.numbers));
  head.set("files", use.files.size()).set("includes", Json::strings(use.includes));
  head.set("pastePatterns", Json::strings(use.paste_patterns));
  head.set("near", Json::strings(use.near)).set("taken", Json::strings(use.taken));
  std::string out = codec::to_json(head) + "\n";
  for (const std::uint64_t word : use.words) append_little_endian(out, word, 8);
  for (const UseFile& file : use.files) put_file(out, file);
  for (const std::uint64_t word : use.words) put_ascending(out, use.files_of(word));
  for (const std::vector<std::uint32_t>& words : use.near_number) put_ascending(out, words);
  put_ascending(out, use.by_variable);
  return out;
}

Result<Use> use_from_bytes(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return Error::make(ErrorKind::kInvalid, "no first line");
  const Json head = TRY(codec::parse_json(bytes.substr(0, end), "what a build uses"));
  const std::int64_t form = head["use"].as_int();
  if (form != kUseVersion && form != kUseWithoutPlaces && form != kUseWithoutFiles)
    return Error::make(ErrorKind::kInvalid, "form {} of what a build uses, not {}", form, kUseVersion);
  Use out;
  out.lines = head["lines"].as_bool();
  out.computed_includes = head["computedIncludes"].as_bool();
  out.pastes = head["pastes"].as_bool();
  out.asks_versions = head["asksVersions"].as_bool();
  out.links_static = head["linksStatic"].as_bool();
  out.whole = head["whole"].as_string();
  out.versions = head["versions"].as_strings();
  out.numbers = head["numbers"].as_strings();
  std::string_view rest = bytes.substr(end + 1);
  const std::int64_t count = head["words"].as_int();
  if (count < 0 || static_cast<std::uint64_t>(count) > rest.size() / 8)
    return Error::make(ErrorKind::kInvalid, "{} bytes, not 8 for each of {} words", rest.size(), count);
  const std::string_view words = rest.substr(0, static_cast<std::size_t>(count) * 8);
  rest.remove_prefix(words.size());
  for (std::size_t i = 0; i < words.size(); i += 8) {
    std::uint64_t word = 0;
    for (std::size_t j = 8; j-- > 0;) word = word << 8 | static_cast<unsigned char>(words[i + j]);
    if (!out.words.empty() && word <= out.words.back())
      return Error::make(ErrorKind::kInvalid, "words that are not in order");
    out.words.push_back(word);
  }
  if (form == kUseWithoutFiles) {
    if (!rest.empty()) return Error::make(ErrorKind::kInvalid, "{} bytes behind the words", rest.size());
    if (out.pastes) out.paste_patterns = {std::string(kAnyPaste)};
    out.put_all_together();
    out.near = {"*"};
    out.near_number.assign(out.numbers.size(), {0});
    return out;
  }
  TRY(read_files(rest, head, out));
  return out;
}

}  // namespace nacre::package
