#include "watch/source_files.h"

#include "base/text.h"
#include "build/git.h"
#include "codec/archive.h"
#include "os/process.h"
#include "store/store.h"
#include "watch/delta_steps.h"

#include <charconv>

namespace nacre::watch {
namespace {

using definition::Source;
using definition::Step;

constexpr std::uint64_t kMaxFileBytes = 8u << 20, kMaxBytes = 128u << 20;
constexpr std::string_view kSourceKind = "source";  ///< State records of the room build: name -> blob.

/// Walks as definition::Definition::sources is made, so that the two have the same order.
void add_parts(const std::vector<Step>& steps, const std::string& handed_down, std::vector<SourcePart>& out) {
  for (const Step& step : steps) {
    if (!step.enabled) continue;
    const std::string folder = folder_of(step, handed_down);
    if (step.uses == "fetch") {
      SourcePart& part = out.emplace_back();
      part.folder = workspace_path(folder, input_of(step, "directory"));
      part.unpacked = input_of(step, "extract") != "false";
      const std::string strip = input_of(step, "strip-components");
      (void)std::from_chars(strip.data(), strip.data() + strip.size(), part.strip);
    } else if (step.uses == "git-checkout") {
      out.emplace_back().folder = workspace_path(folder, input_of(step, "destination"));
    } else {
      add_parts(step.pipeline, folder, out);
    }
  }
}

/// Keeps what is wanted, within bounds.
class Keeper {
 public:
  Keeper(const WantFile& want, SourceFiles& out) : want_(want), out_(out) {}

  /// Whether the file that begins now is wanted.
  void begin(std::string path, std::uint64_t size) {
    current_ = nullptr;
    if (path.empty() || size > kMaxFileBytes || !want_(path)) return;
    current_ = &out_[std::move(path)];
    current_->clear();
  }
  Result<> add(std::string_view bytes) {
    if (current_ == nullptr) return {};
    total_ += bytes.size();
    if (total_ > kMaxBytes || current_->size() + bytes.size() > kMaxFileBytes)
      return Error::make(ErrorKind::kInvalid, "more to read than {}", human_bytes(kMaxBytes));
    *current_ += bytes;
    return {};
  }

