#include "package/elf.h"

#include "base/text.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>

namespace nacre::package {
namespace {

constexpr std::size_t kMaxSymbols = 2'000'000;
constexpr std::size_t kMaxDynamic = 4096;
constexpr std::size_t kMaxVersions = 65'536;

/// Bounds-checked view of the file in its own byte order.
class Reader {
 public:
  Reader(std::string_view bytes, bool swap) : bytes_(bytes), swap_(swap) {}

  Result<std::string_view> slice(std::uint64_t offset, std::uint64_t size, const char* what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset)
      return Error::make(ErrorKind::kInvalid, "ELF {} leads outside the file ({} bytes at {} of {})",
                         what, size, offset, bytes_.size());
    return bytes_.substr(offset, size);
  }
  template <class Int>
  Int number(Int value) const {
    if (!swap_) return value;
    std::make_unsigned_t<Int> in, out = 0;
    std::memcpy(&in, &value, sizeof in);
    for (std::size_t i = 0; i < sizeof in; ++i, in = static_cast<decltype(in)>(in >> 8))
      out = static_cast<decltype(out)>(out << 8 | (in & 0xff));
    return static_cast<Int>(out);
  }

 private:
  std::string_view bytes_;
  bool swap_;
};

template <class T>
T record_at(std::string_view table, std::uint64_t offset) {
  T out{};
  if (offset <= table.size() && sizeof out <= table.size() - offset)
    std::memcpy(&out, table.data() + offset, sizeof out);
  return out;
}

std::string_view text_at(std::string_view strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  const std::string_view rest = strings.substr(offset);
  return rest.substr(0, std::min(rest.find('\0'), rest.size()));
}

/// The types of one class of file.
struct Wide {
  using Ehdr = Elf64_Ehdr;
  using Phdr = Elf64_Phdr;
  using Shdr = Elf64_Shdr;
  using Dyn = Elf64_Dyn;
  using Sym = Elf64_Sym;
};
struct Narrow {
  using Ehdr = Elf32_Ehdr;
  using Phdr = Elf32_Phdr;
  using Shdr = Elf32_Shdr;
  using Dyn = Elf32_Dyn;
  using Sym = Elf32_Sym;
};

struct Segment {
  std::uint32_t type = 0, flags = 0;
  std::uint64_t offset = 0, address = 0, size = 0;
};
struct Section {
  std::uint32_t name = 0, type = 0, link = 0, count = 0;
  std::uint64_t offset = 0, size = 0;
};

template <class Class>
class Parser {
 public:
  Parser(std::string_view bytes, Elf& elf)
      : file_(bytes, elf.big_endian), elf_(elf), head_(record_at<typename Class::Ehdr>(bytes, 0)) {}

  Result<> read(ElfParts parts) {
    elf_.type = n(head_.e_type);
    elf_.machine = n(head_.e_machine);
    TRY(list_segments());
    TRY(list_sections());
    TRY(read_segments());
    TRY(read_sections());
    if (parts == ElfParts::kWithSymbols) TRY(read_symbols());
    return {};
  }

 private:
  template <class Int>
  Int n(Int value) const { return file_.number(value); }

  Result<> list_segments() {
    const std::size_t count = n(head_.e_phnum);
    if (count == 0) return {};
    if (n(head_.e_phentsize) != sizeof(typename Class::Phdr))
      return Error::make(ErrorKind::kInvalid, "ELF program headers have {} bytes, expected {}",
                         n(head_.e_phentsize), sizeof(typename Class::Phdr));
    const std::string_view table =
        TRY(file_.slice(n(head_.e_phoff), count * sizeof(typename Class::Phdr), "program header table"));
    for (std::size_t i = 0; i < count; ++i) {
      const auto raw = record_at<typename Class::Phdr>(table, i * sizeof(typename Class::Phdr));
      segments_.push_back({n(raw.p_type), n(raw.p_flags), n(raw.p_offset), n(raw.p_vaddr), n(raw.p_filesz)});
    }
    return {};
  }

