#pragma once

#include <string>

namespace nacre::apk {

/// A signature as packages and indexes carry it: the file ".SIGN.KIND.KEY" of their first segment.
struct SignatureFile {
  std::string kind;      ///< "RSA256", "RSA" (over SHA-1); others are not ours.
  std::string key_name;  ///< File name of the public key.
  std::string bytes;
};

}  // namespace nacre::apk
