#include "apk/index_file.h"

#include "apk/index_pieces.h"
#include "apk/segment.h"
#include "base/text.h"
#include "codec/gzip.h"

#include <algorithm>

namespace nacre::apk {
namespace {

constexpr std::size_t kMaxSignatureBytes = 64u << 10;

/// "K:value"; control characters become blanks, so that no value can pose as another line.
void add_line(std::string& out, char key, std::string_view value) {
  out += key;
  out += ':';
  const std::size_t from = out.size();
  out += value;
  std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(),
                  [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; }, ' ');
  out += '\n';
}

void add_text(std::string& out, char key, std::string_view value) {
  if (!value.empty()) add_line(out, key, value);
}

void add_number(std::string& out, char key, std::uint64_t value) {
  if (value != 0) add_line(out, key, std::to_string(value));
}

/// Cuts the stream into its first member, when that is a signature, and the rest.
struct Parts {
  std::string first, rest;        ///< Inflated.
  std::uint64_t first_end = 0;    ///< Compressed.
};
Result<Parts> inflate_parts(std::string_view bytes, std::uint64_t max_bytes) {
  Parts out;
  bool in_first = true;
  // A member ends with its size. It may lie: deflate makes at most 1,032 bytes of one.
  if (bytes.size() > 18) {
    std::uint32_t size = 0;
    for (std::size_t i = 1; i <= 4; ++i) size = size << 8 | static_cast<unsigned char>(bytes[bytes.size() - i]);
    out.rest.reserve(std::min<std::uint64_t>({size, max_bytes, std::uint64_t{bytes.size()} * 1032}));
  }
  codec::GzipReader reader({[&](std::string_view piece) -> Result<> {
                              (in_first ? out.first : out.rest).append(piece);
                              return {};
                            },
                            [&](std::size_t member, std::uint64_t end) -> Result<> {
                              if (member == 0) out.first_end = end;
                              in_first = false;
                              return {};
                            }},
                           max_bytes);
  auto done = reader.push(bytes);
  if (done) done = reader.finish();
  if (!done)
    return std::move(done).error().while_doing("reading the {} segment", in_first ? "first" : "index");
  return out;
}

Result<IndexText> take_apart(std::string_view bytes, std::uint64_t max_bytes) {
  if (bytes.starts_with("ADB"))
    return Error::make(ErrorKind::kInvalid, "it is an index of apk v3 (ADB), which nacre does not read")
        .hint("take the repository's APKINDEX.tar.gz; apk 3 reads and writes those, too");
  IndexText out;
  Parts parts = TRY(inflate_parts(bytes, max_bytes));
  // The name of the first entry stands at the very beginning of a tar.
  if (is_signature_name(std::string_view(parts.first).substr(0, 100))) {
    if (parts.first.size() > kMaxSignatureBytes)
      return Error::make(ErrorKind::kInvalid, "the signature segment has {} bytes", parts.first.size());
    const std::vector<SmallFile> files = TRY(read_files(parts.first));
    out.signatures = TRY(parse_signatures(files));
    out.signed_from = parts.first_end;
  } else {
    parts.first += parts.rest;
    parts.rest = std::move(parts.first);
  }
  out.archive = std::make_shared<const std::string>(std::move(parts.rest));
  const std::vector<FileView> files = TRY(view_files(*out.archive));
  bool found = false;
  for (const FileView& file : files) {
    if (file.name == "DESCRIPTION") {
      out.description = file.content;
    } else if (file.name == "APKINDEX") {
      out.text = file.content;
      found = true;
    } else {
      return Error::make(ErrorKind::kInvalid, "'{}' has no place in an index", file.name);
    }
  }
  if (!found) return Error::make(ErrorKind::kInvalid, "the archive holds no APKINDEX");
  return out;
}

}  // namespace