  Result<> list_sections() {
    const std::size_t count = n(head_.e_shnum);
    if (count == 0 || n(head_.e_shentsize) != sizeof(typename Class::Shdr)) return {};
    const std::string_view table =
        TRY(file_.slice(n(head_.e_shoff), count * sizeof(typename Class::Shdr), "section header table"));
    for (std::size_t i = 0; i < count; ++i) {
      const auto raw = record_at<typename Class::Shdr>(table, i * sizeof(typename Class::Shdr));
      sections_.push_back({n(raw.sh_name), n(raw.sh_type), n(raw.sh_link), n(raw.sh_info), n(raw.sh_offset),
                           n(raw.sh_size)});
    }
    elf_.has_sections = true;
    return {};
  }

  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const Segment& segment : segments_)
      if (segment.type == PT_LOAD && address >= segment.address && address - segment.address < segment.size)
        return segment.offset + (address - segment.address);
    return std::nullopt;
  }

  /// In a file of debug data alone the sections that would hold these are empty, and segments lead to nonsense.
  bool only_debug_data() const {
    return std::any_of(sections_.begin(), sections_.end(), [](const Section& section) {
      return section.type == SHT_NOBITS && section.link != 0 && section.size != 0;
    });
  }

  Result<> read_segments() {
    const bool debug_data = only_debug_data();
    for (const Segment& segment : segments_) {
      if (segment.type == PT_LOAD)
        elf_.writable_code |= (segment.flags & PF_W) != 0 && (segment.flags & PF_X) != 0;
      if (segment.type == PT_GNU_STACK) elf_.executable_stack = (segment.flags & PF_X) != 0;
      if (segment.type == PT_GNU_RELRO) elf_.relro = true;
      if (debug_data) continue;
      if (segment.type == PT_INTERP)
        elf_.interpreter = text_at(TRY(file_.slice(segment.offset, segment.size, "interpreter")), 0);
      if (segment.type == PT_GNU_PROPERTY)
        read_notes(TRY(file_.slice(segment.offset, segment.size, "property notes")));
      if (segment.type == PT_DYNAMIC) TRY(read_dynamic(segment));
    }
    return {};
  }

  void read_notes(std::string_view notes) {
    const std::uint64_t align = elf_.wide ? 8 : 4;
    const auto padded = [&](std::uint64_t size) { return (size + align - 1) / align * align; };
    while (notes.size() >= sizeof(Elf64_Nhdr)) {
      const auto head = record_at<Elf64_Nhdr>(notes, 0);
      const std::uint64_t start = sizeof(Elf64_Nhdr) + (std::uint64_t{n(head.n_namesz)} + 3) / 4 * 4;
      const std::uint64_t size = n(head.n_descsz);
      if (start > notes.size() || size > notes.size() - start) return;
      if (n(head.n_type) == NT_GNU_PROPERTY_TYPE_0) read_properties(notes.substr(start, size), align);
      notes.remove_prefix(std::min<std::uint64_t>(notes.size(), start + padded(size)));
    }
  }

  void read_properties(std::string_view body, std::uint64_t align) {
    while (body.size() >= 8) {
      const auto type = n(record_at<std::uint32_t>(body, 0)), size = n(record_at<std::uint32_t>(body, 4));
      if (size > body.size() - 8) return;
      if (type == GNU_PROPERTY_X86_FEATURE_1_AND && size >= 4) {
        const auto bits = n(record_at<std::uint32_t>(body, 8));
        elf_.has_ibt = (bits & GNU_PROPERTY_X86_FEATURE_1_IBT) != 0;
        elf_.has_shstk = (bits & GNU_PROPERTY_X86_FEATURE_1_SHSTK) != 0;
      }
      const std::uint64_t step = 8 + (std::uint64_t{size} + align - 1) / align * align;
      body.remove_prefix(std::min<std::uint64_t>(body.size(), step));
    }
  }

  Result<> read_dynamic(const Segment& segment) {
    const std::string_view table = TRY(file_.slice(segment.offset, segment.size, "dynamic section"));
    const std::size_t count = std::min(table.size() / sizeof(typename Class::Dyn), kMaxDynamic);
    std::vector<std::pair<std::int64_t, std::uint64_t>> entries;
    std::uint64_t strings_address = 0, strings_size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto raw = record_at<typename Class::Dyn>(table, i * sizeof(typename Class::Dyn));
      const std::int64_t tag = n(raw.d_tag);
      if (tag == DT_NULL) break;
      entries.emplace_back(tag, n(raw.d_un.d_val));
      if (tag == DT_STRTAB) strings_address = entries.back().second;
      if (tag == DT_STRSZ) strings_size = entries.back().second;
    }
    if (entries.empty()) return {};
    elf_.dynamic = true;
    std::string_view strings;
    if (const auto offset = offset_of(strings_address))
      strings = TRY(file_.slice(*offset, strings_size, "dynamic string table"));
    for (const auto& [tag, value] : entries) take_dynamic(tag, value, strings);
    return {};
  }

  void take_dynamic(std::int64_t tag, std::uint64_t value, std::string_view strings) {
    switch (tag) {
      case DT_NEEDED: elf_.needed.emplace_back(text_at(strings, value)); break;
      case DT_SONAME: elf_.soname = text_at(strings, value); break;
      case DT_RPATH: elf_.rpath = text_at(strings, value); break;
      case DT_RUNPATH: elf_.runpath = text_at(strings, value); break;
      case DT_BIND_NOW: elf_.bind_now = true; break;
      case DT_TEXTREL: elf_.text_relocations = true; break;
      case DT_FLAGS:
        elf_.bind_now |= (value & DF_BIND_NOW) != 0;
        elf_.text_relocations |= (value & DF_TEXTREL) != 0;
        break;
      case DT_FLAGS_1:
        elf_.bind_now |= (value & DF_1_NOW) != 0;
        elf_.pie_flag |= (value & DF_1_PIE) != 0;
        break;
      default: break;
    }
  }

  Result<std::string_view> content(const Section& section, const char* what) const {
    if (section.type == SHT_NOBITS) return std::string_view();
    return file_.slice(section.offset, section.size, what);
  }
  Result<std::string_view> strings_of(const Section& section, const char* what) const {
    if (section.link >= sections_.size()) return std::string_view();
    return content(sections_[section.link], what);
  }

  Result<> read_sections() {
    const std::size_t names_index = n(head_.e_shstrndx);
    if (names_index >= sections_.size()) return {};
    const std::string_view names = TRY(content(sections_[names_index], "section names"));
    for (const Section& section : sections_) {
      const std::string_view name = text_at(names, section.name);
      elf_.has_debug_section |= name == ".debug" || name == ".zdebug";
      if (name == ".go.buildinfo") elf_.go_build_info = TRY(content(section, "Go build information"));
      if (name == ".dep-v0") elf_.cargo_audit = TRY(content(section, "list of crates"));
    }
    return {};
  }

  struct Version {
    std::string name, library;
  };

  /// .gnu.version_d: the versions that the file gives.
  Result<> read_given_versions(const Section& section, std::map<unsigned, Version>& out) {
    const std::string_view table = TRY(content(section, "version definitions"));
    const std::string_view strings = TRY(strings_of(section, "version names"));
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < section.count && i < kMaxVersions; ++i) {
      const auto raw = record_at<Elf64_Verdef>(table, at);
      const auto name = record_at<Elf64_Verdaux>(table, at + n(raw.vd_aux));
      if ((n(raw.vd_flags) & VER_FLG_BASE) == 0)
        out[n(raw.vd_ndx) & 0x7fff] = {std::string(text_at(strings, n(name.vda_name))), {}};
      if (n(raw.vd_next) == 0) break;
      at += n(raw.vd_next);
    }
    return {};
  }

  /// .gnu.version_r: the versions that it needs, by library.
  Result<> read_needed_versions(const Section& section, std::map<unsigned, Version>& out) {
    const std::string_view table = TRY(content(section, "version needs"));
    const std::string_view strings = TRY(strings_of(section, "version names"));
    std::uint64_t at = 0;
    std::size_t left = kMaxVersions;
    for (std::uint32_t i = 0; i < section.count && left > 0; ++i) {
      const auto raw = record_at<Elf64_Verneed>(table, at);
      const std::string library(text_at(strings, n(raw.vn_file)));
      std::uint64_t part = at + n(raw.vn_aux);
      for (unsigned j = 0; j < n(raw.vn_cnt) && left > 0; ++j, --left) {
        const auto one = record_at<Elf64_Vernaux>(table, part);
        out[n(one.vna_other) & 0x7fff] = {std::string(text_at(strings, n(one.vna_name))), library};
        if (n(one.vna_next) == 0) break;
        part += n(one.vna_next);
      }
      if (n(raw.vn_next) == 0) break;
      at += n(raw.vn_next);
    }
    return {};
  }

  Result<> read_symbols() {
    std::map<unsigned, Version> versions;
    std::string_view indexes;
    for (const Section& section : sections_) {
      if (section.type == SHT_GNU_verdef) TRY(read_given_versions(section, versions));
      if (section.type == SHT_GNU_verneed) TRY(read_needed_versions(section, versions));
      if (section.type == SHT_GNU_versym) indexes = TRY(content(section, "symbol versions"));
    }
    for (const Section& section : sections_)
      if (section.type == SHT_DYNSYM) TRY(read_symbol_table(section, indexes, versions));
    return {};
  }

  Result<> read_symbol_table(const Section& section, std::string_view indexes,
                             const std::map<unsigned, Version>& versions) {
    const std::string_view strings = TRY(strings_of(section, "dynamic symbol names"));
    const std::string_view table = TRY(content(section, "dynamic symbol table"));
    const std::size_t count = std::min(table.size() / sizeof(typename Class::Sym), kMaxSymbols);
    for (std::size_t i = 1; i < count; ++i) {
      const auto raw = record_at<typename Class::Sym>(table, i * sizeof(typename Class::Sym));
      const unsigned bind = raw.st_info >> 4;
      if (bind == STB_LOCAL) continue;
      ElfSymbol symbol;
      symbol.name = text_at(strings, n(raw.st_name));
      symbol.type = raw.st_info & 15u;
      symbol.weak = bind == STB_WEAK;
      symbol.size = n(raw.st_size);
      const auto index = n(record_at<std::uint16_t>(indexes, i * 2));
      const auto version = versions.find(index & 0x7fffu);
      if ((index & 0x7fff) > VER_NDX_GLOBAL && version != versions.end()) {
        symbol.version = version->second.name;
        symbol.library = version->second.library;
        symbol.default_version = (index & 0x8000) == 0;
      }
      (n(raw.st_shndx) == SHN_UNDEF ? elf_.imports : elf_.exports).push_back(std::move(symbol));
    }
    return {};
  }

  Reader file_;
  Elf& elf_;
  typename Class::Ehdr head_;
  std::vector<Segment> segments_;
  std::vector<Section> sections_;
};

}  // namespace

