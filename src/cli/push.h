#pragma once

#include "cli/command.h"
#include "index/index.h"
#include "publish/registry.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// Pushes images of a serial, with their signatures and attestations, to HOST[:PORT][/PREFIX]; each also gets the tag
/// "serial-N".
Result<std::vector<publish::Receipt>> push_images(const std::vector<index::SerialImage>& images,
                                                  const index::Serial& serial, const std::string& host,
                                                  Session& session);

codec::Json to_json(const std::vector<publish::Receipt>& receipts);
std::string render(const std::vector<publish::Receipt>& receipts);

/// NACRE_HOME/layout/EDITION as an OCI image layout of the newest serial (hard links to the store).
Result<> refresh_layout(const index::Serial& serial, Session& session);

}  // namespace nacre::cli
