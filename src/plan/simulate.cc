#include "plan/simulate.h"

#include "base/number.h"
#include "plan/units.h"

#include <algorithm>
#include <queue>
#include <set>

namespace nacre::plan {
namespace {

using Kind = RecordedChange::Kind;

/// A number from 0 to 1 for a node in a batch; the same for every policy, so that policies meet the same fate.
double draw(std::uint64_t seed, std::uint64_t batch, std::uint64_t node, std::uint64_t what) {
  std::uint64_t x = seed * 0x9e3779b97f4a7c15u + batch * 0xbf58476d1ce4e5b9u + node * 0x94d049bb133111ebu + what;
  for (int i = 0; i < 3; ++i) {  // splitmix64's mixing
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
  }
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

/// One build of a batch, and who waits for it.
struct Job {
  double arrived = 0, seconds = 0;
  std::uint32_t waits_for = 0;
  std::vector<std::uint32_t> users;
};

class Replay {
 public:
  explicit Replay(const SimulationInput& input)
      : input_(input), graph_(input.graph), rank_(graph_.size()), unit_(graph_.size()) {
    const std::vector<Unit> units = make_units(graph_);
    unit_ = unit_of_each(units, graph_.size());
    std::uint32_t next = 0;
    for (const Unit& unit : units)
      for (const NodeId member : unit.members) {
        rank_[member] = next++;
        by_rank_.push_back(member);
      }
    stale_.resize(graph_.size());
  }

  Simulation run() {
    const std::span<const RecordedChange> all = input_.history;
    for (std::size_t first = 0; first < all.size();) {
      std::size_t last = first + 1;
      if (input_.batch_seconds > 0)
        while (last < all.size() && all[last].at / input_.batch_seconds == all[first].at / input_.batch_seconds) ++last;
      batch(all.subspan(first, last - first));
      first = last;
    }
    out_.still_postponed = postponed_.size();
    out_.stale_embeds = static_cast<std::size_t>(std::count(stale_.begin(), stale_.end(), 1));
    wait();
    return std::move(out_);
  }

 private:
  enum class Cause { kMajor, kMinor, kPatch, kEpoch, kRelinked, kEmbedded };

  static Cause cause_of(Kind kind) { return static_cast<Cause>(kind); }

  const ChangeRates::Rate& rate_of(Cause cause) const {
    const ChangeRates& rates = input_.rates;
    const ChangeRates::Rate* of[] = {&rates.major, &rates.minor,    &rates.patch,
                                     &rates.epoch, &rates.relinked, &rates.embedded};
    return *of[static_cast<std::size_t>(cause)];
  }

  KeyChange outcome(NodeId node, Cause cause) const {
    const ChangeRates::Rate& rate = rate_of(cause);
    const double chance = draw(input_.seed, out_.batches, node, 0);
    return {chance < rate.content, chance < rate.abi, false, chance < rate.breaks, false};
  }

  /// What a user of a build whose ABI differs takes of that.
  void take(NodeId node, NodeId user, Cause cause, KeyChange& change) const {
    const ChangeRates::Rate& rate = rate_of(cause);
    const double chance = draw(input_.seed, out_.batches, node, 2 + std::uint64_t{user}) * rate.abi;
    change.used = change.abi && chance < rate.used;
    change.urgent = change.abi && chance < rate.urgent;
  }

  void batch(std::span<const RecordedChange> changes) {
    ++out_.batches;
    // Nodes to build, in the order of building, with why.
    std::map<std::uint32_t, Cause> open;
    for (const RecordedChange& change : changes) {
      const Cause cause = cause_of(change.kind);
      const auto [entry, fresh] = open.emplace(rank_[change.node], cause);
      if (!fresh) entry->second = std::min(entry->second, cause);  // what changes most
    }
    out_.changes += open.size();
    if (input_.policy >= KeyPolicy::kContent)
      out_.needless += std::erase_if(open, [&](const auto& entry) {
        return entry.second == Cause::kEpoch &&
               draw(input_.seed, out_.batches, by_rank_[entry.first], 1) < input_.rates.needless_epochs;
      });
    std::set<NodeId> changed;
    for (const auto& [rank, cause] : open) changed.insert(by_rank_[rank]);
    for (const auto& [user, since] : postponed_)
      if (since + input_.postpone_seconds <= changes.back().at && open.emplace(rank_[user], Cause::kRelinked).second)
        ++out_.came_due;
    const double arrived = static_cast<double>(changes.back().at);
    std::map<NodeId, std::uint32_t> built;
    std::set<NodeId> again;
    while (!open.empty()) {
      const NodeId node = by_rank_[open.begin()->first];
      const Cause cause = open.begin()->second;
      open.erase(open.begin());
      build(node, arrived, built);
      KeyChange change = outcome(node, cause);
      if (change.content && !input_.bytes.empty()) out_.bytes_moved += input_.bytes[node];
      for (const Edge& edge : graph_.users(node)) {
        if (edge.user == node) continue;
        take(node, edge.user, cause, change);
        const bool too_far = input_.policy == KeyPolicy::kDirect && !changed.contains(node);
        if (too_far || !follows(input_.policy, edge, change)) {
          if (input_.policy == KeyPolicy::kPostponed && follows(KeyPolicy::kUsed, edge, change)) {
            // Before it is built in this batch for another reason: then it has what differs.
            if (!built.contains(edge.user) && postponed_.emplace(edge.user, changes.back().at).second) ++out_.postponed;
            continue;
          }
          ++out_.cut_off[edge.kind];
          if (edge.kind == EdgeKind::kEmbed && change.content && !built.contains(edge.user)) stale_[edge.user] = 1;
          continue;
        }
        if (built.contains(edge.user)) {
          if (unit_[edge.user] == unit_[node] && again.insert(edge.user).second) ++out_.second_stage;
          continue;
        }
        open.emplace(rank_[edge.user], edge.kind == EdgeKind::kEmbed ? Cause::kEmbedded : Cause::kRelinked);
      }
    }
  }

  /// Notes a build, which waits for those of its makers that were built before it in the same batch.
  void build(NodeId node, double arrived, std::map<NodeId, std::uint32_t>& built) {
    ++out_.builds;
    stale_[node] = 0;
    postponed_.erase(node);
    const auto number = static_cast<std::uint32_t>(jobs_.size());
    Job job{arrived, input_.build_seconds[node], 0, {}};
    for (const Edge& edge : graph_.makers(node)) {
      const auto maker = built.find(edge.maker);
      if (maker == built.end() || edge.maker == node) continue;
      jobs_[maker->second].users.push_back(number);
      ++job.waits_for;
    }
    built.emplace(node, number);
    jobs_.push_back(std::move(job));
  }

  /// Lets the workers do the jobs, first come, first served.
  void wait() {
    using Ready = std::tuple<double, std::uint32_t>;  // since when, which
    std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready, running;
    for (std::uint32_t i = 0; i < jobs_.size(); ++i)
      if (jobs_[i].waits_for == 0) ready.emplace(jobs_[i].arrived, i);
    std::vector<double> waits;
    double now = 0, busy = 0, end = 0;
    while (!ready.empty() || !running.empty()) {
      const bool free = running.size() < input_.workers;
      if (free && !ready.empty() && (running.empty() || std::get<0>(ready.top()) <= std::get<0>(running.top()))) {
        const auto [since, job] = ready.top();
        ready.pop();
        now = std::max(now, since);
        running.emplace(now + jobs_[job].seconds, job);
        busy += jobs_[job].seconds;
        continue;
      }
      const auto [done, job] = running.top();
      running.pop();
      now = end = done;
      waits.push_back(done - jobs_[job].arrived);
      for (const std::uint32_t user : jobs_[job].users)
        if (--jobs_[user].waits_for == 0) ready.emplace(std::max(done, jobs_[user].arrived), user);
    }
    if (waits.empty()) return;
    std::sort(waits.begin(), waits.end());
    const auto at = [&](double share) {
      return waits[static_cast<std::size_t>(share * static_cast<double>(waits.size() - 1))];
    };
    out_.median_wait = at(0.5);
    out_.p90_wait = at(0.9);
    out_.p99_wait = at(0.99);
    const double span = end - jobs_.front().arrived;
    out_.busy = span > 0 ? busy / (span * input_.workers) : 0;
  }

  const SimulationInput& input_;
  const BuildGraph& graph_;
  std::vector<std::uint32_t> rank_, unit_;
  std::vector<NodeId> by_rank_;
  std::vector<char> stale_;
  std::map<NodeId, std::int64_t> postponed_;  ///< Since when.
  std::vector<Job> jobs_;
  Simulation out_;
};

/// Changes in the order of time, each with the version that it led to.
using Versioned = std::vector<std::pair<RecordedChange, std::string_view>>;

/// Puts in the kind of each new version.
void tell_releases(Versioned& changes) {
  std::map<NodeId, std::string_view> before;
  std::map<NodeId, RecordedChange*> first;  // whose version before is not known
  for (auto& [change, version] : changes) {
    std::string_view& last = before[change.node];
    if (change.kind != Kind::kEpoch) {
      if (last.empty()) first[change.node] = &change;
      else change.kind = kind_of_release(last, version);
    }
    if (const auto open = first.find(change.node); open != first.end() && !last.empty() && last != version) {
      open->second->kind = kind_of_release(last, version);
      first.erase(open);
    }
    last = version;
  }
}

}  // namespace

RecordedChange::Kind kind_of_release(std::string_view before, std::string_view after) {
  if (before.empty() || after.empty()) return Kind::kMinor;
  for (const Kind kind : {Kind::kMajor, Kind::kMinor}) {
    const std::string_view a = before.substr(0, before.find('.')), b = after.substr(0, after.find('.'));
    if (a != b) return kind;
    before.remove_prefix(std::min(a.size() + 1, before.size()));
    after.remove_prefix(std::min(b.size() + 1, after.size()));
  }
  return Kind::kPatch;
}

Result<History> read_history(std::string_view text, std::string_view source, const BuildGraph& graph) {
  History out;
  Versioned read;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty() || line.starts_with("ts\t")) continue;
    std::array<std::string_view, 4> parts;
    std::string_view rest = line;
    for (std::string_view& part : parts) {
      part = rest.substr(0, rest.find('\t'));
      rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    }
    const auto at = whole_number<std::int64_t>(parts[0]);
    if (!at || parts[2].empty())
      return Error::make(ErrorKind::kInvalid, "expected SECONDS, DEFINITION, KIND with tabs between, got '{:.80}'",
                         line)
          .at({std::string(source), number, 1});
    const std::optional<NodeId> node = graph.find(parts[1]);
    const bool version = parts[2] == "version";
    if (!node || graph.node(*node).name != parts[1] || (!version && parts[2] != "epoch")) {
      ++out.passed_over;
      continue;
    }
    read.push_back({{*at, *node, version ? Kind::kMinor : Kind::kEpoch}, parts[3]});
  }
  std::stable_sort(read.begin(), read.end(), [](const auto& a, const auto& b) { return a.first.at < b.first.at; });
  tell_releases(read);
  for (const auto& [change, version] : read) out.changes.push_back(change);
  return out;
}

Simulation simulate(const SimulationInput& input) { return Replay(input).run(); }

}  // namespace nacre::plan
