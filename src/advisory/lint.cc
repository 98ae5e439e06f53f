#include "advisory/document.h"
#include "apk/version.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace nacre::advisory {
namespace {

/// "CVE-2024-1234", "GHSA-…", "GO-2024-1234", "RUSTSEC-2024-0001", "PYSEC-2024-1", …: a name of a data base, then more.
bool is_vulnerability_id(std::string_view id) {
  const std::size_t dash = id.find('-');
  if (dash == std::string_view::npos || dash < 2 || dash + 1 == id.size()) return false;
  const auto good = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == ':' || c == '.';
  };
  if (!std::all_of(id.begin(), id.end(), good)) return false;
  if (!id.starts_with("CVE-")) return std::isupper(static_cast<unsigned char>(id[0])) != 0;
  return id.size() >= 13 && id[8] == '-' &&
         std::all_of(id.begin() + 4, id.end(), [](unsigned char c) { return std::isdigit(c) != 0 || c == '-'; });
}

struct Linter {
  const Document& document;
  std::int64_t now;
  std::vector<Finding> out;
  std::map<std::string, int> seen;

  void say(const codec::YamlSpan& span, const char* rule, std::string text) {
    out.push_back({document.tree.place(span), rule, std::move(text)});
  }

  void once(const Advisory& advisory, const std::string& name) {
    if (const int line = seen[name]; line > 0)
      say(advisory.span, "duplicate", fmt::format("{} is also named by the advisory of line {}", name, line));
    seen[name] = advisory.span.line;
  }

  void event(const Advisory& advisory, const Event& event, std::int64_t before) {
    if (event.time < before)
      say(event.span, "event-order", fmt::format("an event of {} is earlier than the one before it", advisory.id));
    if (event.time > now + 2 * 3600)
      say(event.span, "future", fmt::format("an event of {} is of the future", advisory.id));
    if (event.type == EventType::kFixed && event.fixed_version != "0" && !apk::is_valid_version(event.fixed_version))
      say(event.span, "fixed-version", fmt::format("'{}' is no version of a package", event.fixed_version));
  }

  void advisory(const Advisory& advisory) {
    if (!is_advisory_id(advisory.id))
      say(advisory.span, "id", fmt::format("'{}' is no id like NACRE-xxxx-xxxx-xxxx", advisory.id));
    once(advisory, advisory.id);
    for (const std::string& alias : advisory.aliases) {
      if (!is_vulnerability_id(alias))
        say(advisory.span, "alias", fmt::format("'{}' is no id of a vulnerability", alias));
      once(advisory, alias);
    }
    if (advisory.events.empty()) say(advisory.span, "empty", fmt::format("{} has no event", advisory.id));
    std::int64_t before = 0;
    for (const Event& each : advisory.events) {
      event(advisory, each, before);
      before = each.time;
    }
  }
};

}  // namespace

std::vector<Finding> lint(const Document& document, const std::set<std::string>& packages, std::int64_t now) {
  Linter linter{document, now, {}, {}};
  const std::string name = os::Path(document.file).filename().string();
  if (name != document.package + ".advisories.yaml")
    linter.say({}, "package", fmt::format("advisories of '{}' stand in '{}'", document.package, name));
  if (!packages.empty() && !packages.contains(document.package))
    linter.say({}, "package", fmt::format("no definition '{}'", document.package));
  if (document.advisories.empty()) linter.say({}, "empty", "the document holds no advisory");
  for (const Advisory& advisory : document.advisories) linter.advisory(advisory);
  return std::move(linter.out);
}

}  // namespace nacre::advisory
