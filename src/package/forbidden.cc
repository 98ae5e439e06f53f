#include "package/forbidden.h"

#include <algorithm>
#include <map>

namespace nacre::package {
namespace {

constexpr std::size_t kBlocks = 1u << 16, kBuckets = 1u << 10;

std::size_t block_at(std::string_view bytes, std::size_t last) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[last - 1])) << 8 |
         static_cast<unsigned char>(bytes[last]);
}
std::size_t bucket_of(std::size_t block) { return (block * 40503u >> 4) % kBuckets; }

}  // namespace

Result<ForbiddenValues> ForbiddenValues::of(std::span<const build::Secret> secrets) {
  std::map<std::string, std::string> forms;
  for (const build::Secret& secret : secrets) {
    std::vector<std::string> own = build::forms_of(secret.value);
    if (own.empty())
      return Error::make(ErrorKind::kInvalid, "the secret '{}' is too short to be looked for in packages", secret.name)
          .hint("use one of 8 bytes or more");
    for (std::string& form : own) forms.emplace(std::move(form), secret.name);
  }
  ForbiddenValues out;
  if (forms.empty()) return out;
  for (const auto& [form, name] : forms) {
    out.patterns_.push_back(form);
    out.names_.push_back(name);
  }
  out.by_size_ = out.patterns_;
  std::stable_sort(out.by_size_.begin(), out.by_size_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  out.longest_ = out.by_size_.front().size();
  out.shortest_ = out.by_size_.back().size();
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

const std::string* ForbiddenValues::match_at(std::string_view bytes, std::size_t last) const {
  const std::size_t start = last + 1 - shortest_;
  for (const std::uint32_t i : by_block_[bucket_of(block_at(bytes, last))])
    if (bytes.substr(start).starts_with(patterns_[i])) return &names_[i];
  return nullptr;
}

const std::string* ForbiddenValues::found_in(std::string_view bytes) const {
  if (patterns_.empty()) return nullptr;
  for (std::size_t last = shortest_ - 1; last < bytes.size();) {
    const std::uint16_t shift = shifts_[block_at(bytes, last)];
    if (shift == 0)
      if (const std::string* name = match_at(bytes, last)) return name;
    last += std::max<std::uint16_t>(shift, 1);
  }
  return nullptr;
}

const std::string* ForbiddenValues::Stream::found_in(std::string_view piece) {
  if (values_->empty()) return nullptr;
  const std::size_t keep = values_->longest_ - 1;
  if (!tail_.empty()) {
    tail_.append(piece.substr(0, keep));
    if (const std::string* name = values_->found_in(tail_)) return name;
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
