#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "package/brought_headers.h"
#include "package/changed_names.h"
#include "package/root_headers.h"
#include "package/sight.h"

// What a piece of a header that changed means for others: for who names what it declares, for what mentions that in
// other headers, and for all who read the header.
namespace nacre::package {

struct HeaderEffects {
  ChangedNames::ByHash names;
  std::map<Origin, std::string> loose;  ///< What reaches all who read the header -> how.
  Meddling meddling;                    ///< With standard headers that came or went with an #include.
};

/// Takes one changed piece after the other, then says what all of them mean.
class EffectFinder {
 public:
  using Id = HeaderGraph::Id;

  /// `root` must outlive it.
  explicit EffectFinder(const RootHeaders& root) : root_(root), brought_(root) {}

  /// The piece of that header came, went or changed; `how`: "of z.h, which changed".
  void add(Id header, const HeaderItem& item, std::string_view how, Weight weight);
  /// Who reads the header has something else, whatever it names.
  void add_loose(Id header, std::string_view how);
  /// After all have been added. What names a changed name is changed, too, in all headers of the root.
  HeaderEffects finish();

 private:
  struct Declared {
    std::uint64_t hash = 0;
    std::string_view name;
    bool all = false;  ///< Stands for any name, or for what is none.
  };
  const std::vector<Declared>& declared_by(const HeaderItem& item);
  void add_by_macro(const std::string& name, std::vector<Declared>& to);
  bool is_for_others(Id where, HeaderItem::Kind kind) const;
  void change(const Declared& what, const How& how, Origin origin, HeaderItem::Kind kind);
  void changed_item(Id header, const HeaderItem& item, const How& how, const Origin& origin);
  void changed_include(Id header, const HeaderItem& item, const How& how, const Origin& origin);
  /// A header that came or went with #includes of a changed one.
  struct BroughtIn {
    Origin origin;    ///< By all ways.
    std::string how;  ///< By the first.
    std::vector<std::pair<Id, Origin>> reasons;  ///< Ways not followed yet: what the #include surely reads, its origin.
  };
  void brought_header(const RootHeaders::Header& header, const BroughtIn& in);
  /// What a changed name is to those that are changed by way of it.
  struct Via {
    bool macro = false;       ///< Every one of its changes is one of a macro.
    bool number = false;      ///< A macro or an enumerator: what names it in code has another value there.
    bool customized = false;  ///< Templates of C++ call what others define by it.
    bool apart = false;       ///< Standard headers that did not change were made without it.
  };
  Via via(std::uint64_t word, const ChangedNames::Seen& changed) const;
  bool is_of_others(Id changed) const;
  Origin by_way(const Origin& origin, Id where, const HeaderItem& item, const Via& via) const;
  Id first_meant(std::string_view include) const;
  std::vector<Id> also_defined_by(std::string_view name, Id where) const;
  Origin brought_origin(Id header, Id first, const Origin& reason, const std::vector<Id>& also) const;
  void note_mentions(const HeaderItems& of);
  void close();
  bool close_name();
  bool close_brought();
  void find_meddling();

  const RootHeaders& root_;
  BroughtHeaders brought_;
  ChangedNames names_;
  HeaderEffects out_;
  std::unordered_map<const HeaderItem*, std::vector<Declared>> declared_;
  std::deque<std::string> texts_;  ///< That Declared::name points into, where it is no name of a header.
  std::map<std::pair<const HeaderItem*, Id>, Origin> done_;  ///< Pieces, by headers that changed.
  std::map<std::pair<std::size_t, Id>, BroughtIn> brought_in_;  ///< Of RootHeaders::all(), likewise.
  std::deque<std::pair<std::size_t, Id>> brought_open_;         ///< Of them those to be followed.
};

}  // namespace nacre::package
