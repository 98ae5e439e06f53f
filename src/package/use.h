#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "os/file.h"
#include "os/read_mark.h"
#include "package/use_source.h"
#include "package/use_versions.h"

// What a build may have taken from the libraries of its root: every word that its tree holds once it is built, in files
// that somebody read, and which headers the file that holds it can see.
namespace nacre::package {

/// One #include of a source.
struct UseInclude {
  std::uint32_t path = 0;            ///< Of Use::includes.
  bool always = false;               ///< Stands in no condition.
  bool own = false;                  ///< The file beside it: no header of the root.
  std::vector<std::uint32_t> files;  ///< Of Use::files, that it may mean; ascending.
};

/// A source, or scripts that work together.
struct UseFile {
  bool script = false;    ///< Reaches the headers whose names are among its words.
  bool asks = false;      ///< A script, or data, of which nothing is compiled: no name in it is one of a header.
  bool unit = false;      ///< Compiled by itself.
  bool computed = false;  ///< Has an #include of what a macro names: may reach all.
  bool pastes = false;    ///< Makes names with ##.
  std::vector<UseInclude> includes;  ///< In their order.
  bool told = false;                 ///< The three that follow are known.
  /// Of Use::words: what it defines as macros or makes undefined, and kReachesOn.
  std::vector<std::uint32_t> defines;
  /// Of Use::words: what stands before its first #include, and from there to its last.
  std::vector<std::uint32_t> ahead, between;
};

struct Use {
  /// Hashes (word_hash) of all identifiers of its texts but documents, of what they are part of ("zlib.h",
  /// "xml2-config", "gtk+-3.0"), and "cmake:NAME" of what find_package asks for; sorted.
  std::vector<std::uint64_t> words;
  bool lines = false;                 ///< Compiled with debug information: where a header's lines stand counts.
  bool computed_includes = false;     ///< #include of what a macro names.
  bool pastes = false;                ///< Makes names with ##.
  bool asks_versions = false;         ///< Takes a library's version from pkg-config.
  bool links_static = false;          ///< Asks pkg-config for what a static link needs.
  std::string whole;                  ///< Names a program that reads headers as a whole ("bindgen"); empty: none.
  std::vector<std::string> versions;  ///< Its words that hold "version", in small letters.
  std::vector<std::string> numbers;   ///< Dotted numbers in files that say how to build.
  /// package/use_versions.h: words near those, sorted; of each number its words, of `near`; those by a variable.
  std::vector<std::string> near;
  std::vector<std::vector<std::uint32_t>> near_number;
  std::vector<std::uint32_t> by_variable;
  std::vector<std::string> taken;  ///< Modules whose version it takes from pkg-config.

  /// Where the words stand: files[0] are the scripts that may work together. One file that may reach all, where that
  /// is not known: in lists that were made before it was kept, and in builds too large or too strange.
  std::vector<UseFile> files;
  std::vector<std::string> includes;        ///< Paths of #includes, made normal: "sys/types.h".
  std::vector<std::string> paste_patterns;  ///< package/use_source.h.
  std::vector<std::uint32_t> where_begin;   ///< Of each word, and the end: its files in `where`.
  std::vector<std::uint32_t> where;         ///< Of `files`; ascending for each word.

  /// Of the packages that were made (docs/formats/abi.md), not part of the blob.
  std::set<std::string> imports, needed;

  bool has(std::uint64_t word) const;
  bool has(std::string_view word) const;
  /// The files that hold the word.
  std::span<const std::uint32_t> files_of(std::uint64_t word) const;
  /// Whether a file that says how to build, or data, has it.
  bool scripts_have(std::string_view word) const;
  /// All words in one file that may reach all.
  void put_all_together();
};

/// Collects a Use file by file.
class UseReader {
 public:
  /// What is added later may be compiled for another system: all branches of #if count.
  void read_all_branches() { branches_ = Branches::kAll; }
  /// `path`: below the trees of the build. Programs, archives and pictures are passed over, but for debug information.
  void add(std::string_view path, std::string_view bytes);
  /// A symlink of the trees.
  void add_link(std::string_view path, std::string_view target, bool to_directory);
  /// Files that were not taken for sources and that an #include may mean, each once; to be given to add_included.
  std::vector<std::string> included();
  void add_included(std::string_view path, std::string_view bytes);
  /// A FindNAME.cmake that the build's find_package ran: its words, but those about versions.
  void add_finder(std::string_view bytes);
  /// What find_package asked for so far, in small letters; "*": what a variable names.
  const std::set<std::string>& sought() const { return sought_; }
  /// kInvalid: more than 16 million words.
  Result<Use> finish();

 private:
  enum class Words { kAll, kFinder };
  struct RawInclude {
    std::string path;
    bool quoted = false, always = false;
  };
  struct Node {
    std::string path;
    UseFile file;
    std::vector<RawInclude> includes;
    std::vector<std::uint64_t> words, defines, ahead, between;
  };
  static constexpr std::uint32_t kNoNode = 0xffffffff;

  void add_code(std::string_view path, std::string_view bytes);
  void add_script(std::string_view path, std::string_view bytes, std::uint32_t at);
  void scan_source(const Source& source, bool builds, Node& node);
  void add_configure(std::string_view path, std::string_view bytes);
  void see(std::string_view path, std::uint32_t node);
  void forced_includes(std::string_view name, std::string_view bytes);
  void scan(std::string_view text, bool builds, Words which, std::vector<std::uint64_t>& into);
  void take(std::string_view run, bool builds, Words which, std::vector<std::uint64_t>& into);
  void put_versions(Use& out);
  void close(Node& node);
  void resolve(Use& out);
  std::vector<std::uint32_t> meant(const RawInclude& include, std::string_view includer, bool& own,
                                   std::set<std::string>* texts) const;

  Use out_;
  Branches branches_ = Branches::kOfThisSystem;
  bool full_ = false, links_ = false, unknown_ = false;
  std::size_t pairs_ = 0;
  static constexpr std::size_t kPools = 3;  ///< Nodes of many files: scripts, what becomes configure, and data.
  std::vector<Node> nodes_ = std::vector<Node>(kPools);
  /// Base name -> path, node (kNoNode: a document, or one of the scripts that are held together).
  std::unordered_map<std::string, std::vector<std::pair<std::string, std::uint32_t>>> by_base_;
  std::set<std::string> versions_, sought_, prefixes_, pastes_, told_;
  VersionTexts version_texts_;
  std::vector<std::uint64_t> finder_words_;
  std::set<std::string> folders_of_configure_, folders_of_autoconf_;
  std::vector<RawInclude> forced_;  ///< What a flag (-include) puts before every source.
};

/// Of the trees that a build left, and of the roots that it found modules of CMake in; of files that nobody read since
/// `mark` nothing. kInvalid when it is more than 8 GiB or 16 million words.
Result<Use> read_use(std::span<const os::Path> trees, std::span<const os::Path> roots,
                     const std::optional<os::ReadMark>& mark);

/// The path without "." and "..": "../a/./b.h" -> "a/b.h".
std::string plain_include(std::string_view path);

/// The form that is kept (docs/formats/use.md).
std::string use_to_bytes(const Use& use);
Result<Use> use_from_bytes(std::string_view bytes);

}  // namespace nacre::package
