#pragma once

#include "base/arch.h"
#include "build/build.h"
#include "codec/json.h"
#include "definition/definition.h"
#include "image/image.h"
#include "index/index.h"

#include <map>
#include <string>
#include <vector>

namespace nacre::attest {

/// What an SBOM says beyond definition and sources.
struct SbomOptions {
  std::string name_space = "nacre";                  ///< Of the package URLs, and who supplies the packages.
  std::map<std::string, std::string> license_texts;  ///< By `license-path`: what the file says.
  /// The definition's own place, for DESCRIBED_BY; left out unless all three are known.
  std::string repository, path, commit;              ///< "https://github.com/o/r", "zlib.yaml", 40 digits
  std::string definition_license = "NOASSERTION";    ///< Of the definition itself.
};

/// SPDX 2.3 of one package as it stands inside it (spec apk-melange-apko 1.5, supply-chain 5): the package with its
/// CPE, its definition, its sources (GENERATED_FROM, digest or commit, upstream's address, "repacked" as an
/// annotation). A function of its arguments alone: it holds no edition, no clock and no machine, so that two builds
/// give the same bytes.
codec::Json package_sbom(const definition::Definition& definition, const std::string& package,
                         const Arch& arch, const std::vector<build::FetchedSource>& sources,
                         const std::string& commit, std::int64_t source_date_epoch,
                         const SbomOptions& options = {});

/// The texts of the licences that a definition names by `license-path`, read beneath the workspace of its build;
/// kNotFound for a file that is not there, kInvalid or kDenied for one that is elsewhere.
Result<std::map<std::string, std::string>> license_texts(const definition::Definition& definition,
                                                         const os::Path& workspace);

/// Where it stands: "var/lib/db/sbom/NAME-VERSION.spdx.json".
TreePath package_sbom_path(const std::string& package, const std::string& full_version);

/// SPDX 2.3 of one image manifest: the image CONTAINS its layers and each package's described elements (ids
/// deduplicated). `package_sboms` are in the order of image.packages.
codec::Json image_sbom(const image::Image& image, const std::vector<codec::Json>& package_sboms);
/// Of the OCI index: VARIANT_OF relations to each manifest.
codec::Json image_index_sbom(const std::vector<image::Image>& images);
/// Of a repository index: all packages by name, version and checksum.
codec::Json repository_sbom(const std::vector<index::SerialPackage>& packages, Edition edition,
                            std::uint64_t serial, std::int64_t created);

}  // namespace nacre::attest
