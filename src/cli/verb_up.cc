#include "cli/flow.h"
#include "cli/lookup.h"
#include "cli/push.h"
#include "cli/verbs.h"
#include "farm/policy.h"
#include "os/clock.h"

#include <algorithm>

namespace nacre::cli {
namespace {

std::string what_next(const FlowReport& report) {
  std::string image = report.images.empty() ? "busybox" : report.images.back().name;
  for (const ImageRow& row : report.images)
    if (row.name == "nginx") image = row.name;
  const std::vector<std::pair<std::string, std::string_view>> rows = {
      {"nacre verify " + image, "signatures, provenance, SBOM, every package in the signed index"},
      {"nacre run --publish 8080:8080 " + image, "start it; 127.0.0.1:8080 leads to its port 8080"},
      {"nacre serve", "a registry and package repository on 127.0.0.1:8484"},
      {"nacre why " + image, "why each package is in the image"},
      {"nacre watch", "newer upstream releases"},
      {"nacre update zlib", "move one package; see what is rebuilt and what clients pull"},
      {"nacre serials; nacre rollback", "every earlier state is one command away"},
      {"nacre promote", "the same bytes, built again, in edition production"},
      {"nacre farm run", "all of this by itself, from upstream's release to pushed images"}};
  std::string out = "\ntry next:\n";
  for (const auto& [command, text] : rows) out += fmt::format("  {:<36} {}\n", command, text);
  return out;
}

Result<int> run_up(const Arguments& arguments, Session& session) {
  const Arch arch = TRY(arch_of(arguments));
  const std::int64_t postpone_seconds =
      TRY(farm::parse_duration(arguments.text("--postpone")), "reading --postpone");
  Workshop shop = TRY(open_workshop(session, arch, arguments.list("DEFINITION")));
  FlowOptions options;
  options.only = arguments.list("DEFINITION");
  options.jobs = static_cast<unsigned>(std::max(0L, arguments.number("--jobs")));
  if (arguments.number("--paranoid") < 0)
    return Error::make(ErrorKind::kInvalid, "expected a number of builds, got --paranoid {}",
                       arguments.number("--paranoid"));
  *shop.confirmations = arguments.number("--paranoid");
  shop.postpone_seconds = postpone_seconds;
  shop.postponed_too = arguments.flag("--postponed");
  if (arguments.flag("--skip-tests")) options.tests = FlowOptions::Tests::kSkip;
  const FlowReport report = TRY(run_flow(shop, options));
  if (report.published) TRY(refresh_layout(*report.published, session));
  std::vector<publish::Receipt> receipts;
  const double start = session.env.clock.monotonic_seconds();
  if (const std::string host = arguments.text("--registry"); !host.empty()) {
    const index::Serial serial = TRY(index::load_serial(session.env, report.edition, report.serial));
    receipts = TRY(push_images(serial.images, serial, host, session));
  }
  codec::Json json = to_json(report);
  if (!receipts.empty())
    json.set("pushed", to_json(receipts)).set("pushSeconds", session.env.clock.monotonic_seconds() - start);
  session.print(session.json ? codec::to_pretty_json(json) : render(report) + render(receipts) + what_next(report));
  return 0;
}

}  // namespace

Verb verb_up() {
  Verb verb;
  verb.name = "up";
  verb.summary = "make the distribution: build, test, compose, attest and publish what changed";
  verb.arguments = {{"DEFINITION", "only these and what they are built with", false, true, Completion::kPackage}};
  verb.options = {kArchOption,
                  kJobsOption,
                  {"--registry", OptionType::kText, "HOST", "", "also push the images to this registry, host[:port]",
                   Completion::kNone},
                  {"--skip-tests", OptionType::kFlag, "", "", "publish without running tests", Completion::kNone},
                  {"--paranoid", OptionType::kNumber, "N", "0",
                   "build so many of those that were cut off all the same, and compare", Completion::kNone},
                  {"--postpone", OptionType::kText, "SPAN", "0s",
                   "how long a build may be put off that takes nothing urgent of what changed", Completion::kNone},
                  {"--postponed", OptionType::kFlag, "", "", "build now what was put off", Completion::kNone}};
  verb.run = run_up;
  return verb;
}

}  // namespace nacre::cli
