#include "cli/solve_input.h"

#include "apk/index_file.h"
#include "base/text.h"
#include "cli/lookup.h"
#include "cli/repository_root.h"
#include "codec/digest.h"
#include "index/freshness.h"
#include "index/repositories.h"

#include <filesystem>
#include <map>

namespace nacre::cli {
namespace {

constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{512} << 20, kMaxWorldBytes = std::uint64_t{1} << 20;

/// The index of a repository whose root is trusted (`nacre repo trust`): the one that its metadata names, and no other.
/// Nothing for the rest.
Result<std::optional<std::string>> read_fresh(const std::string& place, const Arch& arch, Env& env) {
  std::optional<std::string> out;
  const auto line = index::parse_repository_line(place);
  if (!line) return out;
  const std::string folder = fmt::format("{}/{}", line->base, arch.apk);
  const index::Fetcher fetcher = TRY(index::Fetcher::make(env, index::Reach::kOnline));
  const auto fresh =
      TRY(index::check_freshness(env, fetcher, line->base, fmt::format("{}/APKINDEX.tar.gz", arch.apk)));
  if (!fresh) return out;
  if (fresh->consistent)
    out = TRY(fetcher.read_if_there(fmt::format("{}/{}", folder, index::consistent_name(fresh->digest)), fresh->size));
  if (!out) out = TRY(fetcher.read(folder + "/APKINDEX.tar.gz", kMaxIndexBytes));
  if (const Sha256 found = codec::sha256(*out); found != fresh->digest)
    return Error::make(ErrorKind::kDenied, "the index of '{}' is {}, its metadata names {}",
                       index::safe_place(line->base), found.oci(), fresh->digest.oci())
        .hint("a mirror changed it, or it is of another time than the metadata");
  return out;
}

/// A line of a list of repositories; also a file, which may be an index that stands in no repository.
Result<index::RepositoryLine> repository_of(const std::string& line) {
  std::error_code error;
  if (std::filesystem::is_regular_file(line, error)) return index::RepositoryLine{"", line};
  return index::parse_repository_line(line);
}

/// Records of an index: APKINDEX.tar.gz, or the text inside.
Result<std::vector<apk::IndexRecord>> records_of(const std::string& base, const Arch& arch, Session& session) {
  std::string file = base;
  std::string bytes;
  if (auto fresh = TRY(read_fresh(base, arch, session.env))) {
    file = fmt::format("{}/{}/APKINDEX.tar.gz", base, arch.apk);
    bytes = *std::move(fresh);
  } else if (is_address(base)) {
    if (!base.ends_with(".gz")) file = fmt::format("{}/{}/APKINDEX.tar.gz", base, arch.apk);
    bytes = TRY(read_address(file, kMaxIndexBytes, session.env));
  } else {
    if (std::filesystem::is_directory(base)) {
      file = fmt::format("{}/{}/APKINDEX.tar.gz", base, arch.apk);
      if (!os::exists(file) && os::exists(base + "/APKINDEX.tar.gz")) file = base + "/APKINDEX.tar.gz";
    }
    if (!os::exists(file))
      return Error::make(ErrorKind::kNotFound, "the repository '{}' has no index '{}'", base, file)
          .hint("name the directory above the architecture's, an APKINDEX.tar.gz, or an APKINDEX");
    bytes = TRY(os::read_file(file, kMaxIndexBytes));
  }
  const std::string source = index::safe_place(file);
  if (!bytes.starts_with("\x1f\x8b")) return apk::parse_index(bytes, source);
  apk::IndexFile index = TRY(apk::read_index(bytes, source));
  return std::move(index.records);
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

solve::Pool SolveInput::pool(std::size_t arch, std::vector<solve::Origin>& origins) const {
  solve::Pool out;
  std::map<std::string, std::size_t> number;
  for (const solve::Candidate& candidate : candidates[arch]) {
    const auto [found, fresh] = number.try_emplace(candidate.repository, origins.size());
    if (fresh) origins.push_back({candidate.repository, 0});
    out.add(*candidate.record, found->second, true, candidate.fault);
  }
  out.finish();
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
          kSerialOption};
}

Result<SolveInput> read_solve_input(const Arguments& arguments, const std::vector<std::string>& atoms,
                                    Session& session) {
  SolveInput out;
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
    std::vector<solve::Candidate>& candidates = out.candidates.emplace_back();
    const auto take = [&](std::vector<apk::IndexRecord> records, const std::string& repository, Edition edition) {
      out.records.push_back(std::move(records));
      for (const apk::IndexRecord& record : out.records.back())
        candidates.push_back({&record, repository, edition, 0, {}});
    };
    for (const std::string& line : lines) {
      const index::RepositoryLine repository = TRY(repository_of(line));
      std::vector<apk::IndexRecord> records = TRY(records_of(repository.base, arch, session));
      take(std::move(records), repository.tag.empty() ? repository.base : "@" + repository.tag, Edition::kCommunity);
    }
    if (!lines.empty()) continue;
    const index::Serial serial = TRY(serial_of(arguments, session));
    std::vector<apk::IndexRecord> records;
    for (const index::SerialPackage& package : serial.packages)
      if (package.record.arch == arch.apk || package.record.arch == "noarch") records.push_back(package.record);
    const Edition edition = TRY(edition_of(arguments));
    take(std::move(records), fmt::format("serial {}", serial.number), edition);
  }
  if (out.archs.size() > 1) solve::keep_in_step(out.candidates);
  return out;
}

}  // namespace nacre::cli
