#include "advisory/components.h"
#include "advisory/document.h"
#include "advisory/osv.h"
#include "advisory/scan.h"
#include "advisory/version_order.h"
#include "package/elf.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// The first byte says which reader: of Go's build information, crates, metadata, package URLs, documents, OSV records,
/// orders of versions.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace std::string_view_literals;
  namespace advisory = nacre::advisory;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0: {
      // A header whose texts are inline, so that what follows is read.
      const std::string info = std::string("\xff Go buildinf:\x08\x02"sv) + std::string(16, '\0') + std::string(bytes);
      for (const advisory::Component& each : advisory::go_components(info))
        if (each.name.empty() || each.version.empty()) std::abort();
      (void)advisory::go_components(bytes);
      break;
    }
    case 1: (void)advisory::cargo_components(bytes); break;
    case 2:
      (void)advisory::python_component(bytes);
      (void)advisory::npm_component(bytes);
      (void)advisory::maven_component(bytes);
      (void)advisory::gem_component(bytes);
      break;
    case 3: (void)advisory::component_of_purl(bytes); break;
    case 4: (void)advisory::jar_components(bytes, "fuzz.jar"); break;
    case 5: {
      const auto document = advisory::read_document(std::string(bytes), "fuzz.advisories.yaml");
      if (document) (void)advisory::lint(*document, {}, 0);
      break;
    }
    case 6: {
      const auto json = nacre::codec::parse_json(bytes, "fuzz.json");
      if (!json) break;
      (void)advisory::read_pypi_vulnerabilities(*json);
      const auto record = advisory::read_osv(*json);
      if (!record) break;
      const auto again = advisory::read_osv(advisory::compact_osv(*record));
      if (!again || again->affected.size() != record->affected.size()) std::abort();
      for (const advisory::OsvAffected& affected : record->affected) (void)advisory::judge_version(affected, "1.2.3");
      break;
    }
    default: {
      const std::size_t half = bytes.find('\n');
      if (half == std::string_view::npos) break;
      const std::string_view a = bytes.substr(0, half), b = bytes.substr(half + 1);
      for (int order = 0; order <= static_cast<int>(advisory::VersionOrder::kApk); ++order) {
        const auto kind = static_cast<advisory::VersionOrder>(order);
        const auto there = advisory::compare(kind, a, b), back = advisory::compare(kind, b, a);
        if (there.has_value() != back.has_value()) std::abort();
        if (there && ((*there < 0) != (*back > 0) || (*there == 0) != (*back == 0))) std::abort();
      }
    }
  }
  return 0;
}
