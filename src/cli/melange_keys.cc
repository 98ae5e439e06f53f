#include "apk/index_file.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/melange_common.h"
#include "crypto/key.h"

#include <algorithm>
#include <cstdio>

namespace nacre::cli {
namespace {

void say(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

Result<int> run_keygen(const MelangeArguments& arguments) {
  const std::string file = arguments.words.empty() ? "melange.rsa" : arguments.words[0];
  const std::string size = arguments.text("--key-size");
  const auto bits = whole_number<unsigned>(size);
  if (!bits)
    return Error::make(ErrorKind::kInvalid, "flag '--key-size' needs a number of bits, got '{}'", size);
  if (os::exists(file) || os::exists(file + ".pub"))
    return Error::make(ErrorKind::kConflict, "'{}' is there already", os::exists(file) ? file : file + ".pub")
        .hint("name another file; what that key signed can be verified only with it");
  const crypto::PrivateKey key = TRY(crypto::PrivateKey::generate_rsa(*bits));
  TRY(os::write_file(file, key.pem(), 0600, os::Sync::kYes));
  TRY(os::write_file(file + ".pub", key.public_key().pem(), 0644, os::Sync::kYes));
  say(fmt::format("wrote the private key to {}, the public one to {}.pub", file, file));
  return 0;
}

Result<int> run_sign(const MelangeArguments& arguments) {
  const apk::SegmentSigner signer = TRY(signer_of_file(arguments.text("--signing-key")));
  for (const std::string& file : arguments.words) {
    TRY(apk::sign_package(file, signer), "signing '{}'", file);
    say("signed " + file);
  }
  return 0;
}

Result<int> run_sign_index(const MelangeArguments& arguments) {
  const std::string& file = arguments.words[0];
  const std::string bytes = TRY(os::read_file(file, std::uint64_t{256} << 20));
  const apk::IndexFile index = TRY(apk::read_index(bytes, file));
  if (!index.signature_bytes.empty() && !arguments.on("--force")) {
    say(fmt::format("{} is signed already, by {}; --force signs it anew", file, index.key_name));
    return 0;
  }
  const apk::SegmentSigner signer = TRY(signer_of_file(arguments.text("--signing-key")));
  const std::string out = TRY(apk::sign_index(bytes, file, signer));
  TRY(os::write_file(file, out));
  say("signed " + file);
  return 0;
}

Result<int> run_index(const MelangeArguments& arguments) {
  const std::string out = arguments.text("--output"), arch = arguments.text("--arch");
  apk::IndexFile index;
  if (arguments.on("--merge")) {
    const std::string source = arguments.text("--source");
    if (os::exists(source)) {
      const std::string bytes = TRY(os::read_file(source, std::uint64_t{256} << 20));
      index = TRY(apk::read_index(bytes, source));
    }
  }
  std::size_t count = 0;
  for (const std::string& file : arguments.words) {
    const apk::PackageFile package = TRY(apk::read_package_header(file), "indexing '{}'", file);
    if (!arch.empty() && package.info.arch != arch && package.info.arch != "noarch") {
      say(fmt::format("left out {}: it is for {}", file, package.info.arch));
      continue;
    }
    merge_record(index.records, package.record());
    ++count;
  }
  const apk::SegmentSigner signer = TRY(signer_of_file(arguments.text("--signing-key")));
  const std::string bytes = TRY(apk::pack_index(index.records, index.description, signer));
  TRY(os::write_file(out, bytes));
  say(fmt::format("{}: {} packages indexed, {} in all", out, count, index.records.size()));
  return 0;
}

}  // namespace

void merge_record(std::vector<apk::IndexRecord>& records, apk::IndexRecord record) {
  for (apk::IndexRecord& known : records) {
    if (known.name != record.name || known.version != record.version) continue;
    known = std::move(record);
    return;
  }
  records.push_back(std::move(record));
}

Result<apk::SegmentSigner> signer_of_file(const std::string& file) {
  if (file.empty()) return apk::SegmentSigner();
  const std::string pem = TRY(os::read_file(file, 64u << 10), "reading the signing key '{}'", file);
  const crypto::PrivateKey key = TRY(crypto::PrivateKey::from_pem(pem), "reading the signing key '{}'", file);
  if (key.public_key().kind() != crypto::KeyKind::kRsa4096)
    return Error::make(ErrorKind::kInvalid, "'{}' is no RSA key", file).hint("`melange keygen` makes one");
  const std::string name = Path(file).filename().string() + ".pub";
  return apk::SegmentSigner([key, name](std::string_view bytes) -> Result<apk::SegmentSignature> {
    apk::SegmentSignature out;
    out.key_name = name;
    out.signature = TRY(key.sign(bytes));
    return out;
  });
}

MelangeCommand melange_keygen() {
  return {.name = "keygen",
          .summary = "make an RSA key for packages and indexes: FILE and FILE.pub",
          .usage = "[FILE]",
          .flags = {{"--key-size", 0, MelangeFlag::kText, "4096", "bits of the key", ""}},
          .max_words = 1,
          .run_alone = run_keygen};
}

MelangeCommand melange_sign() {
  return {.name = "sign",
          .summary = "sign packages in place",
          .usage = "FILE.apk …",
          .flags = {{"--signing-key", 'k', MelangeFlag::kText, "local-melange.rsa", "the private key", ""}},
          .min_words = 1,
          .max_words = 1u << 20,
          .run_alone = run_sign};
}

MelangeCommand melange_sign_index() {
  return {.name = "sign-index",
          .summary = "sign an index in place",
          .usage = "APKINDEX.tar.gz",
          .flags = {{"--force", 'f', MelangeFlag::kSwitch, "", "sign it anew when it is signed already", ""},
                    {"--signing-key", 0, MelangeFlag::kText, "melange.rsa", "the private key", ""}},
          .min_words = 1,
          .max_words = 1,
          .run_alone = run_sign_index};
}

MelangeCommand melange_index() {
  return {.name = "index",
          .summary = "make an index of packages",
          .usage = "FILE.apk …",
          .flags = {{"--arch", 'a', MelangeFlag::kText, "", "only packages for this architecture", ""},
                    {"--merge", 'm', MelangeFlag::kSwitch, "", "keep what the index --source holds", ""},
                    {"--output", 'o', MelangeFlag::kText, "APKINDEX.tar.gz", "where the index goes", ""},
                    {"--signing-key", 0, MelangeFlag::kText, "", "sign the index with this key", ""},
                    {"--source", 's', MelangeFlag::kText, "APKINDEX.tar.gz", "the index that --merge begins with", ""}},
          .min_words = 1,
          .max_words = 1u << 20,
          .run_alone = run_index};
}

}  // namespace nacre::cli
