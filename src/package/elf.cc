#include "package/elf.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace nacre::package {
namespace {

constexpr std::size_t kMaxSymbols = 2'000'000;
constexpr std::size_t kMaxDynamic = 4096;

/// Bounds-checked view of the file.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  Result<std::string_view> slice(std::uint64_t offset, std::uint64_t size, const char* what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset)
      return Error::make(ErrorKind::kInvalid, "ELF {} leads outside the file ({} bytes at {} of {})",
                         what, size, offset, bytes_.size());
    return bytes_.substr(offset, size);
  }

  template <class T>
  Result<T> value(std::uint64_t offset, const char* what) const {
    const std::string_view raw = TRY(slice(offset, sizeof(T), what));
    T out;
    std::memcpy(&out, raw.data(), sizeof out);
    return out;
  }

 private:
  std::string_view bytes_;
};

template <class T>
T record_at(std::string_view table, std::size_t index) {
  T out;
  std::memcpy(&out, table.data() + index * sizeof(T), sizeof out);
  return out;
}

std::string text_at(std::string_view strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  const std::string_view rest = strings.substr(offset);
  return std::string(rest.substr(0, std::min(rest.find('\0'), rest.size())));
}

void read_property_notes(std::string_view notes, Elf& elf) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    const auto head = record_at<Elf64_Nhdr>(notes, 0);
    const std::uint64_t name_size = (std::uint64_t{head.n_namesz} + 3) & ~std::uint64_t{3};
    const std::uint64_t body_size = (std::uint64_t{head.n_descsz} + 7) & ~std::uint64_t{7};
    const std::uint64_t start = sizeof(Elf64_Nhdr) + name_size;
    if (start > notes.size() || head.n_descsz > notes.size() - start) return;
    if (head.n_type == NT_GNU_PROPERTY_TYPE_0) {
      std::string_view body = notes.substr(start, head.n_descsz);
      while (body.size() >= 8) {
        const auto type = record_at<std::uint32_t>(body, 0), size = record_at<std::uint32_t>(body, 1);
        if (size > body.size() - 8) return;
        if (type == GNU_PROPERTY_X86_FEATURE_1_AND && size >= 4) {
          const auto bits = record_at<std::uint32_t>(body, 2);
          elf.has_ibt = (bits & GNU_PROPERTY_X86_FEATURE_1_IBT) != 0;
          elf.has_shstk = (bits & GNU_PROPERTY_X86_FEATURE_1_SHSTK) != 0;
        }
        body.remove_prefix(std::min<std::uint64_t>(body.size(), 8 + ((std::uint64_t{size} + 7) & ~std::uint64_t{7})));
      }
    }
    notes.remove_prefix(std::min<std::uint64_t>(notes.size(), start + body_size));
  }
}

struct DynamicTable {
  std::string_view entries;
  std::uint64_t string_table = 0;   ///< Address.
  std::uint64_t string_size = 0;
};

/// Turns an address into an offset by the loaded segments.
class AddressMap {
 public:
  void add(const Elf64_Phdr& segment) { segments_.push_back(segment); }
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_)
      if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    return std::nullopt;
  }

 private:
  std::vector<Elf64_Phdr> segments_;
};

Result<> read_dynamic(const Reader& file, std::string_view entries, const AddressMap& map, Elf& elf) {
  elf.dynamic = true;
  std::uint64_t strings_address = 0, strings_size = 0;
  const std::size_t count = std::min(entries.size() / sizeof(Elf64_Dyn), kMaxDynamic);
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = record_at<Elf64_Dyn>(entries, i);
    if (entry.d_tag == DT_STRTAB) strings_address = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
  }
  std::string_view strings;
  if (const auto offset = map.offset_of(strings_address))
    strings = TRY(file.slice(*offset, strings_size, "dynamic string table"));
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = record_at<Elf64_Dyn>(entries, i);
    const std::uint64_t value = entry.d_un.d_val;
    switch (entry.d_tag) {
      case DT_NULL: return {};
      case DT_NEEDED: elf.needed.push_back(text_at(strings, value)); break;
      case DT_SONAME: elf.soname = text_at(strings, value); break;
      case DT_RPATH: elf.rpath = text_at(strings, value); break;
      case DT_RUNPATH: elf.runpath = text_at(strings, value); break;
      case DT_BIND_NOW: elf.bind_now = true; break;
      case DT_TEXTREL: elf.text_relocations = true; break;
      case DT_FLAGS:
        elf.bind_now |= (value & DF_BIND_NOW) != 0;
        elf.text_relocations |= (value & DF_TEXTREL) != 0;
        break;
      case DT_FLAGS_1:
        elf.bind_now |= (value & DF_1_NOW) != 0;
        elf.pie_flag |= (value & DF_1_PIE) != 0;
        break;
      default: break;
    }
  }
  return {};
}

