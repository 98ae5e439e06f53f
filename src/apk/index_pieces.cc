#include "apk/index_pieces.h"

#include "apk/index_file.h"
#include "apk/segment.h"
#include "apk/version.h"

#include <algorithm>
#include <set>

namespace nacre::apk {
namespace {

constexpr std::size_t kRecordsInPiece = 64;  ///< On average; a power of two.
constexpr std::size_t kTarBlock = 512;

/// Whether a piece begins with a record of this name: by the name alone, so that an edit moves no other cut.
bool cuts(std::string_view name) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a, whose last letters reach few bits: mixed once more
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  return (hash >> 32) % kRecordsInPiece == 0;
}

/// Tar entry of a file of this size, without its content.
Result<std::string> entry_head(std::string_view name, std::uint64_t size) {
  codec::TarHeader header;
  header.path = name;
  header.mode = 0644;
  header.size = size;
  return codec::tar_header(header);
}

std::string padding_of(std::uint64_t size) { return std::string(codec::tar_padding(size), '\0'); }

/// The value of line "P:" of the first record in a text that may be cut off; nothing when it is not whole.
std::optional<std::string> name_in(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return std::nullopt;
    if (text.starts_with("P:")) return std::string(text.substr(2, end - 2));
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

bool comes_before(const IndexRecord& a, const IndexRecord& b) {
  if (a.name != b.name) return a.name < b.name;
  const auto order = compare_versions(a.version, b.version);
  if (order != 0) return order < 0;
  if (a.version != b.version) return a.version < b.version;
  return a.arch != b.arch ? a.arch < b.arch : a.checksum < b.checksum;
}

std::vector<codec::GzipPiece> index_pieces(std::span<const IndexRecord> records) {
  std::vector<std::string> texts;
  std::vector<std::uint32_t> counts;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i == 0 || (records[i].name != records[i - 1].name && cuts(records[i].name))) {
      texts.emplace_back();
      counts.push_back(0);
    }
    append_record(texts.back(), records[i]);
    ++counts.back();
  }
  std::vector<codec::GzipPiece> out =
      codec::deflate_pieces(std::vector<std::string_view>(texts.begin(), texts.end()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i].items = counts[i];
  return out;
}

Result<std::string> pack_pieces(std::span<const codec::GzipPieceView> text, std::string_view description,
                                RecordOrder order) {
  std::uint64_t size = 0;
  for (const codec::GzipPieceView& piece : text) size += piece.size;
  const std::string head = TRY(entry_head("APKINDEX", size));
  std::string tail = padding_of(size);
  tail += TRY(entry_head("DESCRIPTION", description.size()));
  tail += description;
  tail += padding_of(description.size());
  tail += codec::tar_end();
  const std::vector<std::string_view> around = {head, tail};
  const std::vector<codec::GzipPiece> ends = codec::deflate_pieces(around);
  std::vector<codec::GzipPieceView> all = {codec::view_of(ends[0])};
  all.insert(all.end(), text.begin(), text.end());
  all.push_back(codec::view_of(ends[1]));
  return codec::join_pieces(all, order == RecordOrder::kSorted ? codec::PieceTable::kYes : codec::PieceTable::kNo);
}

Result<std::optional<IndexPieces>> IndexPieces::open(std::string_view member, std::string_view source) {
  std::optional<IndexPieces> out;
  auto pieces = codec::split_pieces(member);
  if (!pieces || pieces->size() < 2) return out;
  std::uint64_t size = 0;
  for (const codec::GzipPieceView& piece : *pieces) size += piece.size;
  if (size > kMaxIndexBytes) return out;
  // Head and tail as they are written for this text, or it is somebody else's table.
  const std::uint64_t text_size = size - pieces->front().size - pieces->back().size;
  const std::string head = TRY(codec::inflate_piece(pieces->front()), "reading the index '{}'", source);
  const std::string tail = TRY(codec::inflate_piece(pieces->back()), "reading the index '{}'", source);
  const std::string wanted = TRY(entry_head("APKINDEX", text_size));
  if (head != wanted) return out;
  const std::vector<FileView> files = TRY(view_files(std::string_view(tail).substr(
      std::min(tail.size(), padding_of(text_size).size()))), "reading the index '{}'", source);
  if (files.size() != 1 || files[0].name != "DESCRIPTION") return out;
  out.emplace();
  out->source_ = source;
  out->description_ = files[0].content;
  out->text_.assign(pieces->begin() + 1, pieces->end() - 1);
  return out;
}

std::uint64_t IndexPieces::record_count() const {
  std::uint64_t out = 0;
  for (const codec::GzipPieceView& piece : text_) out += piece.items;
  return out;
}

Result<std::string> IndexPieces::first_name(std::size_t piece) {
  if (const auto known = first_names_.find(piece); known != first_names_.end()) return known->second;
  for (std::size_t room = kTarBlock;; room *= 4) {
    const std::string text = TRY(codec::inflate_beginning(text_[piece], room), "reading the index '{}'", source_);
    if (auto name = name_in(text)) {
      first_names_[piece] = *name;
      return *std::move(name);
    }
    if (room >= text_[piece].size)
      return Error::make(ErrorKind::kInvalid, "the index '{}' has a piece without a package", source_);
  }
}

/// The last piece that begins with this name or one before it; the first when there is none.
Result<std::size_t> IndexPieces::piece_of(std::string_view name) {
  std::size_t low = 0, high = text_.size();
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    const std::string first = TRY(first_name(middle));
    (first <= name ? low : high) = middle;
  }
  return low;
}

