#include "cli/build_engine.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <set>

#include "apk/unpack_tar.h"
#include "base/events.h"
#include "base/text.h"
#include "build/order.h"
#include "cli/distribution.h"
#include "cli/parallel.h"
#include "codec/digest.h"
#include "engine/local_executor.h"
#include "engine/reapi.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

using engine::Digest;

// What an engine may claim that an output has; a lie beyond this costs nothing.
constexpr std::uint64_t kMaxReport = 16u << 20, kMaxLog = 300u << 20, kMaxKept = 64u << 20,
                        kMaxPackages = std::uint64_t{32} << 30;
constexpr std::size_t kMaxLine = 4096;  ///< Of a log, as it is shown.

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// "NAME=VALUE,NAME=VALUE"
Result<engine::Properties> parse_platform(std::string_view text) {
  engine::Properties out;
  for (const std::string& part : split(text, ',')) {
    if (trim(part).empty()) continue;
    const std::size_t equals = part.find('=');
    if (equals == part.npos || equals == 0)
      return Error::make(ErrorKind::kInvalid, "expected NAME=VALUE, got '{}'", part);
    out.emplace_back(trim(part.substr(0, equals)), trim(part.substr(equals + 1)));
  }
  return out;
}

Result<engine::Blob> blob_of_file(const Path& file) {
  const std::string bytes = TRY(os::read_file(file, std::uint64_t{1} << 30));
  return engine::Blob{engine::digest_of(bytes), "", file};
}

/// What the loader says that a program needs: "libz.so.1 => /lib/libz.so.1 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)".
Result<std::vector<Path>> libraries_of(const Path& program, Env& env) {
  os::Command command;
  command.argv = {program.string()};
  command.env = {"LD_TRACE_LOADED_OBJECTS=1"};
  const std::string text =
      TRY(os::run_or_fail(env.processes, command, env.stop), "listing the libraries of '{}'", program.string());
  std::vector<Path> out;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = split_words(line);
    const auto path =
        std::find_if(words.begin(), words.end(), [](const std::string& word) { return word.starts_with('/'); });
    if (path != words.end()) out.emplace_back(*path);
    else if (words.size() > 2 && words[1] == "=>")
      return Error::make(ErrorKind::kNotFound, "'{}' needs {}, which is not there", program.string(), words[0]);
  }
  return out;
}

/// The loader is the one that no arrow leads to.
bool is_loader(const Path& file) { return file.filename().string().starts_with("ld-linux"); }

/// Paths of the workspace that are read after a build: texts of licences.
std::vector<std::string> kept_paths(const definition::Definition& definition) {
  std::vector<std::string> out;
  for (const definition::Copyright& entry : definition.copyright)
    if (!entry.license_path.empty()) out.push_back(entry.license_path);
  return out;
}

Result<engine::Blob> stored(store::Store& store, const Sha256& content) {
  const std::uint64_t size = TRY(store.size(content));
  const Path file = TRY(store.local(content));
  return engine::Blob{{content, size}, "", file};
}

/// One output, checked, in a file.
Result<> fetch_output(engine::Cas& cas, const engine::ActionResult& result, std::string_view path,
                      std::uint64_t max_bytes, const Path& to) {
  const engine::File* file = result.find(path);
  if (file == nullptr) return Error::make(ErrorKind::kUnavailable, "the action left no '{}'", path);
  if (file->digest.size > max_bytes)
    return Error::make(ErrorKind::kDenied, "the engine says that '{}' has {}, at most {} were expected", path,
                       human_bytes(file->digest.size), human_bytes(max_bytes));
  os::AtomicFile out = TRY(os::AtomicFile::create(to));
  TRY(cas.fetch(file->digest, [&](std::string_view bytes) { return out.write(bytes); }), "fetching '{}'", path);
  return out.commit();
}

/// The last lines of what a command printed.
std::string tail_of(std::string_view text) {
  std::vector<std::string> lines = split(trim(text), '\n');
  if (lines.size() > 20) lines.erase(lines.begin(), lines.end() - 20);
  std::string out;
  for (std::string& line : lines) {
    for (char& c : line)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) c = ' ';
    out += "\n    " + line.substr(0, 400);
  }
  return out;
}

