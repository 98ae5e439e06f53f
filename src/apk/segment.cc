#include "apk/segment.h"

#include "base/encoding.h"
#include "base/tree_path.h"
#include "codec/digest.h"
#include "codec/gzip.h"

#include <algorithm>

namespace nacre::apk {
namespace {

constexpr std::size_t kBlock = 512;

/// Both spellings: 40 hexadecimal digits, or "Q1" and base64. The raw digest.
Result<std::string> parse_checksum(std::string_view text) {
  auto raw = text.starts_with("Q1") ? from_base64(text.substr(2)) : from_hex(text);
  if (!raw || raw->size() != 20)
    return Error::make(ErrorKind::kInvalid, "'{}' is no SHA-1 checksum", text.substr(0, 80));
  return raw;
}

}  // namespace

// ---- TarScanner ----

TarScanner::TarScanner(codec::TarReader::Visitor visitor, codec::TarLimits limits)
    : visitor_(std::move(visitor)),
      reader_({[this](const codec::TarHeader& header) { return on_entry(header); },
               [this](std::string_view bytes) {
                 return visitor_.on_data ? visitor_.on_data(bytes) : Result<>{};
               }},
              limits) {}

/// The header's last byte is the last one pushed, since push() stops at block borders between entries.
Result<> TarScanner::on_entry(const codec::TarHeader& header) {
  content_end_ = pushed_ + header.size + codec::tar_padding(header.size);
  trailing_ = 0;
  trailing_zeros_ = true;
  return visitor_.on_entry ? visitor_.on_entry(header) : Result<>{};
}

Result<> TarScanner::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const bool inside = pushed_ < content_end_;
    const std::uint64_t room = inside ? content_end_ - pushed_ : kBlock - pushed_ % kBlock;
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size()));
    const std::string_view piece = bytes.substr(0, take);
    bytes.remove_prefix(take);
    pushed_ += take;
    if (!inside) {
      trailing_ += take;
      trailing_zeros_ = trailing_zeros_ && piece.find_first_not_of('\0') == std::string_view::npos;
    }
    TRY(reader_.push(piece));
  }
  return {};
}

Result<> TarScanner::finish() {
  TRY(reader_.finish());
  if (trailing_ > 0 && !trailing_zeros_)
    return Error::make(ErrorKind::kInvalid, "tar has bytes that belong to no entry after its end");
  return {};
}

// ---- DataScanner ----

DataScanner::DataScanner(const codec::TarReader::Visitor* visitor, const ReadLimits& limits)
    : visitor_(visitor),
      check_entries_(limits.check_entries),
      scanner_({[this](const codec::TarHeader& header) { return on_entry(header); },
                [this](std::string_view bytes) { return on_data(bytes); }},
               {limits.max_entries, limits.max_data_bytes, 1u << 20}) {}

Result<> DataScanner::on_entry(const codec::TarHeader& given) {
  TRY(finish_file());
  if (given.path.starts_with('/'))
    return Error::make(ErrorKind::kInvalid, "'{}' is an absolute path", given.path);
  const TreePath path = TRY(TreePath::parse(given.path));
  if (path.is_root()) {
    if (given.type == '5') return {};
    return Error::make(ErrorKind::kInvalid, "an entry that is no directory has no name");
  }
  if (std::string_view("01234567").find(given.type) == std::string_view::npos)
    return Error::make(ErrorKind::kInvalid, "'{}' is of the unknown type {}", path.str(),
                       static_cast<int>(given.type));
  if (path.str() == ".PKGINFO" || is_signature_name(path.str()))
    return Error::make(ErrorKind::kInvalid, "'{}' stands in the data segment", path.str());
  if (!paths_.insert(path.str()).second)
    return Error::make(ErrorKind::kInvalid, "'{}' occurs twice", path.str());
  codec::TarHeader header = given;
  header.path = path.str();
  if (header.type == '7') header.type = '0';
  const auto checksum = header.pax.find(std::string(kChecksumKey));
  if (check_entries_ && checksum != header.pax.end() && (header.type == '0' || header.type == '2')) {
    expected_sha1_ = TRY(parse_checksum(checksum->second), "reading the entry '{}'", header.path);
    open_path_ = header.path;
    hasher_ = codec::Hasher(codec::HashKind::kSha1);
    if (header.type == '2') hasher_.update(header.link);
  }
  return visitor_ != nullptr && visitor_->on_entry ? visitor_->on_entry(header) : Result<>{};
}

