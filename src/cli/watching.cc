#include "cli/watching.h"

#include "base/events.h"
#include "base/text.h"

namespace nacre::cli {

Result<std::vector<const definition::Definition*>> chosen_definitions(const Workshop& shop,
                                                                      const std::vector<std::string>& names) {
  std::vector<const definition::Definition*> out;
  for (const definition::Definition& definition : shop.os.definitions)
    if (names.empty()) out.push_back(&definition);
  for (const std::string& name : names) {
    const definition::Definition* definition = shop.os.find(name);
    if (definition == nullptr) return no_definition(shop.os, name);
    out.push_back(definition);
  }
  return out;
}

Result<std::vector<Watched>> look(Workshop& shop, const std::vector<std::string>& names, Propose propose) {
  const std::vector<const definition::Definition*> definitions = TRY(chosen_definitions(shop, names));
  const watch::Feeds feeds = watch::feeds_of_machine(shop.env());
  std::vector<Watched> out;
  Task task(shop.env().events, "watch");
  std::vector<Result<watch::Observation>> answers =
      watch::observe_all(definitions, feeds, shop.os.sources, shop.env(), task);
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    const definition::Definition* definition = definitions[i];
    Watched row;
    row.definition = definition;
    Result<watch::Observation>& seen = answers[i];
    if (shop.env().stop.stop_requested()) return Error::make(ErrorKind::kUnavailable, "interrupted");
    if (!seen) {
      row.note = seen.error().render();
    } else {
      row.seen = *std::move(seen);
      if (propose == Propose::kYes) {
        auto proposal =
            watch::propose(*definition, *row.seen, shop.os.sources, feeds, shop.places, shop.env(), &row.note);
        if (proposal) row.proposal = *std::move(proposal);
        else row.note = proposal.error().render();
      }
    }
    out.push_back(std::move(row));
  }
  task.finish(fmt::format("{} definitions", out.size()));
  return out;
}

}  // namespace nacre::cli
