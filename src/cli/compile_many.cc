#include "cli/compile_many.h"

#include "base/encoding.h"
#include "cli/compile_kept.h"
#include "codec/digest.h"
#include "definition/load.h"
#include "plan/build_graph.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace nacre::cli {
namespace {

using definition::Definition;

/// Few files are compiled sooner than kept results are found.
constexpr std::size_t kWorthKeeping = 16;

/// Hands pipelines on and remembers which a definition asked for, and where each was looked for.
class Recorder final : public definition::PipelineSource {
 public:
  explicit Recorder(const std::vector<os::Path>& folders) : folders_(folders), inner_(folders) {}

  Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view name) override {
    const auto [found, added] = probes_.try_emplace(std::string(name));
    if (added) probe(name, found->second);
    asked_.insert(found->first);
    return inner_.pipeline(name);
  }

  std::set<std::string> take_asked() { return std::exchange(asked_, {}); }
  const std::map<std::string, Probes, std::less<>>& probes() const { return probes_; }

 private:
  void probe(std::string_view name, Probes& out) const {
    for (const os::Path& folder : folders_) {
      const os::Path file = folder / (std::string(name) + ".yaml");
      const FileState state = state_of(file);
      out.emplace_back(file.string(), state);
      if (state.inode != 0) return;
    }
  }

  const std::vector<os::Path>& folders_;
  definition::PipelineFolders inner_;
  std::map<std::string, Probes, std::less<>> probes_;
  std::set<std::string> asked_;
};

CompileProblem problem_of(const Error& error) {
  CompileProblem out{error.kind(), error.place(), error.render(), error.render()};
  if (error.place().line <= 0) return out;
  if (const auto source = os::read_file(error.place().file)) out.shown = codec::render_with_source(error, *source);
  return out;
}

/// One run: what is kept, what is new, and the threads between.
class Run {
 public:
  explicit Run(const CompileRequest& request) : request_(request) {}

  Result<CompileResult> all() {
    out_.files.resize(request_.files.size());
    rows_.resize(request_.files.size());
    const bool keep = !request_.kept.empty() && request_.files.size() >= kWorthKeeping;
    const std::string key = keep ? key_of_run() : std::string();
    const os::Path file =
        request_.kept / (codec::sha256(key).hex().substr(0, 32) + ".run");
    if (keep) kept_ = read_kept(file, key);
    if (kept_) use_kept();
    compile_rest();
    if (keep && out_.compiled > 0) {
      // Kept results make the next run faster, and nothing else: no room for them is no failure of this one.
      if (const auto written = write_kept(file, key, run_of_rows()); !written) return std::move(out_);
    }
    if (kept_) out_.mapped = kept_->mapped;
    return std::move(out_);
  }

 private:
  /// All that decides what a definition compiles to, but for the files themselves.
  std::string key_of_run() const {
    const definition::CompileOptions& options = request_.options;
    std::string out = request_.builder + "\n" + std::filesystem::current_path().string() + "\n";
    const auto add = [&](std::string_view text) { out += fmt::format("{}:{}\n", text.size(), text); };
    if (request_.answer == CompileAnswer::kNode) add("nodes");
    add(options.arch.apk);
    add(options.libc_flavor);
    for (const os::Path& folder : request_.pipeline_dirs) add(folder.string());
    for (const auto* pairs : {&options.vars, &options.environment}) {
      add("-");
      for (const auto& [name, value] : *pairs) add(name), add(value);
    }
    for (const std::string& name : options.enabled_options) add(name);
    const definition::Resources& resources = options.resources;
    for (const auto& text : {resources.cpu, resources.cpu_model, resources.memory, resources.disk}) add(text);
    for (const auto& [need, packages] : options.needs_met_by) {
      add(need);
      for (const std::string& name : packages) add(name);
    }
    std::set<std::string> folders;  // The files themselves may come and go.
    for (const os::Path& path : request_.files) folders.insert(path.parent_path().string());
    for (const std::string& folder : folders) add(folder);
    return out;
  }

