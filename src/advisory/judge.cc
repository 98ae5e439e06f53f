#include "advisory/judge.h"

#include "advisory/cvss.h"
#include "advisory/edit.h"
#include "base/text.h"
#include "codec/digest.h"
#include "os/clock.h"

#include <algorithm>
#include <map>
#include <set>

namespace nacre::advisory {
namespace {

const Document* document_of(const std::vector<Document>& advisories, std::string_view package) {
  for (const Document& document : advisories)
    if (document.package == package) return &document;
  return nullptr;
}

const Advisory* advisory_on(const Document* document, const std::vector<std::string>& ids) {
  if (document == nullptr) return nullptr;
  for (const std::string& id : ids)
    if (const Advisory* advisory = document->find(id); advisory != nullptr) return advisory;
  return nullptr;
}

/// A match's advisory, in the document of its origin or of the package itself.
const Advisory* advisory_on(const std::vector<Document>& advisories, const Match& match) {
  if (const Advisory* found = advisory_on(document_of(advisories, match.origin), match.ids)) return found;
  return advisory_on(document_of(advisories, match.package), match.ids);
}

std::string days(std::int64_t seconds) { return fmt::format("{:.1f} days", static_cast<double>(seconds) / 86'400); }

bool refused(const Match& match, const Policy& policy) {
  if (policy.refuse == Policy::Refuse::kNothing || !match.sure) return false;
  if (policy.refuse == Policy::Refuse::kFixable && !match.fixable()) return false;
  const int severity = severity_rank(match.severity);
  return severity == 0 || severity >= severity_rank(policy.least_severity);
}

/// Whether `matches` holds one of these names for packages of that origin.
bool holds(const std::vector<Match>& matches, std::string_view origin, const Advisory& advisory) {
  return std::any_of(matches.begin(), matches.end(), [&](const Match& match) {
    return (match.origin == origin || match.package == origin) &&
           std::any_of(match.ids.begin(), match.ids.end(), [&](const std::string& id) { return advisory.names(id); });
  });
}

DetectedComponent detected(const Match& match) {
  DetectedComponent out;
  out.subpackage = match.package;
  out.name = match.component.name;
  out.version = match.component.version;
  out.type = component_type(match.component.ecosystem);
  out.location = "/" + match.component.path;
  out.scanner = "nacre";
  out.id =
      codec::sha256(fmt::format("{}\n{}\n{}\n{}", match.package, out.type, out.name, out.location)).hex().substr(0, 16);
  return out;
}

}  // namespace

std::vector<std::string> judge(const std::vector<Match>& matches, const std::vector<Document>& advisories,
                               std::int64_t data_date, std::int64_t now, const Policy& policy) {
  std::vector<std::string> out;
  if (policy.max_age_seconds && data_date <= 0)
    out.push_back(fmt::format("the data on vulnerabilities has no date; it must be of the last {}",
                              days(*policy.max_age_seconds)));
  else if (policy.max_age_seconds && now - data_date > *policy.max_age_seconds)
    out.push_back(fmt::format("the data on vulnerabilities is of {}, {} old; {} are allowed", os::rfc3339(data_date),
                              days(now - data_date), days(*policy.max_age_seconds)));
  std::set<std::string> said;
  for (const Match& match : matches) {
    if (!refused(match, policy)) continue;
    const Advisory* advisory = advisory_on(advisories, match);
    const Event* latest = advisory == nullptr ? nullptr : advisory->latest();
    if (latest != nullptr && latest->type == EventType::kFalsePositive) continue;
    std::string line = fmt::format("{} {} has {} ({} {}", match.package, match.version, match.vulnerability,
                                   match.component.name, match.component.version);
    if (!match.severity.empty()) line += ", " + match.severity;
    line += match.fixable() ? fmt::format("), fixed in {}", match.fixed) : "), no fix is known";
    if (latest != nullptr && latest->type == EventType::kFixed)
      line += fmt::format("; {} says that {} fixed it", advisory->id, latest->fixed_version);
    if (said.insert(line).second) out.push_back(std::move(line));
  }
  return out;
}

std::vector<Closing> close_fixed(const std::vector<Document>& advisories, std::string_view package,
                                 std::string_view version, const std::vector<Match>& before,
                                 const std::vector<Match>& after, std::int64_t time) {
  std::vector<Closing> out;
  const Document* document = document_of(advisories, package);
  if (document == nullptr) return out;
  for (const Advisory& advisory : document->advisories) {
    if (!advisory.open() || !holds(before, package, advisory) || holds(after, package, advisory)) continue;
    Closing closing;
    closing.package = package;
    closing.advisory = advisory.id;
    closing.vulnerabilities = advisory.aliases;
    closing.event.type = EventType::kFixed;
    closing.event.fixed_version = version;
    closing.event.time = std::max(time, advisory.latest() == nullptr ? time : advisory.latest()->time);
    out.push_back(std::move(closing));
  }
  return out;
}

std::vector<Detection> new_detections(const std::vector<Document>& advisories, const std::vector<Match>& matches,
                                      std::int64_t time) {
  std::vector<Detection> out;
  for (const Match& match : matches) {
    if (!match.sure) continue;
    const Advisory* known = advisory_on(advisories, match);
    const Event* latest = known == nullptr ? nullptr : known->latest();
    if (latest != nullptr && latest->type != EventType::kFixed) continue;
    const auto same = std::find_if(out.begin(), out.end(), [&](const Detection& other) {
      return other.package == match.origin &&
             std::any_of(match.ids.begin(), match.ids.end(),
                         [&](const std::string& id) { return other.advisory.names(id); });
    });
    if (same != out.end()) continue;
    Detection detection;
    detection.package = match.origin;
    detection.known = known != nullptr;
    detection.advisory.id = known != nullptr ? known->id : make_id(match.origin, match.vulnerability);
    detection.advisory.aliases = match.ids;
    Event event;
    event.time = latest == nullptr ? time : std::max(time, latest->time);
    event.kind = "scan/v1";
    event.component = detected(match);
    detection.advisory.events = {std::move(event)};
    out.push_back(std::move(detection));
  }
  return out;
}

Result<std::vector<os::Path>> write_events(const os::Path& folder, const std::vector<Closing>& closings,
                                           const std::vector<Detection>& detections) {
  std::map<os::Path, std::string> texts;
  const auto change = [&](const std::string& package, const auto& edit) -> Result<> {
    const os::Path file = document_path(folder, package);
    if (!texts.contains(file) && os::exists(file)) {
      texts[file] = TRY(os::read_file(file));
    }
    const auto found = texts.find(file);
    std::optional<Document> document;
    if (found != texts.end()) document = TRY(read_document(found->second, file.string()));
    texts[file] = TRY(edit(document));
    return {};
  };
  for (const Closing& closing : closings)
    TRY(change(closing.package, [&](const std::optional<Document>& document) -> Result<std::string> {
      if (!document) return Error::make(ErrorKind::kNotFound, "'{}' has no advisories", closing.package);
      return append_event(*document, closing.advisory, closing.event);
    }));
  for (const Detection& detection : detections)
    TRY(change(detection.package, [&](const std::optional<Document>& document) -> Result<std::string> {
      if (!document) return new_document(detection.package, detection.advisory);
      if (detection.known) return append_event(*document, detection.advisory.id, detection.advisory.events[0]);
      return add_advisory(*document, detection.advisory);
    }));
  std::vector<os::Path> out;
  if (!texts.empty()) TRY(os::make_dirs(folder));
  for (const auto& [file, text] : texts) {
    TRY(os::write_file(file, text));
    out.push_back(file);
  }
  return out;
}

}  // namespace nacre::advisory
