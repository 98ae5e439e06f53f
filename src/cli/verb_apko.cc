#include "cli/apko.h"
#include "cli/verbs.h"

namespace nacre::cli {

const ToolName& apko_tool() {
  static const ToolName kTool = {
      .name = "apko",
      .about = "images from APK packages",
      .globals = {{"--workdir", 'C', MelangeFlag::kText, "", "directory in which to work", ""}},
      .absent = {{"login", "log in with `docker login` or `podman login`; their files are read"},
                 {"install-keys", "nacre trusts the keys that you name: --keyring-append, contents.keyring"},
                 {"erofs", "`nacre image export --format erofs` writes one"}}};
  return kTool;
}

const std::vector<MelangeCommand>& apko_commands() {
  static const std::vector<MelangeCommand> kCommands = {
      apko_build(),      apko_build_cpio(),  apko_build_minirootfs(), apko_clean(),
      apko_completion(), apko_dot(),         apko_lock(),             apko_publish(),
      apko_resolve(),    apko_show_config(), apko_show_packages(),    apko_version()};
  return kCommands;
}

Verb verb_apko() { return tool_verb(apko_tool(), apko_commands()); }

}  // namespace nacre::cli
