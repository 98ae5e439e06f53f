#include "store/bucket_answers.h"
#include "store/state.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace nacre;

// What an S3 store answers: bounded, printable where it is shown. And the form that any bytes have in a database.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto page = store::read_object_page(text);
  if (page && page->objects.size() > store::kMaxObjectsOnPage) std::abort();
  const std::string said = store::read_s3_error(text);
  if (said.size() > 300) std::abort();
  for (const char c : said)
    if (c < 0x20 || c > 0x7e) std::abort();
  if (store::from_database_text(store::to_database_text(text)) != text) std::abort();
  (void)store::from_database_text(text);
  return 0;
}
