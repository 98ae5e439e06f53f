#pragma once

#include "base/result.h"
#include "image/spec.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::image {

/// One line of etc/passwd.
struct PasswdEntry {
  std::string name, home;
  unsigned uid = 0, gid = 0;
};
/// Lines that are none are skipped, as the C library does.
std::vector<PasswdEntry> parse_passwd(std::string_view text);

/// etc/passwd, etc/group and etc/shadow.
struct AccountFiles {
  std::string passwd, group, shadow;
};

/// Appends the image's accounts. An equal account that is there already is not written again; kConflict when
/// the name is there with other numbers.
Result<AccountFiles> add_accounts(AccountFiles files, const std::vector<SpecUser>& users,
                                  const std::vector<definition::AccountGroup>& groups);

/// The same as apko does it: always another line.
AccountFiles append_accounts(AccountFiles files, const std::vector<SpecUser>& users,
                             const std::vector<definition::AccountGroup>& groups);

/// "run-as" as OCI's User has it: digits stay ("65532", "0:0"), a name becomes its uid.
Result<std::string> resolve_user(std::string_view run_as, std::string_view passwd);

}  // namespace nacre::image
