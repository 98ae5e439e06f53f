#include "cli/apko.h"
#include "cli/verbs.h"

namespace nacre::cli {

const ToolName& apko_tool() {
  static const ToolName kTool = {
      .name = "apko",
      .about = "images from APK packages",
      .globals = {{"--workdir", 'C', MelangeFlag::kText, "", "directory in which to work", ""}},
      .absent = {{"erofs", "`nacre image export --format erofs` writes one"}}};
  return kTool;
}

const std::vector<MelangeCommand>& apko_commands() {
  static const std::vector<MelangeCommand> kCommands = {
      apko_build(),      apko_build_cpio(),  apko_build_minirootfs(), apko_clean(),
      apko_completion(), apko_dot(),         apko_install_keys(),     apko_lock(),         apko_login(),
      apko_publish(),    apko_resolve(),     apko_show_config(),      apko_show_packages(), apko_version()};
  return kCommands;
}

Verb verb_apko() { return tool_verb(apko_tool(), apko_commands()); }

}  // namespace nacre::cli