Result<std::vector<IndexRecord>> IndexPieces::records_in(std::size_t piece) const {
  const std::string text = TRY(codec::inflate_piece(text_[piece]), "reading the index '{}'", source_);
  return parse_index(text, source_);
}

Result<std::vector<IndexRecord>> IndexPieces::named(std::string_view name) {
  std::vector<IndexRecord> out;
  if (text_.empty()) return out;
  const std::size_t piece = TRY(piece_of(name));
  out = TRY(records_in(piece));
  std::erase_if(out, [&](const IndexRecord& record) { return record.name != name; });
  return out;
}

Result<std::string> IndexPieces::edited(std::span<const IndexRecord> added, std::span<const IndexRecord> removed,
                                        const SegmentSigner& signer) {
  std::set<std::size_t> touched;
  for (const IndexRecord& record : added) {
    const std::size_t piece = TRY(piece_of(record.name));
    touched.insert(piece);
  }
  for (const IndexRecord& record : removed) {
    const std::size_t piece = TRY(piece_of(record.name));
    touched.insert(piece);
    // Without the record that it begins with, a piece is the end of the one before.
    if (piece > 0) touched.insert(piece - 1);
  }
  std::multiset<IndexRecord, bool (*)(const IndexRecord&, const IndexRecord&)> gone(removed.begin(), removed.end(),
                                                                                     comes_before);
  std::vector<IndexRecord> come(added.begin(), added.end());
  std::sort(come.begin(), come.end(), comes_before);
  auto next = come.begin();
  std::vector<codec::GzipPiece> made;
  struct Slot {
    std::size_t made = 0;
    const codec::GzipPieceView* kept = nullptr;
  };
  std::vector<Slot> slots;
  // Pieces that touch each other are one text: cuts between them may go and come.
  const auto write = [&](std::vector<IndexRecord> records, const std::string* end) {
    for (; next != come.end() && (end == nullptr || next->name < *end); ++next) records.push_back(std::move(*next));
    std::sort(records.begin(), records.end(), comes_before);
    for (codec::GzipPiece& piece : index_pieces(records)) {
      slots.push_back({made.size(), nullptr});
      made.push_back(std::move(piece));
    }
  };
  if (text_.empty()) write({}, nullptr);
  for (std::size_t i = 0; i < text_.size();) {
    if (!touched.contains(i)) {
      slots.push_back({0, &text_[i++]});
      continue;
    }
    std::vector<IndexRecord> records;
    for (; i < text_.size() && touched.contains(i); ++i) {
      std::vector<IndexRecord> some = TRY(records_in(i));
      for (IndexRecord& record : some)
        if (const auto found = gone.find(record); found != gone.end()) gone.erase(found);
        else records.push_back(std::move(record));
    }
    if (i == text_.size()) {
      write(std::move(records), nullptr);
    } else {
      const std::string end = TRY(first_name(i));
      write(std::move(records), &end);
    }
  }
  if (!gone.empty())
    return Error::make(ErrorKind::kInternal, "the index '{}' has no {}-{} to remove", source_, gone.begin()->name,
                       gone.begin()->version);
  std::vector<codec::GzipPieceView> text;
  for (const Slot& slot : slots) text.push_back(slot.kept != nullptr ? *slot.kept : codec::view_of(made[slot.made]));
  const std::string member = TRY(pack_pieces(text, description_, RecordOrder::kSorted));
  return sign_index_member(member, signer);
}

}  // namespace nacre::apk
