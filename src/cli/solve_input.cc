#include "cli/solve_input.h"

#include "apk/index_file.h"
#include "base/text.h"
#include "cli/at.h"
#include "cli/lookup.h"
#include "codec/digest.h"
#include "index/follow_index.h"
#include "index/freshness.h"
#include "index/repositories.h"
#include "store/store.h"

#include <filesystem>
#include <map>

namespace nacre::cli {
namespace {

constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{512} << 20, kMaxWorldBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxPoolBytes = std::uint64_t{1} << 30;
constexpr std::string_view kPoolKind = "solver-pool";   ///< Indexes -> blob: the solver's pool.

/// The index of a repository whose root is trusted (`nacre repo trust`): the one that its metadata names, and no other.
/// Nothing for the rest.
Result<std::optional<index::Fetched>> fetch_fresh(const std::string& place, const Arch& arch,
                                                  const index::Fetcher& fetcher, Env& env) {
  std::optional<index::Fetched> out;
  const auto line = index::parse_repository_line(place);
  if (!line) return out;
  const std::string folder = fmt::format("{}/{}", line->base, arch.apk);
  const auto fresh =
      TRY(index::check_freshness(env, fetcher, line->base, fmt::format("{}/APKINDEX.tar.gz", arch.apk)));
  if (!fresh) return out;
  if (fresh->consistent) {
    auto named = fetcher.fetch(fmt::format("{}/{}", folder, index::consistent_name(fresh->digest)), fresh->size);
    if (!named && named.error().kind() != ErrorKind::kNotFound) return std::move(named).error();
    if (named) out = *std::move(named);
  }
  if (!out) out = TRY(fetcher.fetch(folder + "/APKINDEX.tar.gz", kMaxIndexBytes));
  if (out->digest != fresh->digest)
    return Error::make(ErrorKind::kDenied, "the index of '{}' is {}, its metadata names {}",
                       index::safe_place(line->base), out->digest.oci(), fresh->digest.oci())
        .hint("a mirror changed it, or it is of another time than the metadata");
  return out;
}

/// A line of a list of repositories; also a file, which may be an index that stands in no repository.
Result<index::RepositoryLine> repository_of(const std::string& line) {
  std::error_code error;
  if (std::filesystem::is_regular_file(line, error)) return index::RepositoryLine{"", line};
  return index::parse_repository_line(line);
}

/// An index as it is: APKINDEX.tar.gz, or the text inside.
Result<SolveSource> fetch_source(const std::string& base, const Arch& arch, const index::Fetcher& fetcher, Env& env) {
  SolveSource out;
  out.repository = out.file = base;
  if (auto fresh = TRY(fetch_fresh(base, arch, fetcher, env))) {
    out.file = fmt::format("{}/{}/APKINDEX.tar.gz", base, arch.apk);
    out.fetched = *std::move(fresh);
    return out;
  }
  if (index::is_address(base)) {
    if (!base.ends_with(".gz")) out.file = fmt::format("{}/{}/APKINDEX.tar.gz", base, arch.apk);
  } else {
    if (std::filesystem::is_directory(base)) {
      out.file = fmt::format("{}/{}/APKINDEX.tar.gz", base, arch.apk);
      if (!os::exists(out.file) && os::exists(base + "/APKINDEX.tar.gz")) out.file = base + "/APKINDEX.tar.gz";
    }
    if (!os::exists(out.file))
      return Error::make(ErrorKind::kNotFound, "the repository '{}' has no index '{}'", base, out.file)
          .hint("name the directory above the architecture's, an APKINDEX.tar.gz, or an APKINDEX");
  }
  out.fetched = TRY(fetcher.fetch(out.file, kMaxIndexBytes));
  return out;
}

/// The world as a file holds it: atoms parted by blanks and lines, '#' begins a comment.
Result<> read_world(const std::string& file, solve::World& into) {
  const std::string text = TRY(os::read_file(file, kMaxWorldBytes));
  int line_number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++line_number;
    const std::string_view code = std::string_view(line).substr(0, std::min(line.find('#'), line.size()));
    for (const std::string& word : split_words(code)) {
      into.atoms.push_back(word);
      into.places.push_back({file, line_number, static_cast<int>(line.find(word)) + 1});
    }
  }
  return {};
}

}  // namespace

/// The mapped form of a source's index, made now when the store has none.
Result<index::KeptIndex> SolveInput::index_of(const SolveSource& source) const {
  store::Store& store = env_->store;
  auto kept = TRY(index::find_kept_index(store, source.fetched.digest));
  if (kept) return *std::move(kept);
  const std::string bytes = TRY(fetcher_.bytes_of(source.fetched, kMaxIndexBytes));
  const std::string place = index::safe_place(source.file);
  if (!bytes.starts_with("\x1f\x8b")) return index::keep_index(store, source.fetched.digest, bytes, place);
  const apk::IndexText index = TRY(apk::unpack_index(bytes, place));
  index::KeptIndex out =
      TRY(index::keep_index(store, source.fetched.digest, index.text, place), "reading the index '{}'", place);
  return out;
}

Result<> SolveInput::read(SolveSource& source) {
  if (source.file.empty() || !source.records.empty()) return {};
  const index::KeptIndex index = TRY(index_of(source));
  for (const apk::PackageNumber i : index::in_text_order(index))
    source.records.push_back(apk::to_record(index->record(i)));
  return {};
}

