#include "image/spec.h"

#include "base/encoding.h"
#include "base/text.h"
#include "codec/digest.h"
#include "codec/yaml_aliases.h"
#include "definition/fields.h"

#include <algorithm>

namespace nacre::image {
namespace {

constexpr std::size_t kMaxIncludes = 32;

template <class T>
void put_before(const std::vector<T>& first, std::vector<T>& list) {
  list.insert(list.begin(), first.begin(), first.end());
}

void take_if_empty(const std::string& from, std::string& to) {
  if (to.empty()) to = from;
}

void merge_pairs(const definition::Pairs& included, definition::Pairs& own) {
  for (const auto& [key, value] : included)
    if (definition::find_pair(own, key) == nullptr) own.emplace_back(key, value);
}

bool is_set(const Entrypoint& entrypoint) {
  return !entrypoint.type.empty() || !entrypoint.command.empty() || !entrypoint.shell_fragment.empty() ||
         !entrypoint.services.empty();
}

Result<ImageSpec> load(const std::string& file, const std::vector<std::string>& include_paths,
                       std::vector<std::string>& open_files, codec::Hasher& hasher) {
  const std::string found = TRY(find_input(file, include_paths));
  if (std::find(open_files.begin(), open_files.end(), found) != open_files.end())
    return Error::make(ErrorKind::kInvalid, "'{}' includes itself, through {}", found, join(open_files, " and "));
  if (open_files.size() >= kMaxIncludes)
    return Error::make(ErrorKind::kInvalid, "more than {} definitions include each other", kMaxIncludes);
  open_files.push_back(found);
  std::string text = TRY(os::read_file(found));
  hasher.update(text);
  const codec::YamlTree yaml = TRY(codec::parse_yaml_with_aliases(std::move(text), found));
  ImageSpec spec = TRY(read_image_spec(yaml));
  if (!spec.include.empty()) {
    auto included = load(spec.include, include_paths, open_files, hasher);
    if (!included) {
      const codec::YamlNode* node = yaml.root.find("include");
      const Place place = yaml.place(node == nullptr ? yaml.root.span : node->span);
      Error error = std::move(included).error().at(place);
      return std::move(error).while_doing("including '{}' at {}:{}", spec.include, found, place.line);
    }
    merge_included(*included, spec);
  }
  open_files.pop_back();
  return spec;
}

}  // namespace

Result<std::string> find_input(const std::string& path, const std::vector<std::string>& include_paths) {
  std::vector<std::string> tried = {path};
  if (!os::Path(path).is_absolute())
    for (const std::string& folder : include_paths) tried.push_back((os::Path(folder) / path).string());
  for (const std::string& at : tried)
    if (os::exists(at)) return at;
  return Error::make(ErrorKind::kNotFound, "no file '{}'", join(tried, "' and no file '"));
}

void merge_included(const ImageSpec& included, ImageSpec& spec) {
  if (!is_set(spec.entrypoint)) spec.entrypoint = included.entrypoint;
  take_if_empty(included.cmd, spec.cmd);
  take_if_empty(included.stop_signal, spec.stop_signal);
  take_if_empty(included.work_dir, spec.work_dir);
  if (!spec.layering) spec.layering = included.layering;
  take_if_empty(included.format, spec.format);
  if (!spec.certificates) spec.certificates = included.certificates;
  if (spec.archs.empty()) spec.archs = included.archs;
  take_if_empty(included.accounts.run_as, spec.accounts.run_as);
  put_before(included.accounts.users, spec.accounts.users);
  put_before(included.accounts.groups, spec.accounts.groups);
  merge_pairs(included.environment, spec.environment);
  merge_pairs(included.annotations, spec.annotations);
  put_before(included.paths, spec.paths);
  put_before(included.volumes, spec.volumes);
  const Contents& more = included.contents;
  Contents& own = spec.contents;
  put_before(more.keyring, own.keyring);
  put_before(more.runtime_keyring, own.runtime_keyring);
  put_before(more.build_repositories, own.build_repositories);
  put_before(more.runtime_repositories, own.runtime_repositories);
  put_before(more.repositories, own.repositories);
  put_before(more.repository_places, own.repository_places);
  put_before(more.packages, own.packages);
  put_before(more.package_places, own.package_places);
  if (!own.base) own.base = more.base;
}

Result<LoadedSpec> load_image_spec(const std::string& file, const std::vector<std::string>& include_paths) {
  LoadedSpec out;
  codec::Hasher hasher;
  std::vector<std::string> open_files;
  out.spec = TRY(load(file, include_paths, open_files, hasher));
  out.checksum = "sha256-" + to_base64(hasher.finish());
  return out;
}

}  // namespace nacre::image
