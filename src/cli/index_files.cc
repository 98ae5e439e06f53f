#include "cli/index_files.h"

#include "apk/dependency.h"
#include "apk/index_file.h"
#include "apk/version.h"
#include "base/events.h"
#include "base/text.h"
#include "cli/lookup.h"
#include "cli/melange_common.h"
#include "index/index.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::cli {
namespace {

using codec::Json;

constexpr std::uint64_t kMaxIndexBytes = 256u << 20;
constexpr std::size_t kShownNames = 8;  ///< Of missing providers, in a note.

bool for_every_arch(const std::string& arch) { return arch == "noarch" || arch == "all"; }

/// How the index is signed, and what that asks of the packages.
struct Signing {
  apk::SegmentSigner signer;            ///< Empty: unsigned.
  std::optional<Edition> edition;       ///< Set: its key signs, and must have signed every package.
  std::optional<crypto::PublicKey> key;
};

Result<Signing> signing_of(const Arguments& arguments, Session& session) {
  Signing out;
  const std::string file = arguments.text("--signing-key");
  if (arguments.flag("--unsigned") && !file.empty())
    return Error::make(ErrorKind::kInvalid, "--unsigned and --signing-key exclude each other");
  if (arguments.flag("--unsigned")) return out;
  if (!file.empty()) {
    out.signer = TRY(signer_of_file(file));
    return out;
  }
  out.edition = TRY(edition_of(arguments));
  out.key = TRY(session.signer.public_key(*out.edition, crypto::Purpose::kPackage));
  out.signer = index::segment_signer(session.signer, *out.edition);
  return out;
}

/// An index of one edition holds nothing that another signed.
Result<> check_signer(const apk::PackageFile& package, const std::string& file, const Signing& signing) {
  if (!signing.edition) return {};
  const std::string wanted = crypto::public_key_name(*signing.edition, crypto::Purpose::kPackage);
  if (package.key_name != wanted)
    return Error::make(ErrorKind::kDenied, "'{}' is signed by '{}', expected '{}' of edition {}", file,
                       package.key_name.empty() ? "nobody" : package.key_name, wanted, name_of(*signing.edition))
        .hint("an index holds packages of one edition; --signing-key signs with a key of your own");
  const std::string control = TRY(apk::read_segment(package.path, package.control));
  TRY(signing.key->verify(control, package.signature_bytes), "checking the signature of '{}'", file);
  return {};
}

/// The records that come together, those of an index that was there before among them.
class Collection {
 public:
  explicit Collection(const Arguments& arguments) : arguments_(arguments) {}

  Result<> read_old(const Signing& signing) {
    const std::string file = arguments_.text("--index");
    if (file.empty()) {
      if (arguments_.flag("--merge") || arguments_.flag("--prune-origin"))
        return Error::make(ErrorKind::kInvalid, "--merge and --prune-origin are about an index: --index FILE");
      return {};
    }
    if (!os::exists(file)) return {};  // as with apk: the first time there is none
    const std::string bytes = TRY(os::read_file(file, kMaxIndexBytes));
    apk::IndexFile index = TRY(apk::read_index(bytes, file));
    if (signing.edition && (index.signature_bytes.empty() || !signing.key->verify(index.signed_bytes,
                                                                                   index.signature_bytes)))
      return Error::make(ErrorKind::kDenied, "the index '{}' is not signed by the key of edition {}", file,
                         name_of(*signing.edition))
          .hint("what it says would leave here with a good signature; --signing-key signs with a key of your own");
    description_ = std::move(index.description);
    std::error_code error;
    old_time_ = std::filesystem::last_write_time(file, error);
    for (apk::IndexRecord& record : index.records) {
      const std::string name = fmt::format("{}-{}.apk", record.name, record.version);
      old_.insert_or_assign(name, std::move(record));
    }
    return {};
  }

