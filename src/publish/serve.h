#pragma once

#include "base/env.h"
#include "net/server.h"

namespace nacre::publish {

/// What `nacre serve` answers, straight from the store, read-only:
///   /v2/…       pull side of the OCI distribution protocol (tags, manifests, blobs with ranges, referrers, tags/list,
///               _catalog) for nacre/IMAGE (community) and nacre-production/IMAGE; tag names of SerialImage and legacy
///               cosign tags
///   /EDITION/ARCH/APKINDEX.tar.gz      newest serial; /EDITION/serial/N/ARCH/… any serial
///   /EDITION/@WHEN/ARCH/…              a repository of its own for each serial (@12), date (@2026-11-28) and channel
///                                      (@stable), the last with freshness metadata in /EDITION/@CHANNEL/tuf/
///   /EDITION/tuf/FILE.json             freshness metadata (index/freshness.h); /EDITION/ARCH/HEX.APKINDEX.tar.gz, the
///                                      index of any serial by its digest
///   /EDITION/ARCH/NAME-VERSION.apk     every package of any serial; also with .intoto.sigstore.json and .spdx.json
///   /EDITION/keys/NAME.pub             public keys (from `keys`)
///   /EDITION/notices.json              what was withdrawn or ended, and why (index/notices.h); the header Nacre-Notice
///                                      says it with each .apk and image manifest that it is about
///   /           a small page: serials, packages, images, how to use them
/// The head is read for each request (one state look-up), so a publish is visible at once and whole.
struct ServeOptions {
  std::string package_keys_dir;   ///< Directory with public key files NAME.pub; may be empty.
  std::string scheme = "http";    ///< How clients reach it, for the page.
};
net::Handler make_handler(Env& env, ServeOptions options);

}  // namespace nacre::publish