 private:
  const WantFile& want_;
  SourceFiles& out_;
  std::string* current_ = nullptr;
  std::uint64_t total_ = 0;
};

/// tar's --strip-components: shorter paths vanish.
std::string stripped(std::string_view path, std::size_t count) {
  const auto parsed = TreePath::parse(path);
  if (!parsed) return {};
  std::string_view rest = parsed->str();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
  return std::string(rest);
}

Result<> read_file_source(const SourcePart& part, const StoredSource& stored, Keeper& keeper, Env& env) {
  if (!part.unpacked) {
    const std::string name = part.source.uri.substr(part.source.uri.rfind('/') + 1);
    const std::uint64_t size = TRY(env.store.size(stored.blob));
    keeper.begin(workspace_path(part.folder, name), size);
    if (size > kMaxFileBytes) return {};
    const std::string bytes = TRY(env.store.read(stored.blob));
    return keeper.add(bytes);
  }
  codec::TarReader::Visitor visitor;
  visitor.on_entry = [&](const codec::TarHeader& header) -> Result<> {
    const std::string inside = header.type == '0' ? stripped(header.path, part.strip) : std::string();
    keeper.begin(inside.empty() ? std::string() : workspace_path(part.folder, inside), header.size);
    return {};
  };
  visitor.on_data = [&](std::string_view bytes) { return keeper.add(bytes); };
  const os::Path archive = TRY(env.store.local(stored.blob));
  return codec::read_archive(archive, visitor);
}

Result<> read_git_source(const SourcePart& part, const StoredSource& stored, Keeper& keeper, Env& env) {
  const History history = TRY(History::open(stored.blob, env));
  const os::TempDir tree = TRY(os::TempDir::create(env.store.work_dir(), "source-"));
  TRY(history.check_out(stored.commit, tree.path()));
  const std::vector<os::TreeEntry> entries = TRY(os::walk_tree(tree.path()));
  for (const os::TreeEntry& entry : entries) {
    if (entry.type != os::FileType::kRegular || entry.size_bytes > kMaxFileBytes) continue;
    keeper.begin(workspace_path(part.folder, entry.path.str()), entry.size_bytes);
    const std::string bytes = TRY(os::read_beneath(tree.path(), entry.path));
    TRY(keeper.add(bytes));
  }
  return {};
}

}  // namespace

std::vector<SourcePart> source_parts(const definition::Definition& definition) {
  std::vector<SourcePart> out;
  add_parts(definition.pipeline, {}, out);
  for (const definition::Subpackage& sub : definition.subpackages) add_parts(sub.pipeline, {}, out);
  for (std::size_t i = 0; i < std::min(out.size(), definition.sources.size()); ++i)
    out[i].source = definition.sources[i];
  return out;
}

Result<std::optional<StoredSource>> stored_source(const Source& source, Env& env) {
  std::string name;
  if (source.kind == Source::Kind::kGit) {
    if (source.commit.empty()) return std::optional<StoredSource>();  // its name says nothing of its content
    name = build::git_source_name(source);
  } else if (const auto digest = parse_sha256(source.sha256); digest && !source.sha256.empty()) {
    const bool there = TRY(env.store.holds(*digest));
    if (!there) return std::optional<StoredSource>();
    return std::optional(StoredSource{*digest, ""});
  } else if (!source.sha512.empty()) {
    name = "sha512:" + source.sha512;
  } else {
    return std::optional<StoredSource>();
  }
  const auto known = TRY(env.store.state().get(kSourceKind, name));
  const auto digest = known ? parse_sha256(*known) : Result<Sha256>(Sha256{});
  bool there = known && digest;
  if (there) there = TRY(env.store.holds(*digest));
  if (!there) return std::optional<StoredSource>();
  const auto commit = TRY(env.store.state().get("git-commit", name));
  return std::optional(StoredSource{*digest, commit.value_or(source.commit)});
}

Result<> read_source_files(const SourcePart& part, const StoredSource& stored, const WantFile& want, Env& env,
                           SourceFiles& out) {
  Keeper keeper(want, out);
  if (part.source.kind == Source::Kind::kGit) return read_git_source(part, stored, keeper, env);
  return read_file_source(part, stored, keeper, env);
}

namespace {

os::Command git_command(const os::Path& repository, std::vector<std::string> arguments) {
  os::Command out;
  out.argv = {"git", "--git-dir=" + repository.string(), "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*",
              "-c",  "advice.detachedHead=false"};
  out.argv.insert(out.argv.end(), arguments.begin(), arguments.end());
  out.inherit_env = true;
  out.env = {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"};
  out.timeout_seconds = 600;
  return out;
}

}  // namespace

Result<History> History::open(const Sha256& blob, Env& env) {
  TRY(os::make_dirs(env.store.work_dir()));
  os::TempDir place = TRY(os::TempDir::create(env.store.work_dir(), "history-"));
  const os::Path archive = TRY(env.store.local(blob));
  os::Command command;
  command.argv = {"tar", "-x", "--no-same-owner", "-C", place.path().string(), "-f", archive.string()};
  command.inherit_env = true;
  TRY(os::run_or_fail(env.processes, command, env.stop), "unpacking a git history");
  return History(std::move(place), env);
}

Result<bool> History::has(const std::string& ancestor, const std::string& commit) const {
  const os::Command command =
      git_command(place_.path() / "repository.git", {"merge-base", "--is-ancestor", ancestor, commit});
  const os::Exit exit = TRY(env_.processes.run(command, env_.stop));
  return exit.ok();
}

Result<> History::check_out(const std::string& commit, const os::Path& folder) const {
  const os::Command command =
      git_command(place_.path() / "repository.git",
                  {"--work-tree=" + folder.string(), "checkout", "--quiet", "--force", commit, "--", "."});
  TRY(os::run_or_fail(env_.processes, command, env_.stop), "checking out {}", commit);
  return {};
}

}  // namespace nacre::watch
