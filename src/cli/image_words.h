#pragma once

#include "base/env.h"
#include "base/sha256.h"
#include "image/reasons.h"
#include "image/spec.h"

#include <string>
#include <vector>

namespace nacre::cli {

/// What a definition asks for, each word with its place; `more` was asked for by a call.
std::vector<image::Word> words_of(const image::ImageSpec& spec, const std::vector<std::string>& more = {});

/// Remembers what an image was asked for: nothing in the image itself says it.
Result<> keep_words(const Sha256& manifest, const std::vector<image::Word>& words, Env& env);
/// What keep_words() remembered; nothing for images that were made elsewhere.
Result<std::vector<image::Word>> kept_words(const Sha256& manifest, Env& env);

}  // namespace nacre::cli
