#include "store/bucket_answers.h"

#include "base/number.h"
#include "base/text.h"
#include "os/rfc3339.h"

#include <array>
#include <optional>
#include <utility>

namespace nacre::store {
namespace {

constexpr std::size_t kMaxSaid = 300;

/// Content of the first element `name` in `xml`, as it stands; what follows it is left in `rest`.
std::optional<std::string_view> element(std::string_view xml, std::string_view name, std::string_view* rest = nullptr) {
  const std::string open = fmt::format("<{}", name), close = fmt::format("</{}>", name);
  for (std::size_t at = xml.find(open); at != xml.npos; at = xml.find(open, at + 1)) {
    const std::size_t after = at + open.size();
    if (after >= xml.size()) return std::nullopt;
    // "<Key" of "<KeyCount>" is another element's.
    if (std::string_view("> \t\r\n/").find(xml[after]) == std::string_view::npos) continue;
    const std::size_t begin = xml.find('>', after);
    if (begin == xml.npos) return std::nullopt;
    if (xml[begin - 1] == '/') {
      if (rest != nullptr) *rest = xml.substr(begin + 1);
      return std::string_view();
    }
    const std::size_t end = xml.find(close, begin + 1);
    if (end == xml.npos) return std::nullopt;
    if (rest != nullptr) *rest = xml.substr(end + close.size());
    return xml.substr(begin + 1, end - begin - 1);
  }
  return std::nullopt;
}

/// Text of an element: the five entities that XML has and characters by number below 0x80; keys of ours need no others.
Result<std::string> text_of(std::string_view raw) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '<') return Error::make(ErrorKind::kInvalid, "an element stands where text was expected");
    if (raw[i] != '&') {
      out += raw[i];
      continue;
    }
    const std::size_t end = raw.substr(0, std::min(raw.size(), i + 10)).find(';', i);
    const std::string_view name = end == raw.npos ? std::string_view() : raw.substr(i + 1, end - i - 1);
    std::optional<char> means;
    for (const auto& [entity, c] : kEntities)
      if (entity == name) means = c;
    if (name.starts_with('#')) {
      const auto number = whole_number<unsigned>(name.substr(1));
      if (number && *number > 0 && *number < 0x80) means = static_cast<char>(*number);
    }
    if (!means) return Error::make(ErrorKind::kInvalid, "a character is written in a way that is not understood");
    out += *means;
    i = end;
  }
  return out;
}

Result<std::string> needed(std::string_view xml, std::string_view name) {
  const auto raw = element(xml, name);
  if (!raw) return Error::make(ErrorKind::kInvalid, "the element '{}' is missing", name);
  return text_of(*raw);
}

/// "2026-11-29T12:30:00.000Z"
Result<std::int64_t> time_of(const std::string& text) {
  if (const auto seconds = os::parse_rfc3339(text)) return *seconds;
  return Error::make(ErrorKind::kInvalid, "expected a time such as 2026-11-29T12:30:00.000Z");
}

Result<ListedObject> object_of(std::string_view xml) {
  ListedObject out;
  out.key = TRY(needed(xml, "Key"));
  const std::string size = TRY(needed(xml, "Size"));
  const auto bytes = whole_number<std::uint64_t>(size);
  if (!bytes) return Error::make(ErrorKind::kInvalid, "the size of an object is no number");
  out.size = *bytes;
  const std::string modified = TRY(needed(xml, "LastModified"));
  out.modified = TRY(time_of(modified));
  return out;
}

}  // namespace

Result<ObjectPage> read_object_page(std::string_view xml) {
  if (xml.find("<!") != xml.npos)
    return Error::make(ErrorKind::kInvalid, "a list of objects has neither document type nor comments");
  const auto list = element(xml, "ListBucketResult");
  if (!list) return Error::make(ErrorKind::kInvalid, "expected a list of objects (ListBucketResult)");
  ObjectPage out;
  std::string_view rest = *list;
  while (const auto contents = element(rest, "Contents", &rest)) {
    if (out.objects.size() == kMaxObjectsOnPage)
      return Error::make(ErrorKind::kInvalid, "more than {} objects on one page", kMaxObjectsOnPage);
    out.objects.push_back(TRY(object_of(*contents)));
  }
  const std::string more = TRY(needed(*list, "IsTruncated"));
  if (more != "true" && more != "false")
    return Error::make(ErrorKind::kInvalid, "IsTruncated is neither true nor false");
  if (more == "false") return out;
  out.next = TRY(needed(*list, "NextContinuationToken"));
  if (out.next.empty()) return Error::make(ErrorKind::kInvalid, "there are more objects, but no way to ask for them");
  return out;
}

std::string read_s3_error(std::string_view xml) {
  const auto error = element(xml, "Error");
  if (!error) return {};
  std::string out;
  for (const char* name : {"Code", "Message"}) {
    const auto raw = element(*error, name);
    if (!raw || raw->empty()) continue;
    const auto text = text_of(*raw);
    if (!text) continue;
    out += (out.empty() ? "" : ": ") + *text;
  }
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  return out.substr(0, kMaxSaid);
}

}  // namespace nacre::store
