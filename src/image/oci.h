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

/// The same as apko writes it for packages of anybody: `user` is the resolved run-as.
std::string foreign_locked_spec(const ComposeRequest& request, const std::vector<std::string>& packages,
                                const std::string& user);

/// The definition's annotations and those that nacre adds: title, created, source, revision, edition.
definition::Pairs all_annotations(const ComposeRequest& request, std::int64_t created);

/// OCI image config. `user` is the resolved run-as.
Result<codec::Json> make_config(const ComposeRequest& request, const Image& image, std::string_view user);
codec::Json make_manifest(const ComposeRequest& request, const Image& image);
codec::Json make_index(const ComposeRequest& request, const Image& image);

/// The same for packages of anybody, as apko writes them: fields, order, annotations.
Result<codec::Json> foreign_config(const ComposeRequest& request, const Image& image, std::string_view user);
codec::Json foreign_manifest(const ComposeRequest& request, const Image& image);
codec::Json foreign_index(const ImageSpec& spec, const std::vector<Image>& images, std::int64_t created);

}  // namespace nacre::image
