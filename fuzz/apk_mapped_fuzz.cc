#include "apk/mapped_index.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

/// Whatever the rows say: every number leads into the bytes or nowhere. The checksum is made to fit first.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint64_t> words(size / 8 + 1);
  if (size > 0) std::memcpy(words.data(), data, size);
  char* bytes = reinterpret_cast<char*>(words.data());
  nacre::apk::seal_segment(bytes, size);
  const auto index = nacre::apk::MappedIndex::open({std::string_view(bytes, size)});
  if (!index) return 0;
  for (nacre::apk::PackageNumber i = 0; i < index->package_count() && i < 64; ++i) {
    (void)nacre::apk::to_record(index->record(i));
    for (const auto& atoms : {index->depends(i), index->provides(i), index->install_if(i)})
      for (const nacre::apk::AtomView& atom : atoms) (void)std::string(index->name(atom.name)).size();
  }
  for (nacre::apk::NameNumber i = 0; i < index->name_count() && i < 64; ++i)
    for (const nacre::apk::Offer& offer : index->offers(index->find(index->name(i))))
      (void)nacre::apk::to_record(index->record(offer.package));
  return 0;
}