  void use_kept() {
    std::vector<bool> fresh(kept_->pipelines.size());
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const Probes& probes = kept_->pipelines[i].second;
      fresh[i] = std::all_of(probes.begin(), probes.end(), [](const auto& probe) {
        return probe.second.trusted && state_of(probe.first) == probe.second;
      });
    }
    std::map<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i < kept_->files.size(); ++i) by_name[kept_->files[i].file] = i;
    for (std::size_t i = 0; i < request_.files.size(); ++i) {
      const auto found = by_name.find(request_.files[i].native());
      if (found == by_name.end()) continue;
      const KeptFile& row = kept_->files[found->second];
      if (!row.state.trusted || !(state_of(request_.files[i]) == row.state)) continue;
      if (!std::all_of(row.pipelines.begin(), row.pipelines.end(), [&](auto index) { return fresh[index]; }))
        continue;
      if (request_.answer != CompileAnswer::kProblems && checksum(row.json) != row.crc) continue;
      rows_[i] = row;
      out_.files[i] = {row.file, row.json, row.problem};
    }
  }

  void compile_rest() {
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (!rows_[i]) todo_.push_back(i);
    out_.compiled = todo_.size();
    const std::size_t cores = request_.threads != 0 ? request_.threads : std::thread::hardware_concurrency();
    const std::size_t count = std::clamp<std::size_t>(cores, 1, std::max<std::size_t>(1, todo_.size() / 8));
    std::vector<std::unique_ptr<Recorder>> recorders;
    for (std::size_t i = 0; i < count; ++i) recorders.push_back(std::make_unique<Recorder>(request_.pipeline_dirs));
    asked_.resize(rows_.size());
    texts_.resize(rows_.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 1; i < count; ++i) threads.emplace_back([&, i] { work(*recorders[i]); });
      work(*recorders[0]);
    }
    for (const auto& recorder : recorders)
      for (const auto& [name, probes] : recorder->probes()) {
        const auto [found, added] = probes_.try_emplace(name, probes);
        // Two threads saw two states: whatever is there now is looked at again.
        if (!added && found->second != probes)
          for (auto& [path, state] : found->second) state.trusted = false;
      }
    for (const std::size_t i : todo_)
      if (texts_[i]) out_.memory.push_back(texts_[i]);
  }

  void work(Recorder& recorder) {
    for (std::size_t at = next_++; at < todo_.size(); at = next_++) compile_one(todo_[at], recorder);
  }

  /// Writes only to the places of file `i`.
  void compile_one(std::size_t i, Recorder& recorder) {
    KeptFile& row = rows_[i].emplace();
    const os::Path& file = request_.files[i];
    row.file = file.string();
    row.state = state_of(file);
    const auto definition = definition::load_definition(file, recorder, request_.options);
    asked_[i] = recorder.take_asked();
    if (definition) {
      texts_[i] = std::make_shared<const std::string>(
          codec::to_json(request_.answer == CompileAnswer::kNode ? plan::to_json(plan::graph_node(*definition))
                                                                 : definition->compiled));
      row.json = *texts_[i];
      row.crc = checksum(row.json);
    } else {
      row.problem = problem_of(definition.error());
    }
    out_.files[i] = {row.file, row.json, row.problem};
  }

  KeptRun run_of_rows() {
    KeptRun run;
    std::map<std::string, std::uint32_t> index;
    if (kept_)
      for (const auto& [name, probes] : kept_->pipelines) probes_.try_emplace(name, probes);
    for (const auto& [name, probes] : probes_) {
      index[name] = static_cast<std::uint32_t>(run.pipelines.size());
      run.pipelines.emplace_back(name, probes);
    }
    std::vector<bool> is_new(rows_.size());
    for (const std::size_t i : todo_) is_new[i] = true;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      KeptFile& row = run.files.emplace_back(*rows_[i]);
      if (is_new[i]) {
        row.pipelines.clear();
        for (const std::string& name : asked_[i]) row.pipelines.push_back(index[name]);
      } else {
        for (std::uint32_t& pipeline : row.pipelines) pipeline = index[kept_->pipelines[pipeline].first];
      }
    }
    return run;
  }

  const CompileRequest& request_;
  std::optional<KeptRun> kept_;
  std::vector<std::optional<KeptFile>> rows_;  // By file: what is to be kept of it.
  std::vector<std::size_t> todo_;
  std::vector<std::set<std::string>> asked_;
  std::vector<std::shared_ptr<const std::string>> texts_;
  std::map<std::string, Probes> probes_;
  std::atomic<std::size_t> next_ = 0;
  CompileResult out_;
};

}  // namespace

std::string builder_of(std::string_view version, const os::Path& program) {
  struct stat info {};
  if (::stat(program.c_str(), &info) != 0) return {};
  return fmt::format("{} {} {} {}.{}", version, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

Result<CompileResult> compile_many(const CompileRequest& request) { return Run(request).all(); }

Result<std::vector<os::Path>> definition_files(const std::vector<std::string>& words) {
  std::vector<os::Path> out;
  for (const std::string& word : words) {
    std::error_code error;
    if (!std::filesystem::is_directory(word, error)) {
      if (words.size() == 1 && !std::filesystem::exists(word, error))
        return Error::make(ErrorKind::kNotFound, "cannot open '{}': no such file or directory", word);
      out.emplace_back(word);
      continue;
    }
    std::vector<os::Path> found;
    for (const auto& entry : std::filesystem::directory_iterator(word, error)) {
      const os::Path& path = entry.path();
      if (path.extension() == ".yaml" && !path.filename().native().starts_with('.') && !entry.is_directory(error))
        found.push_back(path);
    }
    if (error) return os::system_error(error.value(), fmt::format("list '{}'", word));
    if (found.empty())
      return Error::make(ErrorKind::kNotFound, "no definitions (*.yaml) in '{}'", word);
    std::sort(found.begin(), found.end());
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

}  // namespace nacre::cli