  /// A package; its record out of the old index when that is newer than the file and says its size, as apk does.
  Result<> add(const std::string& file, const Signing& signing) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(file, error);
    const std::uint64_t size = error ? 0 : std::filesystem::file_size(file, error);
    const auto known = old_.find(Path(file).filename().string());
    if (!error && known != old_.end() && known->second.size_bytes == size && time <= old_time_) {
      ++reused_;
      take(known->second);
      return {};
    }
    const apk::PackageFile package = TRY(apk::read_package(file), "indexing '{}'", file);
    TRY(check_signer(package, file, signing));
    const std::vector<std::string> archs = arguments_.list("--arch");
    apk::IndexRecord record = package.record();
    if (!archs.empty() && !for_every_arch(record.arch) &&
        std::find(archs.begin(), archs.end(), record.arch) == archs.end()) {
      left_out_.push_back(file);
      return {};
    }
    if (const std::string arch = arguments_.text("--rewrite-arch"); !arch.empty()) record.arch = arch;
    ++indexed_;
    take(std::move(record));
    return {};
  }

  /// What stays of the old index.
  void merge_old() {
    if (!arguments_.flag("--merge")) return;
    const bool prune = arguments_.flag("--prune-origin");
    for (const auto& [name, record] : old_)
      if (!prune || record.origin.empty() || !origins_.contains(record.origin))
        records_.try_emplace({record.name, record.version, record.arch}, record);
  }

  /// In apk's order: by name, then by version.
  std::vector<apk::IndexRecord> sorted(const std::string& arch) const {
    std::vector<apk::IndexRecord> out;
    for (const auto& [key, record] : records_)
      if (arch.empty() || record.arch == arch || for_every_arch(record.arch)) out.push_back(record);
    std::stable_sort(out.begin(), out.end(), [](const apk::IndexRecord& a, const apk::IndexRecord& b) {
      return a.name != b.name ? a.name < b.name : apk::compare_versions(a.version, b.version) < 0;
    });
    return out;
  }

  std::set<std::string> archs() const {
    std::set<std::string> out;
    for (const auto& [key, record] : records_)
      if (!for_every_arch(record.arch)) out.insert(record.arch);
    return out;
  }

  std::string description() const {
    const std::string given = arguments_.text("--description");
    return given.empty() ? description_ : given;
  }
  std::size_t indexed() const { return indexed_; }
  std::size_t reused() const { return reused_; }
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  void take(apk::IndexRecord record) {
    if (!record.origin.empty()) origins_.insert(record.origin);
    const std::tuple key(record.name, record.version, record.arch);
    records_.insert_or_assign(key, std::move(record));
  }

  const Arguments& arguments_;
  std::string description_;
  std::filesystem::file_time_type old_time_ = std::filesystem::file_time_type::min();
  std::map<std::string, apk::IndexRecord> old_;  ///< By file name.
  std::map<std::tuple<std::string, std::string, std::string>, apk::IndexRecord> records_;
  std::set<std::string> origins_;
  std::vector<std::string> left_out_;
  std::size_t indexed_ = 0, reused_ = 0;
};

/// Names that are depended on and that nothing in the index gives.
std::vector<std::string> without_provider(const std::vector<apk::IndexRecord>& records) {
  std::set<std::string, std::less<>> given, wanted;
  for (const apk::IndexRecord& record : records) {
    given.insert(record.name);
    for (const std::string& provide : record.provides) given.insert(apk::parse_provide(provide).name);
  }
  for (const apk::IndexRecord& record : records)
    for (const std::string& text : record.depends)
      if (const auto atom = apk::read_dependency(text); atom && !atom->conflict) wanted.emplace(atom->name);
  std::vector<std::string> out;
  std::set_difference(wanted.begin(), wanted.end(), given.begin(), given.end(), std::back_inserter(out));
  return out;
}

}  // namespace

