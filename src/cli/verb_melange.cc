#include "cli/melange_common.h"
#include "cli/verbs.h"

namespace nacre::cli {

const std::string kLintRequired = "dev,infodir,libtool/la-files,setuidgid,tempdir,usrmerge,varempty,worldwrite";
const std::string kLintWarned =
    "binaryarch,cudaruntimelib,dll,duplicate,dylib,lddcheck,maninfo,nonlinux,object,opt,pkgconf,python/docs,"
    "python/multiple,python/test,sbom,srv,staticarchive,strip,unsupportedarch,usrlocal";

const std::vector<MelangeCommand>& melange_commands() {
  static const std::vector<MelangeCommand> kCommands = {
      melange_build(),           melange_bump(),   melange_compile(),       melange_completion_command(),
      melange_index(),           melange_keygen(), melange_license_check(), melange_lint(),
      melange_package_version(), melange_query(),  melange_scan(),          melange_sign(),
      melange_sign_index(),      melange_test(),   melange_update_cache(),  melange_version(),
  };
  return kCommands;
}

Verb verb_melange() { return tool_verb(melange_tool(), melange_commands()); }

}  // namespace nacre::cli