Result<std::vector<solve::Candidate>> SolveInput::candidates(std::size_t arch) {
  std::vector<std::vector<solve::Candidate>> all;
  for (std::vector<SolveSource>& of_arch : sources) {
    std::vector<solve::Candidate>& into = all.emplace_back();
    for (SolveSource& source : of_arch) {
      TRY(read(source));
      for (const apk::IndexRecord& record : source.records)
        into.push_back({&record, source.repository, source.edition, 0, {}});
    }
  }
  if (all.size() > 1) solve::keep_in_step(all);
  return std::move(all.at(arch));
}

/// All that decides what is in the pool of an architecture; empty when a source has no digest.
std::string SolveInput::question(std::size_t arch) const {
  std::string out = fmt::format("solve {}\n", arch);
  for (const std::vector<SolveSource>& of_arch : sources) {
    out += "architecture\n";
    for (const SolveSource& source : of_arch) {
      if (source.file.empty()) return {};
      out += fmt::format("{} {}\n", source.fetched.digest.hex(), source.repository);
    }
  }
  return out;
}

Result<solve::Pool> SolveInput::pool(std::size_t arch, std::vector<solve::Origin>& origins) {
  std::map<std::string, std::size_t> number;
  for (const SolveSource& source : sources.at(arch))
    if (number.try_emplace(source.repository, origins.size()).second) origins.push_back({source.repository, 0});
  if (origins.size() > solve::Pool::kMaxSources)
    return Error::make(ErrorKind::kInvalid, "packages come from more than {} repositories", solve::Pool::kMaxSources);
  store::Store& store = env_->store;
  const std::string text = question(arch), key = codec::sha256(text).hex();
  if (const auto name = TRY(store.state().get(kPoolKind, key)); name && !text.empty()) {
    const auto blob = parse_sha256(*name);
    auto bytes = blob ? store.read(*blob, kMaxPoolBytes) : Result<std::string>(std::string());
    if (bytes && codec::sha256(*bytes) == blob) {
      auto opened = solve::Pool::from_bytes(bytes_.emplace_back(*std::move(bytes)));
      if (opened) return opened;
    }
  }
  solve::Pool out;
  const std::vector<solve::Candidate> all = TRY(candidates(arch));
  for (const solve::Candidate& candidate : all)
    out.add(*candidate.record, number.at(candidate.repository), true, candidate.fault);
  out.finish();
  if (text.empty()) return out;
  const Sha256 blob = TRY(store.put_bytes(out.to_bytes(), store::Store::Durability::kLater));
  TRY(store.state().put(kPoolKind, key, blob.hex()));
  return out;
}

std::vector<Option> solve_options() {
  const std::string help =
      "repository: directory, APKINDEX file or address, \"@tag REPO\" for a tagged one; again for more";
  return {{"--arch", OptionType::kList, "ARCH", "", "architecture (default: host); several are kept in step",
           Completion::kArch},
          {"-r", OptionType::kList, "REPO", "", help, Completion::kFolder},
          {"--repository", OptionType::kList, "REPO", "", "the same as -r", Completion::kFolder},
          {"--world", OptionType::kText, "FILE", "", "read atoms from a file, too", Completion::kFile},
          {"--rules", OptionType::kText, "RULES", "apk", "whose choice: apk, apko, or image (as images are made)",
           Completion::kNone},
          kEditionOption,
          kSerialOption,
          kAtOption};
}

Result<SolveInput> read_solve_input(const Arguments& arguments, const std::vector<std::string>& atoms,
                                    Session& session) {
  Env& env = session.env;
  index::Fetcher fetcher = TRY(index::Fetcher::make(env, index::Reach::kOnline));
  SolveInput out(env, fetcher);
  const std::string rules = arguments.text("--rules");
  if (rules != "apk" && rules != "apko" && rules != "image")
    return Error::make(ErrorKind::kInvalid, "--rules is apk, apko or image, not '{}'", rules);
  out.options.choice = rules == "apk" ? solve::Options::Choice::kApk : solve::Options::Choice::kApko;
  out.options.apko_language = rules == "apko";
  out.options.mixing = solve::Options::Mixing::kAny;
  for (const std::string& name : arguments.list("--arch")) {
    const Arch arch = TRY(find_arch(name));
    out.archs.push_back(arch);
  }
  if (out.archs.empty()) out.archs.push_back(host_arch());
  if (const std::string file = arguments.text("--world"); !file.empty()) TRY(read_world(file, out.world));
  out.world.places.resize(out.world.atoms.size());
  for (std::size_t i = 0; i < atoms.size(); ++i) {
    out.world.atoms.push_back(atoms[i]);
    out.world.places.emplace_back();  // the command line says itself where it is
  }

  std::vector<std::string> lines = arguments.list("-r");
  for (const std::string& line : arguments.list("--repository")) lines.push_back(line);
  for (const Arch& arch : out.archs) {
    std::vector<SolveSource>& sources = out.sources.emplace_back();
    for (const std::string& line : lines) {
      const index::RepositoryLine repository = TRY(repository_of(line));
      sources.push_back(TRY(fetch_source(repository.base, arch, fetcher, env)));
      if (!repository.tag.empty()) sources.back().repository = "@" + repository.tag;
    }
    if (!lines.empty()) continue;
    const index::Serial serial = TRY(serial_of(arguments, session));
    SolveSource& source = sources.emplace_back();
    source.repository = fmt::format("serial {}", serial.number);
    source.edition = TRY(edition_of(arguments));
    for (const index::SerialPackage& package : serial.packages)
      if (package.record.arch == arch.apk || package.record.arch == "noarch") source.records.push_back(package.record);
  }
  return out;
}

}  // namespace nacre::cli