bool is_elf(std::string_view bytes) { return bytes.starts_with(std::string_view("\x7f" "ELF", 4)); }

Result<Elf> read_elf(std::string_view bytes, ElfParts parts) {
  if (!is_elf(bytes)) return Error::make(ErrorKind::kInvalid, "not an ELF file");
  const auto ident = [&](std::size_t at) { return at < bytes.size() ? bytes[at] : '\0'; };
  Elf elf;
  elf.wide = ident(EI_CLASS) == ELFCLASS64;
  elf.big_endian = ident(EI_DATA) == ELFDATA2MSB;
  if ((!elf.wide && ident(EI_CLASS) != ELFCLASS32) || (!elf.big_endian && ident(EI_DATA) != ELFDATA2LSB))
    return Error::make(ErrorKind::kInvalid, "ELF file of an unknown class or byte order");
  if (bytes.size() < (elf.wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
    return Error::make(ErrorKind::kInvalid, "ELF header leads outside the file ({} bytes)", bytes.size());
  if (elf.wide)
    TRY(Parser<Wide>(bytes, elf).read(parts));
  else
    TRY(Parser<Narrow>(bytes, elf).read(parts));
  return elf;
}

namespace {

/// A length as Go's varint, then that many bytes; advances `text`.
std::optional<std::string_view> take_varint_text(std::string_view& text) {
  std::uint64_t size = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    if (text.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    size |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte >= 0x80) continue;
    if (size > text.size()) return std::nullopt;
    const std::string_view out = text.substr(0, size);
    text.remove_prefix(size);
    return out;
  }
  return std::nullopt;
}

}  // namespace

std::optional<GoBuildInfo> read_go_build_info(std::string_view info) {
  constexpr std::string_view kMagic("\xff Go buildinf:", 14);
  constexpr std::size_t kHeader = 32, kFlags = 15, kSentinel = 16;
  constexpr int kInline = 2;
  const std::size_t at = info.find(kMagic);
  if (at == std::string_view::npos || info.size() - at < kHeader || (info[at + kFlags] & kInline) == 0)
    return std::nullopt;
  std::string_view rest = info.substr(at + kHeader);
  const auto version = take_varint_text(rest);
  if (!version) return std::nullopt;
  const auto modules = take_varint_text(rest);
  if (!modules) return std::nullopt;
  GoBuildInfo out{std::string(*version), {}};
  // Programs without modules have no text, and no marks around it.
  if (modules->size() >= 2 * kSentinel) out.modules = modules->substr(kSentinel, modules->size() - 2 * kSentinel);
  return out;
}

std::vector<std::pair<std::string, std::string>> go_build_settings(std::string_view info) {
  const auto read = read_go_build_info(info);
  std::vector<std::pair<std::string, std::string>> out;
  if (!read) return out;
  for (const std::string& line : split(read->modules, '\n')) {
    if (!line.starts_with("build\t")) continue;
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) out.emplace_back(line.substr(6, equals - 6), line.substr(equals + 1));
  }
  return out;
}

}  // namespace nacre::package
