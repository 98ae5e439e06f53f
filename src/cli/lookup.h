#pragma once

#include "attest/verify.h"
#include "cli/command.h"
#include "image/image.h"
#include "index/index.h"
#include "publish/registry.h"

#include <optional>
#include <string>

namespace nacre::cli {

/// Options that several verbs share.
extern const Option kArchOption, kJobsOption, kEditionOption, kSerialOption;
Result<Arch> arch_of(const Arguments& arguments);
Result<Edition> edition_of(const Arguments& arguments);

/// kNotFound, with what makes the first.
Error no_serial_yet(Edition edition);

/// The serial that --serial names, else the newest. kNotFound says how to make one.
Result<index::Serial> serial_of(const Arguments& arguments, Session& session);

/// An image that a reference names: in the store ("nginx", "nginx:1.26.3", "nacre-production/nginx", "sha256:HEX") or
/// in a registry.
struct FoundImage {
  std::string name;                          ///< As asked, for messages.
  Sha256 digest;                             ///< Index or manifest, in the store (pulled when it was remote).
  std::optional<index::SerialImage> entry;   ///< When it is part of a serial here.
  std::optional<Edition> edition;
  bool remote = false;
};
Result<FoundImage> find_image(const std::string& reference, Session& session);

/// Where the blobs and attestations of a found image are read: the serial that has it, or its registry. `found` as
/// find_image() gave it for `reference`. nullopt for an image of the store that is in no serial.
Result<std::optional<attest::ImageSource>> evidence_of(const FoundImage& found, Session& session);

/// Packages of a serial by name. kNotFound with the nearest name.
Result<index::SerialPackage> find_package(const index::Serial& serial, const std::string& name);

}  // namespace nacre::cli
