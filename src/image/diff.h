#pragma once

#include "base/env.h"
#include "base/result.h"
#include "base/sha256.h"
#include "codec/json.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nacre::image {

/// One file as an image has it.
struct ViewedFile {
  char type = '0';
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0, size = 0;
  unsigned dev_major = 0, dev_minor = 0;  ///< Of devices.
  std::string link, digest;      ///< digest: hex, of regular files.
  std::string capability;        ///< Hex of security.capability, or empty.
  bool operator==(const ViewedFile&) const = default;
};

/// An image of any maker, read whole: layers checked, files hashed.
struct ImageView {
  std::map<std::string, std::string> packages;   ///< Name -> version, of the installed database.
  std::map<std::string, std::string> licences;   ///< Name -> licence.
  std::map<std::string, ViewedFile> files;
  std::vector<std::string> layers;               ///< Digests, bottom first.
  std::uint64_t layer_bytes = 0, file_bytes = 0;
  codec::Json config;                            ///< The part that says how it runs.
};
Result<ImageView> view_image(const Sha256& manifest, Env& env);

/// What is different: packages, licences, files, special permissions, configuration, layers. Members that have nothing
/// to say are absent, so that an empty object means equal images.
codec::Json diff_images(const ImageView& before, const ImageView& after);

/// The same for people, a line for each; "" for equal images.
std::string render_diff(const codec::Json& diff);

}  // namespace nacre::image
