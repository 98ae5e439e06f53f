#include "image/library.h"

#include "package/elf.h"

#include <elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace nacre::image {
namespace {

constexpr std::uint64_t kHeld = 16u << 20;
constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxTable = 1u << 20;
constexpr std::size_t kTablesKnown = 4096;  ///< Program headers that end behind this are not looked at.

struct Span {
  std::uint64_t begin = 0, end = 0;
};

}  // namespace

std::string_view library_stem(std::string_view name) {
  if (!name.starts_with("lib") && !name.starts_with("ld-")) return {};
  if (name.ends_with(".so")) return name.substr(0, name.size() - 3);
  const std::size_t at = name.rfind(".so.");
  return at == std::string_view::npos ? std::string_view() : name.substr(0, at);
}

LibraryName library_name(std::string_view bytes) {
  const auto elf = package::read_elf(bytes, package::ElfParts::kDynamic);
  if (!elf || elf->type != ET_DYN) return {};
  return {elf->machine, elf->soname};
}

struct LibraryProbe::Held {
  char* memory = nullptr;
  std::uint64_t size = 0, at = 0;
  std::array<Span, 3> kept{};   ///< Head, dynamic section, section headers.
  bool tables_read = false, given_up = false;

  void release() {
    if (memory != nullptr) ::munmap(memory, size);
    memory = nullptr;
  }
  ~Held() { release(); }

  /// Where the dynamic section and the section headers are. Only the form of our architectures' files; of others the
  /// head is all.
  void read_tables() {
    tables_read = true;
    Elf64_Ehdr header;
    std::memcpy(&header, memory, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) return;
    const std::uint64_t sections = std::uint64_t{header.e_shentsize} * header.e_shnum;
    if (sections <= kMaxTable && header.e_shoff < size) kept[2] = {header.e_shoff, header.e_shoff + sections};
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      const std::uint64_t place = header.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr);
      if (place > kTablesKnown - sizeof(Elf64_Phdr)) return;
      Elf64_Phdr part;
      std::memcpy(&part, memory + place, sizeof part);
      if (part.p_type == PT_DYNAMIC && part.p_filesz <= kMaxTable && part.p_offset < size)
        kept[1] = {part.p_offset, part.p_offset + part.p_filesz};
    }
  }
};

LibraryProbe::LibraryProbe() = default;
LibraryProbe::~LibraryProbe() = default;

void LibraryProbe::begin(std::uint64_t size) {
  held_ = std::make_unique<Held>();
  held_->size = size;
  held_->given_up = size < sizeof(Elf64_Ehdr) || size > kMaxSize;
  if (held_->given_up) return;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) held_->given_up = true;
  else held_->memory = static_cast<char*>(memory);
  held_->kept[0] = {0, kHeld};
}

void LibraryProbe::push(std::string_view bytes) {
  Held& h = *held_;
  const Span piece{h.at, h.at + bytes.size()};
  h.at = piece.end;
  if (h.given_up || piece.end > h.size) return;
  if (!h.tables_read && piece.begin >= kTablesKnown) h.read_tables();
  for (const Span& part : h.kept) {
    const std::uint64_t begin = std::max(piece.begin, part.begin), end = std::min(piece.end, part.end);
    if (begin < end) std::memcpy(h.memory + begin, bytes.data() + (begin - piece.begin), end - begin);
  }
  if (piece.begin < EI_NIDENT && h.at >= EI_NIDENT && !package::is_elf({h.memory, EI_NIDENT})) {
    h.given_up = true;  // a linker script, say
    h.release();
  }
}

std::optional<LibraryName> LibraryProbe::finish() {
  const std::unique_ptr<Held> h = std::move(held_);
  if (h->memory == nullptr) return h->size > kMaxSize ? std::optional<LibraryName>() : LibraryName();
  LibraryName out = library_name({h->memory, h->size});
  // An empty name may be one that was not held.
  if (h->size > kHeld && out.soname.empty()) return std::nullopt;
  return out;
}

}  // namespace nacre::image
