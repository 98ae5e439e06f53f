#pragma once

#include "base/result.h"
#include "image/contents.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

/// A word of a definition: what somebody asked for.
struct Word {
  std::string atom;
  Place place;             ///< Empty when nobody knows where it is written.
};

/// One link of a chain: `from` (a package, or the definition's words when empty) brings `package`.
struct Step {
  enum class How { kWord, kNeeds, kInstallIf } how = How::kWord;
  std::string from;        ///< "name=version"
  std::string atom;        ///< As written.
  std::string provide;     ///< The provide of `package` that meets the atom; empty: its name does.
  std::string package;     ///< "name=version"
  Place place;             ///< Of a word.
};

/// Why packages of an image are in it.
class Reasons {
 public:
  /// `packages` as the image's database has them. Without words those are taken as asked for that nothing else in the
  /// image brings.
  Reasons(std::vector<PackageContents> packages, std::vector<Word> words);

  /// The shortest chain from a word to the package called `name`; empty when no word leads there. kNotFound with the
  /// nearest name, and with what provides it, when the image has no such package.
  Result<std::vector<Step>> chain(const std::string& name) const;
  /// Every link that ends at the package.
  std::vector<Step> links_to(const std::string& name) const;
  bool has(const std::string& name) const { return by_name_.contains(name); }

 private:
  void link_words(const std::vector<Word>& words);
  void link_packages();
  /// Numbers of the packages that an atom is met by, each with its provide.
  std::vector<std::pair<std::size_t, std::string>> met_by(std::string_view atom) const;

  struct Link {
    std::size_t from;      ///< kWords, or a package.
    std::size_t to;
    Step step;
  };
  static constexpr std::size_t kWords = static_cast<std::size_t>(-1);

  std::vector<PackageContents> packages_;
  std::map<std::string, std::size_t> by_name_;
  std::multimap<std::string, std::pair<std::size_t, std::string>> provides_;  ///< Name -> package, provide as written.
  std::vector<Link> links_;
  std::vector<std::vector<std::size_t>> out_of_;   ///< Links by the package they start at; the last: of words.
};

/// "the definition asks for 'web' (web.yaml:3:7)", "web=1-r0 needs 'so:libz.so.1', which zlib=1.3-r0 provides".
std::string render(const Step& step);
codec::Json to_json(const Step& step);

}  // namespace nacre::image
