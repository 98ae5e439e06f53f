#include "package/forbidden.h"

#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace nacre::package {
namespace {

constexpr std::size_t kLeastBytes = 4;
constexpr std::size_t kBlocks = 1u << 16, kBuckets = 1u << 10;

std::size_t block_at(std::string_view bytes, std::size_t last) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[last - 1])) << 8 |
         static_cast<unsigned char>(bytes[last]);
}
std::size_t bucket_of(std::size_t block) { return (block * 40503u >> 4) % kBuckets; }

/// The letters of base64 that the value alone decides, when `before` bytes stand before it.
std::string base64_core(std::string_view value, std::size_t before) {
  const std::string all = to_base64(std::string(before, '\0') + std::string(value));
  const std::size_t skip = (before * 8 + 5) / 6, whole = (before + value.size()) * 8 / 6;
  return all.substr(skip, whole - skip);
}

std::string url_alphabet(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

/// "%2F" -> "%2f".
std::string lower_escapes(std::string text) {
  for (std::size_t i = 0; i + 2 < text.size(); ++i)
    if (text[i] == '%')
      for (const std::size_t at : {i + 1, i + 2})
        if (text[at] >= 'A' && text[at] <= 'F') text[at] = static_cast<char>(text[at] - 'A' + 'a');
  return text;
}

void add_forms(const std::string& value, std::set<std::string>& out) {
  out.insert(value);
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string core = base64_core(value, before);
    if (core.size() < kLeastBytes) continue;
    out.insert(core);
    out.insert(url_alphabet(core));
  }
  const std::string percent = percent_encode(value);
  out.insert(percent);
  out.insert(lower_escapes(percent));
  out.insert(replace_all(percent, "%20", "+"));
}

}  // namespace

Result<ForbiddenValues> ForbiddenValues::of(const std::vector<std::string>& values) {
  std::set<std::string> forms;
  for (const std::string& given : values) {
    std::string value = given;
    while (value.ends_with('\n') || value.ends_with('\r')) value.pop_back();
    if (value.empty()) continue;
    if (value.size() < kLeastBytes)
      return Error::make(ErrorKind::kInvalid, "a secret of {} bytes is too short to be looked for in packages",
                         value.size())
          .hint(fmt::format("use one of {} bytes or more", kLeastBytes));
    add_forms(value, forms);
  }
  ForbiddenValues out;
  if (forms.empty()) return out;
  out.patterns_.assign(forms.begin(), forms.end());
  const auto by_size = [](const std::string& a, const std::string& b) { return a.size() < b.size(); };
  out.shortest_ = std::min_element(forms.begin(), forms.end(), by_size)->size();
  out.longest_ = std::max_element(forms.begin(), forms.end(), by_size)->size();
  out.shifts_.assign(kBlocks, static_cast<std::uint16_t>(std::min<std::size_t>(out.shortest_ - 1, 65'535)));
  out.by_block_.resize(kBuckets);
  for (std::uint32_t i = 0; i < out.patterns_.size(); ++i) {
    for (std::size_t last = 1; last < out.shortest_; ++last) {
      std::uint16_t& shift = out.shifts_[block_at(out.patterns_[i], last)];
      shift = std::min(shift, static_cast<std::uint16_t>(std::min<std::size_t>(out.shortest_ - 1 - last, 65'535)));
    }
    out.by_block_[bucket_of(block_at(out.patterns_[i], out.shortest_ - 1))].push_back(i);
  }
  return out;
}

bool ForbiddenValues::matches_at(std::string_view bytes, std::size_t last) const {
  const std::size_t start = last + 1 - shortest_;
  for (const std::uint32_t i : by_block_[bucket_of(block_at(bytes, last))])
    if (bytes.substr(start).starts_with(patterns_[i])) return true;
  return false;
}

bool ForbiddenValues::found_in(std::string_view bytes) const {
  if (patterns_.empty()) return false;
  for (std::size_t last = shortest_ - 1; last < bytes.size();) {
    const std::uint16_t shift = shifts_[block_at(bytes, last)];
    if (shift == 0 && matches_at(bytes, last)) return true;
    last += std::max<std::uint16_t>(shift, 1);
  }
  return false;
}

bool ForbiddenValues::Stream::found_in(std::string_view piece) {
  if (values_->empty()) return false;
  const std::size_t keep = values_->longest_ - 1;
  if (!tail_.empty()) {
    tail_.append(piece.substr(0, keep));
    if (values_->found_in(tail_)) return true;
  }
  if (piece.size() >= keep)
    tail_ = piece.substr(piece.size() - keep);
  else if (tail_.empty())
    tail_ = piece;
  else if (tail_.size() > keep)
    tail_.erase(0, tail_.size() - keep);
  return values_->found_in(piece);
}

}  // namespace nacre::package
