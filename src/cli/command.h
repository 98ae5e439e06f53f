#pragma once

#include "base/env.h"
#include "base/result.h"
#include "crypto/signer.h"
#include "os/file.h"
#include "sandbox/sandbox.h"

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

namespace nacre::cli {

using os::Path;

/// Of this program, as `nacre version` says it.
std::string_view program_version();

enum class OptionType { kFlag, kText, kList, kNumber };

/// What a shell may offer after an option or for an argument.
enum class Completion { kNone, kFile, kFolder, kPackage, kImage, kEdition, kArch };

struct Option {
  std::string name;        ///< "--arch"
  OptionType type = OptionType::kFlag;
  std::string value_name;  ///< "ARCH"; empty for flags.
  std::string fallback;    ///< Default, as text.
  std::string help;
  Completion completion = Completion::kNone;
};

struct Argument {
  std::string name;  ///< "PACKAGE"
  std::string help;
  bool required = false, repeated = false;
  Completion completion = Completion::kNone;
};

/// The words of one call, after parsing.
class Arguments {
 public:
  bool flag(const std::string& name) const;
  std::string text(const std::string& name) const;                ///< The default when not given.
  std::vector<std::string> list(const std::string& name) const;
  long number(const std::string& name) const;
  std::map<std::string, std::vector<std::string>> values;         ///< By option ("--arch") or argument name.
};

/// What a verb gets besides its arguments.
struct Session {
  Env& env;
  crypto::Signer& signer;    ///< Talks to the signer process, which starts at the first signature.
  sandbox::Sandbox& sandbox;
  Path home;                 ///< NACRE_HOME
  Path os_dir;             ///< The distribution: packages/, images/, pipelines/, stage0.yaml.
  Path program;           ///< This executable.
  std::string builder_id;    ///< Who builds, for provenance: says whether the signer is a separate user.
  bool json = false;         ///< --json: the answer on stdout is JSON.

  void print(std::string_view text) const;  ///< The answer, to stdout, with a final newline.
};

/// One row of the table of verbs. From it come parsing, help, completion and the docs.
struct Verb {
  std::string name;          ///< "build", or two words: "image build".
  std::string summary;       ///< One line.
  std::vector<Argument> arguments;
  std::vector<Option> options;
  bool options_first = false;  ///< The first argument ends the options: what follows belongs to another program.
  std::function<Result<int>(const Arguments&, Session&)> run;  ///< Exit code, or the error.
  /// Instead of `run`, for verbs that open neither store nor network: the signer, completion.
  std::function<Result<int>(const Arguments&, std::stop_token)> run_alone;
  /// Of a verb that has both: whether run_alone answers this call.
  std::function<bool(const Arguments&)> is_alone;
};

/// All verbs, in the order of the help page. The list is in verbs.cc.
const std::vector<Verb>& all_verbs();

/// What to do with a command line.
struct Call {
  const Verb* verb = nullptr;   ///< nullptr: `message` was all (help, version).
  Arguments arguments;
  std::string message;
  bool json = false, quiet = false;
};

/// Parses the words after the program's name. kInvalid with a near name for an unknown verb or option.
Result<Call> parse_command_line(const std::vector<std::string>& words);

/// Help of one verb, or the overview.
std::string help_of(const Verb* verb);

}  // namespace nacre::cli
