#include "image/export.h"

#include "base/events.h"
#include "codec/gzip.h"
#include "image/layer.h"
#include "image/read.h"
#include "image/root_tree.h"

#include <algorithm>
#include <optional>

namespace nacre::image {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20;  ///< Of one that is read into memory.

enum class Boots { kNo, kIfItCan, kMust };

/// How a form is made: what is written, and whether it should start as a machine.
struct Form {
  RootFormat format;
  Boots boots;
  Result<> (*write)(const RootTree& root, const codec::Sink& sink);
};
constexpr Form kForms[] = {
    {RootFormat::kTar, Boots::kNo, write_root_tar},
    {RootFormat::kInitramfs, Boots::kIfItCan, write_root_cpio},
    {RootFormat::kCpio, Boots::kNo, write_root_cpio},
    {RootFormat::kErofs, Boots::kIfItCan, write_root_erofs},
    {RootFormat::kDisk, Boots::kMust, write_root_disk},
};

const Form& form_of(RootFormat format) {
  return *std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& form) { return form.format == format; });
}

/// What starts the image's service as the first process, where the form wants one.
Result<> add_boot_files(RootTree& root, Boots boots, Env& env) {
  if (boots == Boots::kNo) return {};
  const codec::Json manifest = TRY(read_document(root.manifest(), env));
  const Sha256 digest = TRY(parse_sha256(manifest["config"]["digest"].as_string()));
  const codec::Json config = TRY(read_document(digest, env));
  const bool boots_now = TRY(make_bootable(root, config));
  if (boots_now || boots == Boots::kIfItCan) return {};
  return Error::make(ErrorKind::kNotFound, "the image has no 'usr/bin/nacre-init', so its disk would not start")
      .hint("add the package nacre-init to its definition");
}

}  // namespace

const std::vector<NamedFormat>& root_formats() {
  static const std::vector<NamedFormat> kNames = {{"tar", RootFormat::kTar},
                                                  {"cpio", RootFormat::kInitramfs},
                                                  {"erofs", RootFormat::kErofs},
                                                  {"disk", RootFormat::kDisk}};
  return kNames;
}

Result<> export_root(const Sha256& manifest, RootFormat format, const os::Path& file, Env& env) {
  Task task(env.events, "export " + file.filename().string());
  const Form& form = form_of(format);
  const os::TempDir folder = TRY(scratch(env));
  RootTree root = TRY(RootTree::read(manifest, folder.path(), env));
  TRY(add_boot_files(root, form.boots, env));

  os::AtomicFile out = TRY(os::AtomicFile::create(file));
  const codec::Sink plain = [&](std::string_view bytes) { return out.write(bytes); };
  std::optional<codec::GzipWriter> gzip;
  if (file.extension() == ".gz" || file.extension() == ".tgz") gzip.emplace(plain);
  const codec::Sink sink = [&](std::string_view bytes) { return gzip ? gzip->write(bytes) : plain(bytes); };
  TRY(form.write(root, sink));
  if (gzip) TRY(gzip->finish());
  TRY(out.commit());
  task.finish(fmt::format("{} files", root.nodes().size()));
  return {};
}

Result<std::map<std::string, std::string>> read_files(const Sha256& manifest, const std::set<std::string>& paths,
                                                      Env& env) {
  std::map<std::string, std::string> out;
  const ImageParts parts = TRY(read_parts(manifest, env));
  for (std::size_t layer = 0; layer < parts.layers.size(); ++layer) {
    std::string* current = nullptr;
    const auto on_entry = [&](const codec::TarHeader& header) -> Result<> {
      const TreePath path = TRY(TreePath::parse(header.path));
      current = nullptr;
      if (!paths.contains(path.str())) return {};
      if (header.size > kMaxFileBytes)
        return Error::make(ErrorKind::kInvalid, "'{}' has {} bytes, more than {}", path.str(), header.size,
                           kMaxFileBytes);
      out.erase(path.str());
      if (header.type == '0' || header.type == '7') current = &out[path.str()];
      return {};
    };
    const auto on_data = [&](std::string_view bytes) -> Result<> {
      if (current != nullptr) current->append(bytes);
      return {};
    };
    TRY(read_layer(parts, layer, Check::kNo, {on_entry, on_data}, env));
  }
  return out;
}

}  // namespace nacre::image
