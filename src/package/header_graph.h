#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "package/header_items.h"
#include "package/standard_headers.h"

// Which headers of a root lead to which, through their #includes.
namespace nacre::package {

class HeaderGraph {
 public:
  using Id = std::uint32_t;
  static constexpr Id kNone = 0xffffffff;

  /// One state of the header at `path`, which may have several. Both must outlive the graph. `stands`: of a package
  /// that did not change.
  Id add(std::string_view path, const HeaderItems& items, bool stands);
  /// Folders of headers are links: a name alone then tells which header is meant.
  void mind_links() { by_name_alone_ = true; }
  /// After all have been added.
  void finish();

  std::size_t size() const { return nodes_.size(); }
  std::string_view path_of(Id id) const { return nodes_[id].path; }
  Id id_of(std::string_view path) const;
  /// Headers that an #include of this path may mean.
  std::vector<Id> meant(std::string_view include) const;
  /// Headers that an #include of this path surely reads, when it is one of a source or of a header that is no standard
  /// one. Of some that stand one before the other (<stdlib.h> of C++ before that of C), all: which of them it is, is
  /// the same wherever it stands.
  std::vector<Id> surely_meant(std::string_view include) const;
  /// Headers whose name, without folders, has this hash (word_hash).
  const std::unordered_map<std::uint64_t, std::vector<Id>>& by_name() const { return by_name_; }

  /// What its #includes may mean, in any of its states.
  const std::vector<Id>& leads_to(Id id) const { return nodes_[id].may; }
  /// Has an #include of what a macro names.
  bool leads_anywhere(Id id) const { return nodes_[id].computed; }
  /// What it reads whenever it is read, in all its states.
  const std::vector<Id>& brings(Id id) const { return nodes_[id].sure; }
  /// What is read whenever these are, them among it, in all their states.
  std::unordered_set<Id> surely(const std::vector<Id>& of) const;
  /// Does nothing when it is read again.
  bool guarded(Id id) const { return nodes_[id].guarded; }
  /// A standard header, or what these bring: says the same in whatever order such headers are read.
  bool order_free(Id id) const { return nodes_[id].standard != StandardHeader::kNone; }
  /// Of the C and C++ libraries, the compiler or the kernel, changed or not: they may be made with each other.
  bool of_system(Id id) const { return nodes_[id].system; }
  /// Gives nothing more when it is read again.
  bool once(Id id) const { return nodes_[id].guarded || nodes_[id].standard == StandardHeader::kNamed; }

 private:
  struct Node {
    std::string_view path;
    std::vector<const HeaderItems*> states;
    std::vector<Id> may, sure;
    bool computed = false, guarded = true, system = false;
    StandardHeader standard = StandardHeader::kNone;
  };
  std::vector<Node> nodes_;
  std::unordered_map<std::string_view, Id> by_path_;
  std::unordered_map<std::uint64_t, std::vector<Id>> by_end_, by_name_;  ///< Hash of each end of its path; of its name.
  bool by_name_alone_ = false;
};

}  // namespace nacre::package