/// A result without a report: the worker could not even begin.
Error no_report(engine::Cas& cas, const engine::ActionResult& result) {
  std::string printed = result.out + result.err;
  for (const std::optional<Digest>& blob : {result.out_blob, result.err_blob}) {
    if (!blob) continue;
    auto text = cas.get(*blob, 4u << 20);
    if (text) printed += *text;
  }
  return Error::make(ErrorKind::kUnavailable, "the worker ended with exit code {} and left no report{}",
                     result.exit_code, tail_of(printed));
}

/// A log that nobody saw while it was written.
Result<> show_log(const Path& file, const Task& task) {
  const std::string text = TRY(os::read_file(file, kMaxLog));
  for (const std::string& line : split(trim(text), '\n')) task.output(net::printable(line, kMaxLine));
  return {};
}

/// The packages' directories, and nothing that the definition does not make.
Result<> check_packages(const build::BuildReport& report, const definition::Definition& definition,
                        const Path& output) {
  if (report.packages != package_names(definition))
    return Error::make(ErrorKind::kDenied, "the engine built {} where {} was asked for", join(report.packages, ", "),
                       join(package_names(definition), ", "));
  for (const std::string& name : report.packages) {
    struct stat status {};
    if (::lstat((output / name).c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
      return Error::make(ErrorKind::kDenied, "the engine sent no directory for '{}'", name);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<BuildEngine>> BuildEngine::open(const std::string& where, Session& session) {
  std::shared_ptr<BuildEngine> out(new BuildEngine(session));
  TRY(out->connect(where), "opening the engine '{}'", where);
  return out;
}

Result<> BuildEngine::connect(const std::string& where) {
  Env& env = session_.env;
  where_ = where;
  platform_ = engine::LocalExecutor::platform();
  if (where == "local") {
    // Beside the store: hard links and renames do not leave a file system.
    ::setenv("NACRE_WORKER_DIR", env.store.work_dir().c_str(), 0);
    cas_ = std::make_unique<engine::LocalCas>(env.store);
    executor_ = std::make_unique<engine::LocalExecutor>(env.store, env.processes, default_jobs());
    return {};
  }
  const engine::Properties more =
      TRY(parse_platform(setting("NACRE_ENGINE_PLATFORM")), "reading NACRE_ENGINE_PLATFORM");
  platform_.insert(platform_.end(), more.begin(), more.end());
  std::sort(platform_.begin(), platform_.end());
  const std::string instance = setting("NACRE_ENGINE_INSTANCE");
  const std::string agent = fmt::format("nacre/{}", program_version());
  net::GrpcPlace place{where, setting("NACRE_ENGINE_CA"), setting("NACRE_ENGINE_TOKEN")};
  channel_ = TRY(net::open_channel(place, agent));
  place.address = setting("NACRE_ENGINE_LOGS");
  if (!place.address.empty()) logs_ = TRY(net::open_channel(place, agent), "reading NACRE_ENGINE_LOGS");
  auto cas = std::make_unique<engine::ReapiCas>(*channel_, instance, env.stop);
  executor_ = std::make_unique<engine::ReapiExecutor>(*channel_, instance, engine::Patience(), logs_.get());
  const engine::Capabilities can = TRY(executor_->capabilities(env.stop));
  if (!can.sha256 || !can.executes || can.low_major > 2 || (can.high_major != 0 && can.high_major < 2))
    return Error::make(ErrorKind::kInvalid,
                       "it does not run actions named by SHA-256 as version 2 of the API has them");
  cas->limit_batches(can.max_batch_bytes);
  cas_ = std::move(cas);
  return {};
}

std::optional<std::string> BuildEngine::stays_here(const build::BuildRequest& request) {
  if (request.network) return "it has network";
  if (auto order = build::write_order(request, {}); !order) return order.error().render();
  if (request.arch.apk != host_arch().apk) return "it is for another architecture than the worker";
  return std::nullopt;
}

Result<std::vector<BuildEngine::Input>> BuildEngine::worker_inputs() {
  const std::lock_guard lock(mutex_);
  if (!worker_.empty()) return worker_;
  const Path program = session_.program.parent_path() / "nacre-worker";
  if (!os::exists(program))
    return Error::make(ErrorKind::kNotFound, "no worker program '{}'", program.string())
        .hint("it is built and installed beside nacre");
  std::vector<Input> found;
  engine::Blob own = TRY(blob_of_file(program));
  found.push_back({TreePath::literal("bin/nacre-worker"), std::move(own)});
  const std::vector<Path> libraries = TRY(libraries_of(program, session_.env));
  for (const Path& library : libraries) {
    engine::Blob blob = TRY(blob_of_file(std::filesystem::canonical(library)));
    const std::string name = is_loader(library) ? "lib/loader" : "lib/" + library.filename().string();
    TreePath path = TRY(TreePath::parse(name));
    found.push_back({std::move(path), std::move(blob)});
  }
  worker_ = found;
  return found;
}

Result<BuildEngine::Prepared> BuildEngine::prepare(const build::BuildRequest& request) {
  store::Store& store = session_.env.store;
  engine::InputTree input;
  const std::vector<Input> worker = TRY(worker_inputs());
  for (const Input& file : worker) TRY(input.add(file.path, file.blob, engine::InputTree::Mode::kExecutable));
  const codec::Json order = TRY(build::write_order(request, kept_paths(*request.definition)));
  TRY(input.add(TreePath::literal(build::kOrderFile), engine::blob_of(codec::to_json(order))));
  std::set<Sha256> added;
  const auto add_stored = [&](const Sha256& content, const std::string& at) -> Result<> {
    if (!added.insert(content).second) return {};
    engine::Blob blob = TRY(stored(store, content));
    return input.add(TreePath::literal(at), std::move(blob));
  };
  for (const build::RootPackage& package : request.root)
    TRY(add_stored(package.content, build::package_file(package.content)));
  for (const build::FetchedSource& source : request.sources)
    TRY(add_stored(source.sha256, build::source_file(source.sha256)));
  const auto& files = order["files"].items();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const TreePath path = TRY(TreePath::parse(files[i]["path"].as_string()));
    std::string bytes = TRY(os::read_beneath(request.source_dir, path, std::uint64_t{1} << 30));
    TRY(input.add(TreePath::literal(build::side_file(i)), engine::blob_of(std::move(bytes))));
  }
  Prepared out;
  const Digest root = input.finish(out.blobs);
  engine::Command command;
  command.arguments = {"lib/loader", "--library-path", "lib", "bin/nacre-worker", std::string(build::kOrderFile)};
  for (const std::string_view path : {build::kReportFile, build::kLogFile, build::kPackagesFile, build::kKeptFile})
    command.output_paths.emplace_back(path);
  command.platform = platform_;
  out.blobs.push_back(engine::blob_of(engine::to_wire(command)));
  const double limit = static_cast<double>(request.definition->timeout_nanoseconds) / 1e9;
  const engine::Action action{out.blobs.back().digest, root, engine::timeout_class(limit), false, platform_};
  out.blobs.push_back(engine::blob_of(engine::to_wire(action)));
  out.action = out.blobs.back().digest;
  return out;
}

Result<BuildEngine::Ran> BuildEngine::execute(const Prepared& prepared, engine::Lookup lookup, const Task& task) {
  engine::Job job;
  job.action = prepared.action;
  job.lookup = lookup;
  job.upload = [&]() -> Result<> {
    const std::uint64_t sent = TRY(cas_->upload(prepared.blobs));
    task.note(fmt::format("{} of inputs sent", human_bytes(sent)));
    return {};
  };
  engine::Listener listener;
  listener.on_stage = [&](engine::Stage stage) { task.note(std::string(engine::name_of(stage))); };
  std::atomic<bool> seen = false;
  listener.on_line = [&](std::string_view line) {
    seen = true;
    task.output(line);
  };
  listener.on_note = [&](std::string_view note) { task.note(note); };
  engine::Outcome outcome = TRY(executor_->wait(executor_->submit(std::move(job), listener), session_.env.stop));
  return Ran{std::move(outcome), seen};
}

Result<BuildEngine::Built> BuildEngine::take(const build::BuildRequest& request, const Ran& ran, const Task& task) {
  const engine::ActionResult& result = ran.outcome.result;
  if (result.find(build::kReportFile) == nullptr) return no_report(*cas_, result);
  TRY(fetch_output(*cas_, result, build::kReportFile, kMaxReport, request.work / "report.json"));
  const std::string text = TRY(os::read_file(request.work / "report.json", kMaxReport));
  build::BuildReport report = TRY(build::read_report(text));
  Built out;
  build::BuiltTree& built = out.tree;
  built.action_key = TRY(build::action_key(request));
  if (report.key != built.action_key)
    return Error::make(ErrorKind::kDenied, "the engine answered with another build: asked for {}, got {}",
                       built.action_key.hex(), report.key.hex());
  if (result.find(build::kLogFile) != nullptr) {
    TRY(fetch_output(*cas_, result, build::kLogFile, kMaxLog, request.work / "log"));
    built.log = TRY(session_.env.store.put_file(request.work / "log", store::Store::Take::kCopy));
    if (!ran.was_seen && !ran.outcome.cached) TRY(show_log(request.work / "log", task));
  }
  if (report.error)
    return build::localized(*report.error, *request.definition)
        .hint(
            "`nacre log` shows all of it; built without an engine, `nacre shell --failed` opens a shell where it "
            "stopped");
  if (result.exit_code != 0) return no_report(*cas_, result);
  built.output = request.work / "workspace/melange-out";
  built.workspace = request.work / "workspace";
  TRY(os::make_dirs(built.output));
  TRY(fetch_output(*cas_, result, build::kPackagesFile, kMaxPackages, request.work / "packages.tar"));
  TRY(fetch_output(*cas_, result, build::kKeptFile, kMaxKept, request.work / "kept.tar"));
  const bool root = !sandbox::has_one_owner();
  if (!root && !report.sole_owner)
    return Error::make(ErrorKind::kDenied, "the packages of '{}' have several owners, which only root can give them",
                       request.definition->name);
  TRY(apk::unpack_tar(request.work / "packages.tar", built.output,
                      root ? apk::TarOwners::kAsGiven : apk::TarOwners::kCallers),
      "unpacking what the engine built");
  const Path kept = request.work / "kept";
  TRY(os::make_dirs(kept));
  TRY(apk::unpack_tar(request.work / "kept.tar", kept, apk::TarOwners::kCallers), "unpacking what the engine kept");
  built.workspace = kept;
  TRY(os::remove_tree(request.work / "packages.tar"));
  TRY(check_packages(report, *request.definition, built.output));
  if (!root) built.sole_owner = report.sole_owner;
  built.packages = std::move(report.packages);
  built.steps = std::move(report.steps);
  return out;
}

Result<BuildEngine::Built> BuildEngine::run(const build::BuildRequest& request, engine::Lookup lookup) {
  Env& env = session_.env;
  Task task(env.events, fmt::format("run {} on {}", request.definition->name, where_));
  const std::int64_t started = env.clock.now_seconds();
  const Prepared prepared = TRY(prepare(request), "preparing the action of '{}'", request.definition->name);
  const Ran ran =
      TRY(execute(prepared, lookup, task), "running '{}' on the engine '{}'", request.definition->name, where_);
  const engine::Outcome& outcome = ran.outcome;
  TRY(os::make_dirs(request.work));
  Built out = TRY(take(request, ran, task));
  out.tree.started = started;
  out.tree.finished = env.clock.now_seconds();
  out.evidence.set("api", where_ == "local" ? "local" : "remote-execution-v2");
  out.evidence.set("action", prepared.action.hash.oci()).set("kept", outcome.cached);
  if (!outcome.result.worker.empty()) out.evidence.set("worker", outcome.result.worker);
  task.finish(outcome.cached ? "the engine had kept the result" : fmt::format("{} steps", out.tree.steps.size()));
  return out;
}

}  // namespace nacre::cli
