#include "cli/foreign_sbom.h"

#include "attest/cyclonedx.h"
#include "attest/image_spdx.h"
#include "codec/json.h"

#include <algorithm>

namespace nacre::cli {
namespace {

constexpr std::string_view kSpdxType = "application/spdx+json", kCycloneDxType = "application/vnd.cyclonedx+json";

bool has(const std::vector<std::string>& formats, std::string_view format) {
  return std::find(formats.begin(), formats.end(), format) != formats.end();
}

}  // namespace

std::string ForeignSbom::file_name() const {
  return fmt::format("sbom-{}.{}.json", of, media_type == kSpdxType ? "spdx" : "cdx");
}

Result<std::vector<ForeignSbom>> foreign_sboms(const ImageJob& job, const ComposedImages& images,
                                               const std::vector<std::string>& formats, const std::string& tag,
                                               Env& env) {
  for (const std::string& format : formats)
    if (format != "spdx" && format != "cyclonedx")
      return Error::make(ErrorKind::kInvalid, "there is no SBOM format '{}'", format)
          .hint("there are spdx and cyclonedx");
  std::vector<ForeignSbom> out;
  const bool cyclonedx = has(formats, "cyclonedx");
  const auto add = [&](const image::Descriptor& subject, std::string_view of, const std::string& text,
                       const codec::Json& spdx, const attest::PackageGraph& graph) {
    if (has(formats, "spdx")) out.push_back({subject, std::string(of), std::string(kSpdxType), text});
    if (cyclonedx)
      out.push_back({subject, std::string(of), std::string(kCycloneDxType),
                     codec::to_pretty_json(attest::cyclonedx_of(spdx, graph))});
  };
  std::string supplier;
  for (const image::Image& image : images.images) {
    const std::string text = TRY(attest::reference_image_spdx(job.spec(), image, tag, env));
    const codec::Json spdx = TRY(codec::parse_json(text, "SBOM"));
    attest::PackageGraph graph;
    if (cyclonedx) graph = TRY(attest::graph_of_image(image.manifest.digest, env));
    add(image.manifest, image.arch.apk, text, spdx, graph);
    if (supplier.empty()) supplier = attest::supplier_of(spdx);
  }
  const std::string text = attest::reference_index_spdx(job.spec(), images.images, images.index, tag, supplier);
  const codec::Json spdx = TRY(codec::parse_json(text, "SBOM"));
  add(images.index, "index", text, spdx, {});
  return out;
}

Result<> write_sboms(const std::vector<ForeignSbom>& sboms, const os::Path& folder) {
  if (!folder.empty()) TRY(os::make_dirs(folder));
  for (const ForeignSbom& sbom : sboms) TRY(os::write_file(folder / sbom.file_name(), sbom.text));
  return {};
}

}  // namespace nacre::cli
