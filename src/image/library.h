#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nacre::image {

/// "libfoo" of "libfoo.so" and "libfoo.so.1"; "" for what is no library's name.
std::string_view library_stem(std::string_view name);

/// What the loader's cache says of one file.
struct LibraryName {
  int machine = 0;      ///< e_machine; 0: no shared library.
  std::string soname;
};
/// Of a whole file.
LibraryName library_name(std::string_view bytes);

/// The same while a file goes by. Of a large one only the parts that matter are held: its head and tables, in a sparse
/// mapping of at most kHeld bytes.
class LibraryProbe {
 public:
  LibraryProbe();
  ~LibraryProbe();
  void begin(std::uint64_t size);
  void push(std::string_view bytes);
  /// Nothing when the file is too large to say.
  std::optional<LibraryName> finish();

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

}  // namespace nacre::image
