#include "cli/flow.h"

#include "base/events.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/delta_history.h"
#include "cli/evidence.h"
#include "cli/lookup.h"
#include "cli/parallel.h"
#include "cli/streams.h"
#include "definition/edit.h"
#include "definition/load.h"
#include "os/clock.h"
#include "os/threads.h"
#include "store/store.h"

#include <algorithm>
#include <map>

namespace nacre::cli {
namespace {

/// Seconds of each stage, in the order in which they ran.
class Stopwatch {
 public:
  Stopwatch(os::Clock& clock, FlowReport& report)
      : clock_(clock), report_(report), start_(clock.monotonic_seconds()), lap_(start_) {}
  void lap(std::string stage) {
    const double now = clock_.monotonic_seconds();
    report_.stage_seconds.emplace_back(std::move(stage), now - lap_);
    lap_ = now;
    report_.seconds = now - start_;
  }

 private:
  os::Clock& clock_;
  FlowReport& report_;
  double start_, lap_;
};

std::map<std::string, Sha256> published_packages(const std::optional<index::Serial>& serial) {
  std::map<std::string, Sha256> out;
  if (!serial) return out;
  for (const index::SerialPackage& package : serial->packages)
    out[package.record.name + "=" + package.record.version] = package.apk;
  return out;
}

/// Whether a package of this build was published before under its full name with other bytes.
Result<bool> name_is_taken(Workshop& shop, const BuildRecord& record) {
  for (const index::SerialPackage& package : record.packages) {
    const std::optional<Sha256> old = TRY(
        index::published_content(shop.env(), Edition::kCommunity, package.record));
    if (old && *old != package.apk) return true;
  }
  return false;
}

constexpr int kMaxEpochs = 100;  // raised in one run

/// Writes the next epoch into the definition and reads it again.
Result<> bump_epoch(Workshop& shop, const std::string& name) {
  const std::lock_guard lock(*shop.definitions);
  for (definition::Definition& definition : shop.os.definitions) {
    if (definition.name != name) continue;
    const std::string text =
        TRY(definition::set_epoch(*definition.yaml, definition.epoch + 1));
    const auto written = os::write_file(definition.file, text);
    if (!written)
      return Error::make(ErrorKind::kDenied,
                         "'{}' {} was published with other bytes, and its next epoch cannot be written: {}", name,
                         definition.full_version(), written.error().render())
          .at({definition.file, 0, 0})
          .hint(fmt::format("write `epoch: {}` there, or make the file writable", definition.epoch + 1));
    definition::PipelineFolders pipelines({shop.os.folder / "pipelines"});
    definition::CompileOptions options;
    options.arch = shop.os.arch;
    options.needs_met_by = shop.os.needs_met_by;
    definition = TRY(definition::load_definition(definition.file, pipelines, options));
  }
  return {};
}

/// One step of the plan, done: what is said of it, and its packages.
struct StepResult {
  BuiltRow row;
  BuildRecord record;
};

Result<StepResult> run_step(Workshop& shop, const plan::PlannedStep& step) {
  os::Clock& clock = shop.env().clock;
  const double start = clock.monotonic_seconds();
  BuiltRow row;
  row.definition = step.name;
  BuildOutcome outcome = TRY(build_definition(shop, step));
  row.why = std::move(outcome.why);
  // More than one step when the definition was set back behind what it had published.
  for (int bumps = 0;; ++bumps) {
    const bool taken = TRY(name_is_taken(shop, outcome.record));
    if (!taken) break;
    if (bumps == kMaxEpochs)
      return Error::make(ErrorKind::kConflict, "'{}' was published with other bytes under {} epochs", step.name, bumps);
    if (row.bumped_from.empty()) row.bumped_from = outcome.record.version;
    TRY(bump_epoch(shop, step.name));
    outcome = TRY(build_definition(shop, step));
  }
  row.version = outcome.record.version;
  row.made = outcome.made;
  row.seconds = clock.monotonic_seconds() - start;
  return StepResult{std::move(row), std::move(outcome.record)};
}

ImageRow row_of(const ComposedImage& image) {
  ImageRow row;
  row.name = image.entry.name;
  row.digest = image.entry.index_digest;
  row.size_bytes = image.size_bytes;
  row.composed = image.composed;
  row.tags = image.entry.tags;
  return row;
}

const index::SerialImage* find_image(const std::optional<index::Serial>& serial,
                                     std::string_view name) {
  if (!serial) return nullptr;
  for (const index::SerialImage& image : serial->images)
    if (image.name == name) return &image;
  return nullptr;
}

std::optional<index::SerialImage> copy_of(const index::SerialImage* image) {
  if (image == nullptr) return std::nullopt;
  return *image;
}

bool says_the_same(const index::Serial& a, const std::optional<index::Serial>& b) {
  if (!b || a.packages.size() != b->packages.size() || a.images.size() != b->images.size())
    return false;
  const auto published = published_packages(b);
  for (const index::SerialPackage& package : a.packages) {
    const auto found = published.find(package.record.name + "=" + package.record.version);
    if (found == published.end() || found->second != package.apk) return false;
  }
  for (const index::SerialImage& image : a.images) {
    const index::SerialImage* other = find_image(b, image.name);
    if (other == nullptr || other->index_digest != image.index_digest) return false;
  }
  return true;
}

/// What changed, in a few words: what was built now, else packages that are new here (built earlier), else images.
std::string reason_of(const FlowReport& report, const index::Serial& next,
                      const std::optional<index::Serial>& before) {
  if (!before) return "first";
  std::vector<std::string> parts;
  for (const BuiltRow& row : report.built)
    if (row.made == Made::kBuilt) parts.push_back(row.definition + " " + row.version);
  const auto published = published_packages(before);
  if (parts.empty())
    for (const index::SerialPackage& package : next.packages)
      if (package.record.name == package.record.origin &&
          !published.contains(package.record.name + "=" + package.record.version))
        parts.push_back(package.record.name + " " + package.record.version);
  if (parts.empty())
    for (const ImageRow& row : report.images)
      if (row.composed) parts.push_back("image " + row.name);
  return parts.empty() ? "content changed" : join(parts, ", ");
}

/// Publishes `next` unless the newest serial already says the same; fills the report.
Result<> publish(Workshop& shop, index::Serial next, const std::optional<index::Serial>& before,
                 FlowReport& report) {
  report.packages = next.packages.size();
  report.serial = before ? before->number : 0;
  for (ImageRow& row : report.images) {
    const index::SerialImage* after = nullptr;
    for (const index::SerialImage& image : next.images)
      if (image.name == row.name) after = &image;
    if (after != nullptr)
      row.pull = TRY(pull_cost(copy_of(find_image(before, row.name)), *after, shop.os.arch, shop.env()));
  }
  if (says_the_same(next, before)) return {};
  Task task(shop.env().events, fmt::format("publish {}", name_of(next.edition)));
  index::Serial published = TRY(publish_with_index(shop.session, std::move(next), report.serial));
  task.finish(fmt::format("serial {}", published.number));
  if (published.edition == Edition::kCommunity) keep_totals(shop, published);
  report.serial = published.number;
  report.published = std::move(published);
  return {};
}

index::Serial next_serial(Edition edition, const Arch& arch,
                          std::vector<index::SerialPackage> packages,
                          std::vector<ComposedImage> images) {
  index::Serial next;
  next.edition = edition;
  next.arch = std::string(arch.apk);
  next.packages = std::move(packages);
  for (ComposedImage& image : images) next.images.push_back(std::move(image.entry));
  return next;
}

/// Packages of the serial before whose definitions this flow did not touch stay.
void keep_untouched(std::map<std::string, index::SerialPackage>& packages, const Workshop& shop,
                    const std::optional<index::Serial>& before, const FlowOptions& options) {
  if (!before || options.only.empty()) return;
  for (const index::SerialPackage& package : before->packages)
    if (shop.os.maker_of(package.record.name) != nullptr)
      packages.try_emplace(package.record.name, package);
}

/// Says what streams.yaml says, and remembers it for clients; definitions past their grace leave.
Result<StreamState> leave_ended_streams(Workshop& shop, const FlowOptions& options) {
  StreamState state = TRY(apply_streams(shop.os, options.only, shop.env().clock));
  TRY(index::set_ended_streams(shop.env(), Edition::kCommunity, state.notices));
  std::string said;
  for (const index::Notice& notice : state.notices) {
    if (notice.reason == said) continue;  // of the same definition
    said = notice.reason;
    shop.env().events.emit({.kind = EventKind::kNote, .name = "streams", .detail = index::render(notice)});
  }
  return state;
}

}  // namespace

Result<FlowReport> run_flow(Workshop& shop, const FlowOptions& options) {
  // One flow at a time: the second finds what the first made. Definitions are read again, since the first may have
  // raised epochs.
  using Until = FlowOptions::Until;
  std::optional<store::Lease> lease;
  if (options.until == Until::kPublished) lease = TRY(wait_for_lease("flow/community", shop.env()));
  shop.os = TRY(load_distribution(shop.os.folder, shop.os.arch));
  const StreamState streams = TRY(leave_ended_streams(shop, options));
  FlowReport report;
  Stopwatch watch(shop.env().clock, report);
  report.before = TRY(index::head(shop.env(), Edition::kCommunity));
  const std::optional<index::Serial>& before = report.before;
  if (before)
    for (const index::SerialPackage& package : before->packages)
      if (shop.os.maker_of(package.record.name) != nullptr && !options.only.empty())
        shop.shelf.add(Edition::kCommunity, package);

  const plan::Plan plan = TRY(plan_builds(shop, options.only));
  std::map<std::string, index::SerialPackage> packages;
  std::vector<StepResult> results(plan.steps.size());
  const unsigned jobs = options.jobs > 0 ? options.jobs : default_jobs();
  const auto make = [&](const plan::PlannedStep& step, std::size_t index) -> Result<> {
    results[index] = TRY(run_step(shop, step), "making '{}'", step.name);
    return {};
  };
  TRY(run_planned(plan, jobs, make));
  for (StepResult& result : results) {
    for (const index::SerialPackage& package : result.record.packages) packages[package.record.name] = package;
    report.built.push_back(std::move(result.row));
  }
  watch.lap("build");
  if (options.until == Until::kBuilt) return report;

  if (options.tests == FlowOptions::Tests::kRun) {
    for (const plan::PlannedStep& step : plan.steps) {
      const TestCount count = TRY(test_definition(shop, *shop.os.find(step.name)));
      report.tests.ran += count.ran;
      report.tests.known += count.known;
    }
    watch.lap("test");
  }
  if (options.until == Until::kTested) return report;

  keep_untouched(packages, shop, before, options);
  auto made = make_images(shop, Edition::kCommunity, before, options.tests,
                          options.only.empty() ? Incomplete::kRefuse : Incomplete::kSkip);
  if (!made && !streams.gone.empty())
    return std::move(made).error().hint("published no longer: " + join(streams.gone, "; ") +
                                        "; an image that needs one names another, or streams.yaml keeps it");
  std::vector<ComposedImage> images = TRY(std::move(made));
  for (const ComposedImage& image : images) report.images.push_back(row_of(image));
  watch.lap("images");

  std::vector<index::SerialPackage> list;
  for (auto& [name, package] : packages) list.push_back(std::move(package));
  index::Serial next =
      next_serial(Edition::kCommunity, shop.os.arch, std::move(list), std::move(images));
  next.reason = options.reason.empty() ? reason_of(report, next, before) : options.reason;
  report.candidate = next;
  if (options.until == Until::kComposed) return report;
  TRY(publish(shop, std::move(next), before, report));
  watch.lap("publish");
  return report;
}

namespace {

/// A build's packages in production: as they were published there before, else built a second time.
Result<std::vector<index::SerialPackage>> promote_build(Workshop& shop, const plan::PlannedStep& step,
                                                        const BuildRecord& record, const index::Serial& from,
                                                        const std::optional<index::Serial>& before, BuiltRow& row) {
  const auto in_community = published_packages(from), in_production = published_packages(before);
  std::vector<index::SerialPackage> packages;
  for (const index::SerialPackage& package : record.packages) {
    const std::string name = package.record.name + "=" + package.record.version;
    const auto published = in_community.find(name);
    if (published == in_community.end() || published->second != package.apk)
      return Error::make(ErrorKind::kConflict, "the last build of '{}' is not what community serial {} holds",
                         step.name, from.number)
          .hint("run `nacre up` first: only what was published is promoted");
    if (!in_production.contains(name)) continue;
    for (const index::SerialPackage& old : before->packages)
      if (old.record.name == package.record.name) packages.push_back(old);
  }
  if (packages.size() == record.packages.size()) return packages;
  row.made = Made::kBuilt;
  row.why = {"a second build gave the same bytes"};
  return reproduce(shop, record, step.from_stage0_alone, Edition::kProduction);
}

}  // namespace

Result<index::Serial> serial_to_promote(Env& env) {
  std::optional<index::Serial> from = TRY(index::head(env, Edition::kCommunity));
  if (!from)
    return Error::make(ErrorKind::kNotFound, "edition community has no serial to promote")
        .hint("run `nacre up` first");
  return *std::move(from);
}

Result<FlowReport> promote(Workshop& shop, const std::vector<std::string>& only) {
  for (const std::string& name : only)
    if (shop.os.find(name) == nullptr) return no_definition(shop.os, name);
  const store::Lease lease = TRY(wait_for_lease("flow/production", shop.env()));
  FlowReport report;
  report.edition = Edition::kProduction;
  Stopwatch watch(shop.env().clock, report);
  Env& env = shop.env();
  const index::Serial from = TRY(serial_to_promote(env));
  const std::optional<index::Serial> before = TRY(index::head(env, Edition::kProduction));
  const plan::Plan plan = TRY(plan_builds(shop, only));
  std::map<std::string, index::SerialPackage> list;
  if (before && !only.empty())
    for (const index::SerialPackage& package : before->packages) list[package.record.name] = package;
  for (const plan::PlannedStep& step : plan.steps) {
    const BuildOutcome outcome = TRY(build_definition(shop, step));  // known: this only fills the shelf
    if (!only.empty() && std::find(only.begin(), only.end(), step.name) == only.end()) continue;
    BuiltRow row{step.name, outcome.record.version, Made::kKept, {}, 0, {}};
    const double start = env.clock.monotonic_seconds();
    const std::vector<index::SerialPackage> packages =
        TRY(promote_build(shop, step, outcome.record, from, before, row), "promoting '{}'", step.name);
    for (const index::SerialPackage& package : packages) list[package.record.name] = package;
    row.seconds = env.clock.monotonic_seconds() - start;
    report.built.push_back(std::move(row));
  }
  for (const index::SerialPackage& package : from.packages) shop.shelf.add(Edition::kCommunity, package);
  for (const BuiltRow& row : report.built)  // `nacre up --skip-tests` may have left them out
    if (row.made == Made::kBuilt) TRY(test_definition(shop, *shop.os.find(row.definition)));
  for (const auto& [name, package] : list) shop.shelf.add(Edition::kProduction, package);
  watch.lap("build again");
  const std::vector<ComposedImage> images =
      TRY(make_images(shop, Edition::kProduction, before, FlowOptions::Tests::kRun,
                      only.empty() ? Incomplete::kRefuse : Incomplete::kSkip));
  for (const ComposedImage& image : images) report.images.push_back(row_of(image));
  watch.lap("images");
  std::vector<index::SerialPackage> packages;
  for (auto& [name, package] : list) packages.push_back(std::move(package));
  index::Serial next = next_serial(Edition::kProduction, shop.os.arch, std::move(packages), images);
  next.reason = fmt::format("promote community serial {}", from.number);
  TRY(publish(shop, std::move(next), before, report));
  watch.lap("publish");
  return report;
}

Result<index::Serial> roll_back(Session& session, Edition edition, std::uint64_t number) {
  Env& env = session.env;
  const std::optional<index::Serial> newest = TRY(index::head(env, edition));
  if (!newest)
    return no_serial_yet(edition);
  if (number == 0) number = newest->number > 1 ? newest->number - 1 : 0;
  if (number == 0)
    return Error::make(ErrorKind::kNotFound, "serial 1 of edition {} has none before it",
                       name_of(edition));
  if (number >= newest->number)
    return Error::make(ErrorKind::kInvalid, "serial {} is not before the newest, {}", number,
                       newest->number)
        .hint("`nacre serials` lists them");
  index::Serial next = TRY(index::load_serial(env, edition, number));
  next.reason = fmt::format("rollback to {}", number);
  next.rolled_back_to = number;
  return publish_with_index(session, std::move(next));
}

Result<std::vector<ComposedImage>> make_images(Workshop& shop, Edition edition,
                                               const std::optional<index::Serial>& before,
                                               FlowOptions::Tests tests, Incomplete incomplete) {
  const std::vector<image::ImageSpec> specs = TRY(load_image_specs(shop.os.folder, shop.os.arch));
  std::vector<std::optional<ComposedImage>> made(specs.size());
  const auto make = [&](std::size_t i) -> Result<> {
    const image::ImageSpec& spec = specs[i];
    solve::World world;
    world.atoms = spec.contents.packages;
    // An image that is published already never goes silently.
    const bool may_wait = incomplete == Incomplete::kSkip && find_image(before, spec.name) == nullptr;
    if (may_wait) {
      const auto closure = shop.shelf.closure(world, edition);
      // What only stage0 has never comes; what production lacks may be promoted later.
      const bool never = edition == Edition::kCommunity && !closure && closure.error().kind() == ErrorKind::kDenied;
      if (!closure && !never) return {};
    }
    made[i] = TRY(compose(shop, spec, edition), "composing image '{}'", spec.name);
    return {};
  };
  TRY(os::for_each(specs.size(), worker_count(), make));
  std::vector<ComposedImage> out;
  for (std::optional<ComposedImage>& image : made) {
    if (!image) continue;
    // One after the other: tests listen on ports of the machine.
    if (tests == FlowOptions::Tests::kRun)
      TRY(test_image(shop.session, shop.os.folder, image->entry, copy_of(find_image(before, image->entry.name))));
    out.push_back(*std::move(image));
  }
  return out;
}

}  // namespace nacre::cli