void append_record(std::string& out, const IndexRecord& record) {
  add_line(out, 'C', record.checksum);
  add_line(out, 'P', record.name);
  add_line(out, 'V', record.version);
  add_text(out, 'A', record.arch);
  add_number(out, 'S', record.size_bytes);
  add_number(out, 'I', record.installed_bytes);
  add_line(out, 'T', record.description);
  add_text(out, 'U', record.url);
  add_text(out, 'L', record.license);
  add_text(out, 'o', record.origin);
  add_text(out, 'm', record.maintainer);
  add_line(out, 't', std::to_string(record.built_at));
  add_text(out, 'c', record.commit);
  add_text(out, 'D', join(record.depends, " "));
  add_text(out, 'i', join(record.install_if, " "));
  add_text(out, 'p', join(record.provides, " "));
  add_number(out, 'k', record.provider_priority);
  out += '\n';
}

std::string write_index(const std::vector<IndexRecord>& records) {
  std::string out;
  for (const IndexRecord& record : records) append_record(out, record);
  return out;
}

Result<std::string> sign_index_member(const std::string& member, const SegmentSigner& signer) {
  if (!signer) return member;
  const SegmentSignature signature = TRY(signer(member), "signing the index");
  const std::string head = TRY(pack_signature(signature, 0));
  return head + member;
}

Result<std::string> pack_index(const std::vector<IndexRecord>& records, std::string_view description,
                               const SegmentSigner& signer) {
  const std::vector<codec::GzipPiece> pieces = index_pieces(records);
  std::vector<codec::GzipPieceView> text;
  for (const codec::GzipPiece& piece : pieces) text.push_back(codec::view_of(piece));
  const bool sorted = std::is_sorted(records.begin(), records.end(), comes_before);
  const std::string member =
      TRY(pack_pieces(text, description, sorted ? RecordOrder::kSorted : RecordOrder::kOther));
  return sign_index_member(member, signer);
}

Result<IndexSignatures> read_index_signatures(std::string_view bytes, std::string_view source) {
  IndexSignatures out;
  std::string first;
  std::uint64_t end = 0;
  codec::GzipReader reader({[&](std::string_view piece) -> Result<> {
                              if (end == 0) first += piece.substr(0, kMaxSignatureBytes + 1 - first.size());
                              return {};
                            },
                            [&](std::size_t member, std::uint64_t at) -> Result<> {
                              if (member == 0) end = at;
                              return {};
                            }},
                           kMaxIndexBytes);
  constexpr std::size_t kStep = 4096;
  for (std::size_t at = 0; at < bytes.size() && end == 0 && first.size() <= kMaxSignatureBytes; at += kStep)
    TRY(reader.push(bytes.substr(at, kStep)), "reading the index '{}'", source);
  if (!is_signature_name(std::string_view(first).substr(0, 100))) return out;
  if (end == 0 || first.size() > kMaxSignatureBytes)
    return Error::make(ErrorKind::kInvalid, "the index '{}' has a signature segment without an end", source);
  const std::vector<SmallFile> files = TRY(read_files(first), "reading the index '{}'", source);
  const std::vector<SignatureFile> signatures = TRY(parse_signatures(files), "reading the index '{}'", source);
  if (const SignatureFile* best = best_of(signatures)) out.best = *best;
  out.signed_from = end;
  return out;
}

Result<IndexText> unpack_index(std::string_view bytes, std::string_view source, std::uint64_t max_bytes) {
  IndexText out = TRY(take_apart(bytes, max_bytes), "reading the index '{}'", source);
  return out;
}

Result<IndexFile> read_index(std::string_view bytes, std::string_view source) {
  IndexText parts = TRY(unpack_index(bytes, source));
  IndexFile out;
  out.description = std::move(parts.description);
  if (const SignatureFile* best = best_of(parts.signatures)) {
    out.key_name = best->key_name;
    out.signature_kind = best->kind;
    out.signature_bytes = best->bytes;
  }
  out.signed_bytes = bytes.substr(parts.signed_from);
  out.records = TRY(parse_index(parts.text, source), "reading the index '{}'", source);
  return out;
}

}  // namespace nacre::apk
