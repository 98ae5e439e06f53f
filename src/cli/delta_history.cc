#include "cli/delta_history.h"

#include "base/events.h"
#include "cli/delta_input.h"
#include "os/clock.h"
#include "store/store.h"

namespace nacre::cli {
namespace {

constexpr std::string_view kTotalsKind = "delta-totals";

std::string key_of(Edition edition, std::uint64_t serial) { return fmt::format("{}/{:012}", name_of(edition), serial); }

Result<> keep(Workshop& shop, const index::Serial& published) {
  const std::vector<watch::Delta> deltas = TRY(measure_distribution(shop, {}));
  return shop.env().store.state().put(kTotalsKind, key_of(published.edition, published.number),
                                      codec::to_json(to_json(watch::sum(deltas))));
}

}  // namespace

void keep_totals(Workshop& shop, const index::Serial& published) {
  Task task(shop.env().events, "delta");
  const auto kept = keep(shop, published);
  if (kept) return task.finish();
  task.warn(fmt::format("the delta of serial {} is not kept: {}", published.number, kept.error().render()));
}

Result<std::vector<DeltaPoint>> delta_history(Env& env, Edition edition) {
  const std::vector<index::Serial> serials = TRY(index::list_serials(env, edition));
  std::vector<DeltaPoint> out;
  for (const index::Serial& serial : serials) {
    DeltaPoint point{serial.number, serial.published, serial.reason, false, {}};
    const std::uint64_t content = serial.rolled_back_to != 0 ? serial.rolled_back_to : serial.number;
    if (const auto text = TRY(env.store.state().get(kTotalsKind, key_of(edition, content)))) {
      const codec::Json json = TRY(codec::parse_json(*text, "the state"));
      point.known = true;
      point.totals = totals_from_json(json);
    }
    out.push_back(std::move(point));
  }
  return out;
}

}  // namespace nacre::cli
