#pragma once

#include <map>
#include <utility>
#include <vector>

#include "package/header_graph.h"
#include "package/use.h"

// Which headers of a root each file of a build can see.
namespace nacre::package {

/// What lets a standard header say something else in another place: macros that it or what it brings mentions.
struct Meddling {
  std::unordered_set<std::uint64_t> words;
  std::vector<HeaderGraph::Id> headers;  ///< Others, that define one of them.
};

class Sight {
 public:
  using Id = HeaderGraph::Id;

  /// Answers for the headers `asked` alone, and those of `meddling`. All must outlive it.
  Sight(const HeaderGraph& graph, const Use& use, const std::vector<Id>& asked, const Meddling& meddling);

  /// Whether a compiler may have read the header where it read the file: through its own #includes or those of a source
  /// that includes it.
  bool sees(std::uint32_t file, Id header) const { return bit(together_, file, header); }
  /// By its own #includes.
  bool includes(std::uint32_t file, Id header) const { return bit(alone_, file, header); }
  /// Whether wherever a compiler reads the file, one of `gates` has been read, for sure and with all that it brings,
  /// before `header` may have been. False where that is not known.
  bool had_before(std::uint32_t file, Id header, const std::vector<Id>& gates);
  /// Whether wherever a compiler reads the file with `header`, one of `gates`, a standard header, has surely been read
  /// before anything that stands behind `header` names `word` or changes what the gate says: it says the same to all
  /// if `header` brings it. False where that is not known.
  bool has_anyway(std::uint32_t file, Id header, const std::vector<Id>& gates, std::uint64_t word);
  /// Whether something behind `header`, and before the last #include, may change what a standard header says.
  bool is_meddled(std::uint32_t file, Id header);
  /// Sources that are compiled by themselves and may read the file.
  const std::vector<std::uint32_t>& units_of(std::uint32_t file);
  /// Files that a compiler may read with this one.
  std::vector<std::uint32_t> reach_of(std::uint32_t unit) const;

 private:
  using Row = std::vector<std::uint64_t>;
  bool bit(const std::vector<Row>& rows, std::uint32_t file, Id header) const;
  std::vector<Row> rows_of_headers() const;
  bool is_made_by_scripts(const UseInclude& include) const;
  void look(const std::vector<Row>& headers);
  bool spread(std::vector<Row>& rows, const std::vector<std::vector<std::uint32_t>>& edges) const;
  /// What a unit may read from the first header on that may be the one asked about.
  struct Behind {
    /// What stands between its #includes; that and what is ahead of them; all.
    enum class Part { kBetween, kBegin, kWhole };
    struct Step {
      std::uint32_t file = 0;
      Part part = Part::kWhole;
      bool meddles = false;  ///< May change what a standard header says.
    };
    std::vector<Step> steps;
    std::unordered_map<Id, std::size_t> read;  ///< A header -> the steps before it has surely been read.
    bool meddled = false;
    bool begun = false;
    std::vector<char> seen, passed;
    std::vector<std::uint32_t> open;  ///< The unit, and the file that it includes, and so on.
  };
  const Behind& behind(std::uint32_t unit, Id header);
  void walk_behind(std::uint32_t file, Id header, Behind& out) const;
  void begin(Behind& out) const;
  void step(std::uint32_t file, Behind::Part part, Behind& out) const;
  /// Something that is no file of the build may change what a standard header says.
  void meddle(Behind& out) const;
  void pass_over(std::uint32_t file, Behind& out) const;
  void put_read(const std::vector<Id>& headers, Behind& out) const;
  static bool has_part(const UseFile& file, std::uint32_t word, Behind::Part part);
  bool meddles(std::uint32_t file, Behind::Part part) const;
  bool may_include(const UseInclude& include, Id header) const;

  const std::unordered_set<Id>& surely_before(std::uint32_t unit, Id header);
  bool walk(std::uint32_t file, Id header, std::vector<char>& seen, std::vector<Id>& had) const;

  const HeaderGraph& graph_;
  const Use& use_;
  const Meddling& meddling_;
  std::unordered_map<Id, std::size_t> place_;              ///< Of a header in the rows.
  std::size_t wide_ = 0;                                   ///< Of a row, in numbers of 64 bits.
  std::vector<std::vector<Id>> meant_, surely_;            ///< Of each of Use::includes.
  std::vector<std::vector<std::uint32_t>> next_, before_;  ///< Files that a file may include, and the other way.
  std::vector<Row> alone_, together_, includes_;           ///< Of each file; of each of Use::includes.
  std::map<std::uint32_t, std::vector<std::uint32_t>> units_;
  std::map<std::pair<std::uint32_t, Id>, std::unordered_set<Id>> sure_;
  std::map<std::pair<std::uint32_t, Id>, Behind> behind_;
};

}  // namespace nacre::package
