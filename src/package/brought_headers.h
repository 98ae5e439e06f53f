#pragma once

#include <map>
#include <utility>
#include <vector>

#include "package/root_headers.h"

// Which headers come with an #include, and would not without it.
namespace nacre::package {

class BroughtHeaders {
 public:
  /// `root` must outlive it.
  explicit BroughtHeaders(const RootHeaders& root) : root_(root) {}

  struct Brought {
    bool found = false;                ///< False: nothing has that name.
    std::vector<std::size_t> headers;  ///< Of RootHeaders::all(), in the order of finding them.
  };
  /// What an #include of a header that changed brings, in any state of what it includes, but for headers that this
  /// header brings without it in both of its own states. Found once and kept.
  const Brought& by(HeaderGraph::Id header, const HeaderItem& include);

 private:
  enum class Reach;
  std::vector<std::size_t> meant(HeaderGraph::Id includer, const HeaderItem& include, Reach how) const;
  std::vector<std::size_t> reach(HeaderGraph::Id from, const HeaderItem& include, Reach how,
                                 std::vector<char>& seen) const;
  bool is_in_both(std::size_t at, const HeaderItem& include) const;

  const RootHeaders& root_;
  std::map<std::pair<HeaderGraph::Id, const HeaderItem*>, Brought> known_;
};

}  // namespace nacre::package