Result<> read_segments(const Reader& file, const Elf64_Ehdr& head, Elf& elf) {
  if (head.e_phnum == 0) return {};
  if (head.e_phentsize != sizeof(Elf64_Phdr))
    return Error::make(ErrorKind::kInvalid, "ELF program headers have {} bytes, expected {}",
                       head.e_phentsize, sizeof(Elf64_Phdr));
  const std::string_view table =
      TRY(file.slice(head.e_phoff, std::uint64_t{head.e_phnum} * sizeof(Elf64_Phdr), "program header table"));
  AddressMap map;
  for (std::size_t i = 0; i < head.e_phnum; ++i) {
    const auto segment = record_at<Elf64_Phdr>(table, i);
    if (segment.p_type != PT_LOAD) continue;
    map.add(segment);
    elf.writable_code |= (segment.p_flags & PF_W) != 0 && (segment.p_flags & PF_X) != 0;
  }
  for (std::size_t i = 0; i < head.e_phnum; ++i) {
    const auto segment = record_at<Elf64_Phdr>(table, i);
    if (segment.p_type == PT_GNU_STACK) elf.executable_stack = (segment.p_flags & PF_X) != 0;
    if (segment.p_type == PT_GNU_RELRO) elf.relro = true;
    if (segment.p_type == PT_INTERP)
      elf.interpreter = text_at(TRY(file.slice(segment.p_offset, segment.p_filesz, "interpreter")), 0);
    if (segment.p_type == PT_GNU_PROPERTY)
      read_property_notes(TRY(file.slice(segment.p_offset, segment.p_filesz, "property notes")), elf);
    if (segment.p_type == PT_DYNAMIC) {
      const std::string_view entries = TRY(file.slice(segment.p_offset, segment.p_filesz, "dynamic section"));
      TRY(read_dynamic(file, entries, map, elf));
    }
  }
  return {};
}

Result<> read_symbols(const Reader& file, std::string_view sections, const Elf64_Shdr& table, Elf& elf) {
  const std::size_t section_count = sections.size() / sizeof(Elf64_Shdr);
  if (table.sh_link >= section_count) return {};
  const auto strings_head = record_at<Elf64_Shdr>(sections, table.sh_link);
  const std::string_view strings =
      TRY(file.slice(strings_head.sh_offset, strings_head.sh_size, "dynamic symbol names"));
  const std::string_view symbols = TRY(file.slice(table.sh_offset, table.sh_size, "dynamic symbol table"));
  const std::size_t count = std::min(symbols.size() / sizeof(Elf64_Sym), kMaxSymbols);
  for (std::size_t i = 1; i < count; ++i) {
    const auto symbol = record_at<Elf64_Sym>(symbols, i);
    if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
    auto& list = symbol.st_shndx == SHN_UNDEF ? elf.imports : elf.exports;
    list.push_back(text_at(strings, symbol.st_name));
  }
  return {};
}

Result<> read_sections(const Reader& file, const Elf64_Ehdr& head, Elf& elf) {
  if (head.e_shnum == 0 || head.e_shentsize != sizeof(Elf64_Shdr)) return {};
  const std::string_view table =
      TRY(file.slice(head.e_shoff, std::uint64_t{head.e_shnum} * sizeof(Elf64_Shdr), "section header table"));
  std::string_view names;
  if (head.e_shstrndx < head.e_shnum) {
    const auto section = record_at<Elf64_Shdr>(table, head.e_shstrndx);
    names = TRY(file.slice(section.sh_offset, section.sh_size, "section names"));
  }
  for (std::size_t i = 0; i < head.e_shnum; ++i) {
    const auto section = record_at<Elf64_Shdr>(table, i);
    const std::string name = text_at(names, section.sh_name);
    elf.has_debug |= name.starts_with(".debug") || name.starts_with(".zdebug");
    if (section.sh_type == SHT_DYNSYM) TRY(read_symbols(file, table, section, elf));
  }
  return {};
}

}  // namespace

bool is_elf(std::string_view bytes) { return bytes.starts_with(std::string_view("\x7f" "ELF", 4)); }

Result<Elf> read_elf(std::string_view bytes) {
  if (!is_elf(bytes)) return Error::make(ErrorKind::kInvalid, "not an ELF file");
  const Reader file(bytes);
  const auto head = TRY(file.value<Elf64_Ehdr>(0, "header"));
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB)
    return Error::make(ErrorKind::kInvalid, "ELF file is not 64-bit little-endian");
  Elf elf;
  elf.type = head.e_type;
  elf.machine = head.e_machine;
  TRY(read_segments(file, head, elf));
  TRY(read_sections(file, head, elf));
  return elf;
}

}  // namespace nacre::package