Result<int> index_files(const Arguments& arguments, Session& session) {
  const Signing signing = TRY(signing_of(arguments, session));
  Collection collection(arguments);
  TRY(collection.read_old(signing));
  for (const std::string& file : arguments.list("FILE")) TRY(collection.add(file, signing));
  collection.merge_old();
  const std::string folder = arguments.text("--out-dir");
  std::vector<std::pair<std::string, Path>> outputs;  // architecture ("": all), file
  if (folder.empty()) {
    outputs.emplace_back("", arguments.text("--out"));
  } else {
    for (const std::string& arch : collection.archs())
      outputs.emplace_back(arch, Path(folder) / arch / "APKINDEX.tar.gz");
    if (outputs.empty())
      return Error::make(ErrorKind::kInvalid, "no package is for an architecture: in which directory would they stand?")
          .hint("--out FILE writes an index of what is for every architecture");
  }
  std::string description = collection.description();
  if (description.empty() && signing.edition) description = index::index_description(*signing.edition, 0);
  Json rows = Json::array();
  std::string text;
  for (const auto& [arch, file] : outputs) {
    const std::vector<apk::IndexRecord> records = collection.sorted(arch);
    const std::string bytes = TRY(apk::pack_index(records, description, signing.signer));
    if (file.has_parent_path()) TRY(os::make_dirs(file.parent_path()));
    TRY(os::write_file(file, bytes));
    const std::vector<std::string> missing = without_provider(records);
    if (!missing.empty() && !arguments.flag("--no-warnings")) {
      const std::vector<std::string> shown(missing.begin(),
                                           missing.begin() + static_cast<std::ptrdiff_t>(
                                                                 std::min(missing.size(), kShownNames)));
      session.env.events.emit(
          {.kind = EventKind::kNote,
           .name = file.string(),
           .detail = fmt::format("nothing in it gives {}{}", join(shown, ", "),
                                 missing.size() > kShownNames
                                     ? fmt::format(" and {} more", missing.size() - kShownNames)
                                     : std::string())});
    }
    Json row;
    row.set("file", file.string()).set("packages", records.size()).set("unsatisfied", Json::strings(missing));
    if (!arch.empty()) row.set("arch", arch);
    rows.push(std::move(row));
    text += fmt::format("{}: {} packages{}\n", file.string(), records.size(),
                        signing.edition ? fmt::format(" of edition {}", name_of(*signing.edition)) : std::string());
  }
  Json json;
  json.set("indexes", std::move(rows)).set("indexed", collection.indexed()).set("reused", collection.reused());
  json.set("leftOut", Json::strings(collection.left_out())).set("signed", static_cast<bool>(signing.signer));
  for (const std::string& file : collection.left_out())
    text += fmt::format("left out {}: another architecture\n", file);
  if (collection.reused() > 0) text += fmt::format("{} read from the index before\n", collection.reused());
  session.print(session.json ? codec::to_pretty_json(json.set("description", description)) : text);
  return 0;
}

std::vector<Option> index_file_options() {
  return {{"--out", OptionType::kText, "FILE", "APKINDEX.tar.gz", "where the index of FILE … goes",
           Completion::kFile},
          {"--out-dir", OptionType::kText, "DIR", "",
           "instead: one index for each architecture, DIR/ARCH/APKINDEX.tar.gz", Completion::kFolder},
          {"--index", OptionType::kText, "FILE", "", "an index made before: what it knows of a file is not read again",
           Completion::kFile},
          {"--merge", OptionType::kFlag, "", "", "keep what --index holds beside FILE …"},
          {"--prune-origin", OptionType::kFlag, "", "",
           "with --merge: not the other packages of an origin that FILE … has"},
          {"--description", OptionType::kText, "TEXT", "", "the index's description; else that of --index"},
          {"--arch", OptionType::kList, "ARCH", "", "only packages for this architecture", Completion::kArch},
          {"--rewrite-arch", OptionType::kText, "ARCH", "", "say this architecture of FILE …", Completion::kArch},
          {"--signing-key", OptionType::kText, "FILE", "", "sign with this private RSA key, not the edition's",
           Completion::kFile},
          {"--unsigned", OptionType::kFlag, "", "", "do not sign"},
          {"--no-warnings", OptionType::kFlag, "", "", "do not say which dependencies nothing in the index gives"}};
}

}  // namespace nacre::cli
