#include "index/index.h"

#include "base/text.h"
#include "crypto/signer.h"
#include "index/order.h"

#include <algorithm>
#include <charconv>

namespace nacre::index {

std::string index_description(Edition edition, std::uint64_t serial) {
  return fmt::format("nacre {} serial {}", name_of(edition), serial);
}

Result<IndexIdentity> parse_index_description(std::string_view description) {
  const auto bad = [&] {
    return Error::make(ErrorKind::kInvalid,
                       "expected the description 'nacre EDITION serial NUMBER', found '{}'",
                       description.substr(0, 100))
        .hint("this index was not written by nacre");
  };
  if (description.size() > 100) return bad();
  const std::vector<std::string> words = split(description, ' ');
  if (words.size() != 4) return bad();
  const Result<Edition> edition = parse_edition(words[1]);
  IndexIdentity out{};
  const std::string& number = words[3];
  const char* end = number.data() + number.size();
  const auto [stop, status] = std::from_chars(number.data(), end, out.serial);
  if (!edition || status != std::errc{} || stop != end) return bad();
  out.edition = *edition;
  // One way to write each: leading zeros and other spellings are not ours.
  if (index_description(out.edition, out.serial) != description) return bad();
  return out;
}

Result<std::string> make_index(const std::vector<SerialPackage>& packages, Edition edition,
                               std::uint64_t serial, const apk::SegmentSigner& signer) {
  std::vector<const SerialPackage*> sorted;
  for (const SerialPackage& package : packages) sorted.push_back(&package);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return before(*a, *b); });
  std::vector<apk::IndexRecord> records;
  for (const SerialPackage* package : sorted) {
    if (!records.empty() && identity_of(records.back()) == identity_of(package->record))
      return Error::make(ErrorKind::kInvalid, "{} is twice in the index of edition {}",
                         identity_of(package->record), name_of(edition));
    records.push_back(package->record);
  }
  std::string index = TRY(apk::pack_index(records, index_description(edition, serial), signer),
                          "making the index of edition {}, serial {}", name_of(edition), serial);
  return index;
}

apk::SegmentSigner segment_signer(crypto::Signer& signer, Edition edition) {
  return [&signer, edition](std::string_view segment) -> Result<apk::SegmentSignature> {
    apk::SegmentSignature out;
    out.key_name = crypto::public_key_name(edition, crypto::Purpose::kPackage);
    out.signature = TRY(signer.sign(edition, crypto::Purpose::kPackage, segment));
    return out;
  };
}

}  // namespace nacre::index