Result<> DataScanner::on_data(std::string_view bytes) {
  if (!open_path_.empty()) hasher_.update(bytes);
  return visitor_ != nullptr && visitor_->on_data ? visitor_->on_data(bytes) : Result<>{};
}

Result<> DataScanner::finish_file() {
  if (open_path_.empty()) return {};
  const std::string found = hasher_.finish();
  const std::string path = std::exchange(open_path_, {});
  if (found == expected_sha1_) return {};
  return Error::make(ErrorKind::kInvalid, "'{}' has the SHA-1 {}, its header says {}", path,
                     to_hex(found), to_hex(expected_sha1_));
}

Result<> DataScanner::finish() {
  TRY(scanner_.finish());
  return finish_file();
}

// ---- small segments ----

Result<std::string> pack_files(const std::vector<SmallFile>& files, std::int64_t mtime,
                               std::string_view owner, Ending ending) {
  std::string tar;
  for (const SmallFile& file : files) {
    codec::TarHeader header;
    header.path = file.name;
    header.mode = file.mode;
    header.uname = header.gname = owner;
    header.size = file.content.size();
    header.mtime = mtime;
    tar += TRY(codec::tar_header(header));
    tar += file.content;
    tar.append(codec::tar_padding(file.content.size()), '\0');
  }
  if (ending == Ending::kZeroBlocks) tar += codec::tar_end();
  return codec::gzip(tar);
}

Result<std::vector<FileView>> view_files(std::string_view tar) {
  std::vector<FileView> files;
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    if (header.type != '0')
      return Error::make(ErrorKind::kInvalid, "'{}' is no regular file", header.path);
    for (const FileView& file : files)
      if (file.name == header.path)
        return Error::make(ErrorKind::kInvalid, "'{}' occurs twice", header.path);
    files.push_back({header.path, {}, {header.mode, header.uid, header.gid, header.uname, header.gname}});
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) -> Result<> {
    std::string_view& content = files.back().content;
    if (content.empty()) content = bytes;
    else if (content.data() + content.size() == bytes.data()) content = {content.data(), content.size() + bytes.size()};
    else return Error::make(ErrorKind::kInternal, "the archive was not read in one piece");
    return {};
  };
  TarScanner scanner(std::move(visitor), {100, tar.size(), 1u << 16});
  TRY(scanner.push(tar));
  TRY(scanner.finish());
  return files;
}

Result<std::vector<SmallFile>> read_files(std::string_view tar) {
  const std::vector<FileView> views = TRY(view_files(tar));
  std::vector<SmallFile> out;
  for (const FileView& view : views) out.push_back({view.name, std::string(view.content), view.as.mode, view.as});
  return out;
}

// ---- signatures ----

bool is_signature_name(std::string_view name) { return name.starts_with(".SIGN."); }

Result<SignatureFile> parse_signature_file(const SmallFile& file) {
  const std::string_view rest = std::string_view(file.name).substr(6);
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == rest.size() ||
      rest.find('/') != std::string_view::npos)
    return Error::make(ErrorKind::kInvalid, "expected '.SIGN.KIND.KEY', got '{}'", file.name);
  if (file.content.empty() || file.content.size() > 8192)
    return Error::make(ErrorKind::kInvalid, "the signature '{}' has {} bytes", file.name,
                       file.content.size());
  return SignatureFile{std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1)),
                       file.content};
}

Result<std::vector<SignatureFile>> parse_signatures(const std::vector<SmallFile>& files) {
  std::vector<SignatureFile> out;
  for (const SmallFile& file : files) {
    if (!is_signature_name(file.name))
      return Error::make(ErrorKind::kInvalid, "'{}' stands beside a signature", file.name);
    out.push_back(TRY(parse_signature_file(file)));
  }
  return out;
}

const SignatureFile* best_of(const std::vector<SignatureFile>& signatures) {
  const auto weaker = [](const SignatureFile& a, const SignatureFile& b) {
    const auto rank = [](std::string_view kind) { return kind == "RSA256" ? 2 : kind == "RSA" ? 1 : 0; };
    return rank(a.kind) < rank(b.kind);
  };
  const auto best = std::max_element(signatures.begin(), signatures.end(), weaker);
  return best == signatures.end() ? nullptr : &*best;
}

Result<std::string> pack_signature(const SegmentSignature& signature, std::int64_t mtime) {
  const SmallFile file{".SIGN.RSA256." + signature.key_name, signature.signature};
  TRY(parse_signature_file(file));
  return pack_files({file}, mtime, "root", Ending::kOpen);
}

}  // namespace nacre::apk
