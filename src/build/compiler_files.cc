#include "build/compiler_files.h"

#include "base/text.h"
#include "codec/json.h"
#include "definition/cpe.h"

#include <algorithm>

namespace nacre::build {
namespace {

using definition::Definition;
using definition::Step;

constexpr std::string_view kGccSpec = ".melange.gcc.spec", kNoteHeader = ".melange.fdo.h",
                           kClangConfig = ".melange.clang.cfg", kClangFolder = ".config/clang-";
/// Major versions of clang that may be in a root, now or soon.
constexpr int kFirstClang = 15, kLastClang = 42;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+~:/@-").find(c) != std::string_view::npos;
}

/// What the note says, as the field's scanners read it. Without blanks.
std::string metadata_of(const Definition& definition, const Arch& arch, std::string_view os) {
  codec::Json out = codec::Json::object();
  out.set("type", "apk").set("os", os).set("name", definition.name).set("version", definition.full_version());
  out.set("architecture", arch.apk);
  if (const std::string cpe = definition::cpe_name(definition); !cpe.empty()) out.set("appCpe", cpe);
  return codec::to_json(out);
}

/// Spec files and configuration files both take the character after a backslash as it is.
std::string with_backslashes(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// Added to what gcc tells the linker, unless that makes an object file: notes of two such would stand side by side.
std::string gcc_spec(const std::string& metadata) {
  const std::string text = replace_all(with_backslashes(metadata, "\\"), "%", "%%");
  return "*link:\n+ %{!r:--package-metadata=" + text + "}\n";
}

std::string clang_config(const std::string& metadata) {
  return "-Xlinker --package-metadata='" + with_backslashes(metadata, "\\'") + "'\n";
}

/// For code that is linked statically into others' programs, where the linker's note would be the program's.
std::string note_header(const std::string& metadata) {
  return fmt::format(R"(/* Which package this object file comes from, as a note of type FDO_PACKAGING_METADATA. */
#ifndef MELANGE_PACKAGE_NOTE_H
#define MELANGE_PACKAGE_NOTE_H
#ifdef __ELF__
#define MELANGE_PACKAGE_NOTE_JSON "{}"
static const struct {{
  unsigned int owner_size, text_size, type;
  char owner[4];
  char text[sizeof(MELANGE_PACKAGE_NOTE_JSON)];
}} melange_package_note __attribute__((used, retain, section(".note.package"), aligned(4))) = {{
  4, sizeof(MELANGE_PACKAGE_NOTE_JSON), 0xcafe1a7eu, "FDO", MELANGE_PACKAGE_NOTE_JSON
}};
#endif
#endif
)",
                     with_backslashes(metadata, "\\\""));
}

bool names_one(const std::string& text) {
  for (const std::string_view file : {kGccSpec, kNoteHeader, kClangConfig, kClangFolder})
    if (text.find(file) != std::string::npos) return true;
  return false;
}

bool names_one(const definition::Pairs& variables) {
  return std::any_of(variables.begin(), variables.end(), [](const auto& pair) { return names_one(pair.second); });
}

bool names_one(const std::vector<Step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return step.enabled && (names_one(step.runs) || names_one(step.environment) || names_one(step.pipeline));
  });
}

}  // namespace

Result<std::vector<CompilerFile>> compiler_files(const Definition& definition, const Arch& arch,
                                                 std::string_view os) {
  if (os.empty() || !std::all_of(os.begin(), os.end(), is_plain))
    return Error::make(ErrorKind::kInvalid, "'{}' cannot stand in a compiler's configuration as who packages", os)
        .hint("use letters, digits and '._+~:/@-'");
  const std::string metadata = metadata_of(definition, arch, os);
  std::vector<CompilerFile> out = {{std::string(kGccSpec), gcc_spec(metadata)},
                                   {std::string(kNoteHeader), note_header(metadata)},
                                   {std::string(kClangConfig), clang_config(metadata)}};
  // A file of the user hides the system's of that name, so each goes on to it.
  for (int version = kFirstClang; version <= kLastClang; ++version)
    for (const char* machine : {"aarch64", "x86_64"})
      for (const char* driver : {"clang", "clang++"}) {
        const std::string name = fmt::format("{}-unknown-linux-gnu-{}.cfg", machine, driver);
        out.push_back({fmt::format("{}{}/{}", kClangFolder, version, name),
                       fmt::format("@../../{}\n@/etc/clang-{}/{}\n", kClangConfig, version, name)});
      }
  return out;
}

bool asks_for_compiler_files(const Definition& definition) {
  return names_one(definition.pipeline) || names_one(definition.environment.variables) ||
         std::any_of(definition.subpackages.begin(), definition.subpackages.end(),
                     [](const definition::Subpackage& sub) { return names_one(sub.pipeline); });
}

}  // namespace nacre::build
