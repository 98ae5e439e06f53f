#pragma once

#include "image/image.h"

#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

constexpr std::string_view kConfigType = "application/vnd.oci.image.config.v1+json";
constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

/// Words of a command line: blanks part them; '…', "…" and \ quote; '#' at a word's start comments out the
/// rest of the line. kInvalid for a quote that is never closed.
Result<std::vector<std::string>> shell_words(std::string_view text);

/// The image definition with packages pinned, one line: etc/apko.json.
std::string locked_spec(const ImageSpec& spec, const Arch& arch, const std::vector<std::string>& packages);

/// All of a definition that decides bytes, as apko's field names have it.
codec::Json spec_to_json(const ImageSpec& spec);

/// The definition's annotations and those that nacre adds: title, created, source, revision, edition.
definition::Pairs all_annotations(const ComposeRequest& request, std::int64_t created);

/// OCI image config. `user` is the resolved run-as.
Result<codec::Json> make_config(const ComposeRequest& request, const Image& image, std::string_view user);
codec::Json make_manifest(const ComposeRequest& request, const Image& image);
codec::Json make_index(const ComposeRequest& request, const Image& image);

}  // namespace nacre::image
