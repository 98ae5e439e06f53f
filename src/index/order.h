#pragma once

#include "apk/version.h"
#include "index/index.h"

// Inside this room only: the order of packages in serials and indexes.
namespace nacre::index {

/// By name bytewise, then version as apk orders them, then what makes "equal" one package.
inline bool before(const SerialPackage& a, const SerialPackage& b) {
  const apk::IndexRecord& x = a.record;
  const apk::IndexRecord& y = b.record;
  if (x.name != y.name) return x.name < y.name;
  const auto order = apk::compare_versions(x.version, y.version);
  if (order != 0) return order < 0;
  if (x.version != y.version) return x.version < y.version;
  return x.arch < y.arch;
}

/// "zlib-1.3.1-r0.x86_64": what names one content for ever within an edition (design, decision 14).
inline std::string identity_of(const apk::IndexRecord& record) {
  return fmt::format("{}-{}.{}", record.name, record.version, record.arch);
}

}  // namespace nacre::index
