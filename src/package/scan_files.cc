#include "package/scan_files.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <map>

namespace nacre::package {
namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Lines with `\` at their end joined and comments cut off.
std::vector<std::string> pkg_config_lines(std::string_view text) {
  std::vector<std::string> out;
  std::string open;
  for (std::string line : split(text, '\n')) {
    line = open + line.substr(0, line.find('#'));
    open.clear();
    const std::string_view bare = trim(line);
    if (bare.ends_with('\\'))
      open = std::string(bare.substr(0, bare.size() - 1)) + " ";
    else
      out.emplace_back(bare);
  }
  if (!open.empty()) out.push_back(open);
  return out;
}

/// `${name}` replaced by what the file set before; unknown ones by nothing, as pkg-config does.
std::string replace_variables(std::string_view text, const std::map<std::string, std::string>& variables) {
  std::string out;
  while (true) {
    const std::size_t at = text.find("${"), end = at == std::string_view::npos ? at : text.find('}', at);
    if (end == std::string_view::npos) return out + std::string(text);
    out += text.substr(0, at);
    const auto found = variables.find(std::string(text.substr(at + 2, end - at - 2)));
    if (found != variables.end()) out += found->second;
    text.remove_prefix(end + 1);
  }
}

/// "foo>=1.2, bar" -> foo, bar.
void take_modules(std::string_view text, std::vector<std::string>& out) {
  std::string spaced;
  bool operation = false;
  for (const char c : text) {
    const bool sign = c == '<' || c == '>' || c == '=' || c == '!';
    if (sign != operation) spaced += ' ';
    operation = sign;
    spaced += c == ',' ? ' ' : c;
  }
  bool version_next = false;
  for (const std::string& word : split_words(spaced)) {
    const bool sign = word.find_first_not_of("<>=!") == std::string::npos;
    if (!sign && !version_next && is_dependency_name(word)) out.push_back(word);
    version_next = sign;
  }
}

}  // namespace

bool is_dependency_name(std::string_view name) {
  constexpr std::string_view kReserved = "=<>~@\x7f";
  return !name.empty() && name.front() != '!' && std::none_of(name.begin(), name.end(), [&](char c) {
    return static_cast<unsigned char>(c) <= ' ' || kReserved.find(c) != std::string_view::npos;
  });
}

std::vector<std::string> pkg_config_requires(std::string_view text) {
  std::vector<std::string> out;
  std::map<std::string, std::string> variables;
  for (const std::string& line : pkg_config_lines(text)) {
    const std::size_t sign = line.find_first_of(":=");
    if (sign == std::string::npos) continue;
    const std::string key(trim(std::string_view(line).substr(0, sign)));
    const std::string value = replace_variables(trim(std::string_view(line).substr(sign + 1)), variables);
    if (line[sign] == '=')
      variables[key] = value;
    else if (key == "Requires" || key == "Requires.private" || key == "Requires.internal")
      take_modules(value, out);
  }
  return out;
}

std::string shebang_program(std::string_view head) {
  constexpr std::array<std::string_view, 5> kLinks = {"python3", "python", "sh", "awk", "luajit"};
  head = head.substr(0, 80);
  if (!head.starts_with("#!")) return {};
  head.remove_prefix(2);
  const std::vector<std::string> words = split_words(head.substr(0, head.find('\n')));
  if (words.empty()) return {};
  std::size_t at = 0;
  if (words[0] == "/usr/bin/env") {
    at = 1;
    const bool splits = words.size() > 2 && words[1] == "-S";
    if (splits) at = 2;
    while (splits && at < words.size() && words[at].find('=') != std::string::npos) ++at;  // NAME=value
    if (at >= words.size() || words[at].starts_with('-') || (!splits && words.size() > 2)) return {};
  }
  const std::string program(base_name(words[at]));
  const bool link = std::find(kLinks.begin(), kLinks.end(), program) != kLinks.end();
  return link || !is_dependency_name(program) ? std::string() : program;
}

std::string soname_version(std::string_view soname) {
  const std::size_t at = soname.find(".so.");
  if (at == std::string_view::npos) return "0";
  std::string_view rest = soname.substr(at + 4);
  rest = rest.substr(0, rest.find(".so."));
  const bool plain = !rest.empty() && rest.find_first_not_of("0123456789.") == std::string_view::npos;
  return plain ? std::string(rest) : "0";
}

bool is_host_library(std::string_view soname) {
  static constexpr std::array<std::string_view, 27> kHost = {
      "libEGL_nvidia.so.1",           "libGLESv1_CM_nvidia.so.1",     "libGLESv2_nvidia.so.1",
      "libGLX_nvidia.so.1",           "libcuda.so.1",                 "libcudadebugger.so.1",
      "libnvcuvid.so.1",              "libnvidia-allocator.so.1",     "libnvidia-cfg.so.1",
      "libnvidia-eglcore.so.1",       "libnvidia-encode.so.1",        "libnvidia-fbc.so.1",
      "libnvidia-glcore.so.1",        "libnvidia-glsi.so.1",          "libnvidia-glvkspirv.so.1",
      "libnvidia-gpucomp.so.1",       "libnvidia-ml.so.1",            "libnvidia-ngx.so.1",
      "libnvidia-nvvm.so.1",          "libnvidia-opencl.so.1",        "libnvidia-opticalflow.so.1",
      "libnvidia-pkcs11-openssl3.so.1", "libnvidia-pkcs11.so.1",      "libnvidia-ptxjitcompiler.so.1",
      "libnvidia-rtcore.so.1",        "libnvidia-tls.so.1",           "libnvoptix.so.1"};
  return std::find(kHost.begin(), kHost.end(), soname) != kHost.end();
}

}  // namespace nacre::package
