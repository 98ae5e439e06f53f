#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "package/header_changes.h"
#include "package/root_headers.h"
#include "package/sight.h"
#include "package/use.h"

// Whether what changed of headers touches one build.
namespace nacre::package {

class HeaderTouch {
 public:
  /// `root`: the headers that `changes` are of. All must outlive it.
  HeaderTouch(const RootHeaders& root, const HeaderChanges& changes, const Use& use);

  // Why the build must be made again; nullopt: nothing of that kind, and of that weight at least, touches it.

  /// It names a program that reads headers as a whole, which may see one that differs.
  std::optional<std::string> as_a_whole(Weight least = Weight::kSight) const;
  /// It has a name that changed where it may see the change, or names a header that came or went.
  std::optional<std::string> by_names(Weight least = Weight::kSight);
  /// It may include what changed for all that do.
  std::optional<std::string> by_headers(Weight least = Weight::kSight);
  /// It may make a name that changed with ##.
  std::optional<std::string> by_pasting(Weight least = Weight::kSight);

 private:
  /// What the build, and the headers that it uses, put together with ##.
  struct Pastes {
    std::vector<std::string> patterns, own;  ///< own: not of standard headers.
    std::vector<std::uint32_t> files;        ///< That put names together, or use a macro that does.
  };
  using FileSet = std::vector<char>;  ///< Of Use::files: 1 for those in it.

  bool meets(std::uint32_t file, const Origin& origin, std::optional<std::uint64_t> word);
  bool meets(std::uint32_t file, const ChangedName& changed, std::uint64_t word, Weight least);
  bool names_header(HeaderGraph::Id id) const;
  Pastes pastes() const;
  const FileSet& parts_for(const Origin& origin, const Pastes& pastes);
  bool may_paste(const ChangedName& changed, const Pastes& pastes, Weight least);

  const RootHeaders& root_;
  const HeaderChanges& changes_;
  const Use& use_;
  Sight sight_;
  std::map<Origin, FileSet> parts_;
};

}  // namespace nacre::package
