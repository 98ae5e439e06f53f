#include "draft/license.h"

#include "base/text.h"
#include "draft/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace nacre::draft {
namespace {

/// Blanks of any kind as one, letters in lower case: what the phrases below are looked for in.
std::string plain(std::string_view text) { return lower(join(split_words(text), " ")); }

struct Phrase {
  const char* license;
  std::vector<const char*> all, none;
};

/// Licences by phrases that their texts have and their neighbours have not. The first that fits is the answer.
const std::vector<Phrase>& phrases() {
  static const std::vector<Phrase> kPhrases = {
      {"Apache-2.0", {"apache license", "version 2.0, january 2004"}, {}},
      {"MPL-2.0", {"mozilla public license version 2.0"}, {}},
      {"AGPL-3.0-only", {"gnu affero general public license", "version 3, 19 november 2007"}, {}},
      {"LGPL-3.0-only", {"gnu lesser general public license", "version 3, 29 june 2007"}, {}},
      {"LGPL-2.1-only", {"gnu lesser general public license", "version 2.1, february 1999"}, {}},
      {"LGPL-2.0-only", {"gnu library general public license", "version 2, june 1991"}, {}},
      {"GPL-3.0-only", {"gnu general public license", "version 3, 29 june 2007"}, {}},
      {"GPL-2.0-only", {"gnu general public license", "version 2, june 1991"}, {}},
      {"BSL-1.0", {"boost software license - version 1.0"}, {}},
      {"Unlicense", {"this is free and unencumbered software released into the public domain"}, {}},
      {"CC0-1.0", {"cc0 1.0 universal"}, {}},
      {"OFL-1.1", {"sil open font license version 1.1"}, {}},
      {"Zlib",
       {"provided 'as-is', without any express or implied warranty", "altered source versions must be plainly"},
       {}},
      {"curl", {"copyright and permission notice", "daniel stenberg"}, {}},
      {"ISC",
       {"permission to use, copy, modify, and/or distribute this software for any purpose", "above copyright notice"},
       {}},
      {"ISC",
       {"permission to use, copy, modify, and distribute this software for any purpose", "above copyright notice"},
       {}},
      {"0BSD",
       {"permission to use, copy, modify, and/or distribute this software for any purpose"},
       {"above copyright notice"}},
      {"BSD-4-Clause", {"redistribution and use in source and binary forms", "all advertising materials"}, {}},
      {"BSD-3-Clause", {"redistribution and use in source and binary forms", "endorse or promote products"}, {}},
      {"BSD-2-Clause",
       {"redistribution and use in source and binary forms", "provided that the following conditions"},
       {}},
      {"MIT-0",
       {"permission is hereby granted, free of charge", "without restriction"},
       {"above copyright notice and this permission"}},
      {"MIT", {"permission is hereby granted, free of charge", "without restriction"}, {}},
      {"PSF-2.0", {"python software foundation license version 2"}, {}},
  };
  return kPhrases;
}

/// One licence as people name it; empty when it is not known.
std::string one_license(std::string_view words) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"mit", "MIT"},
      {"expat", "MIT"},
      {"mit license", "MIT"},
      {"the mit license", "MIT"},
      {"mit/x11", "MIT"},
      {"apache", "Apache-2.0"},
      {"apache 2", "Apache-2.0"},
      {"apache 2.0", "Apache-2.0"},
      {"apache2", "Apache-2.0"},
      {"apache-2.0", "Apache-2.0"},
      {"apache_2_0", "Apache-2.0"},
      {"apache license 2.0", "Apache-2.0"},
      {"apache license, version 2.0", "Apache-2.0"},
      {"apache software license", "Apache-2.0"},
      {"apache license version 2.0", "Apache-2.0"},
      {"asl 2.0", "Apache-2.0"},
      {"bsd-2-clause", "BSD-2-Clause"},
      {"freebsd", "BSD-2-Clause"},
      {"simplified bsd", "BSD-2-Clause"},
      {"bsd2", "BSD-2-Clause"},
      {"2-clause bsd", "BSD-2-Clause"},
      {"bsd 2-clause", "BSD-2-Clause"},
      {"bsd-3-clause", "BSD-3-Clause"},
      {"bsd 3-clause", "BSD-3-Clause"},
      {"new bsd", "BSD-3-Clause"},
      {"bsd3", "BSD-3-Clause"},
      {"3-clause bsd", "BSD-3-Clause"},
      {"modified bsd", "BSD-3-Clause"},
      {"bsd 3-clause license", "BSD-3-Clause"},
      {"bsd license", "BSD-3-Clause"},
      {"bsd", "BSD-3-Clause"},
      {"isc", "ISC"},
      {"isc license", "ISC"},
      {"isc license (iscl)", "ISC"},
      {"0bsd", "0BSD"},
      {"zlib", "Zlib"},
      {"boost", "BSL-1.0"},
      {"bsl-1.0", "BSL-1.0"},
      {"unlicense", "Unlicense"},
      {"the unlicense", "Unlicense"},
      {"cc0-1.0", "CC0-1.0"},
      {"cc0", "CC0-1.0"},
      {"mpl-2.0", "MPL-2.0"},
      {"mpl 2.0", "MPL-2.0"},
      {"mpl2", "MPL-2.0"},
      {"mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"},
      {"mozilla public license 2.0", "MPL-2.0"},
      {"psf-2.0", "PSF-2.0"},
      {"psf", "PSF-2.0"},
      {"python software foundation license", "PSF-2.0"},
      {"gpl-2.0", "GPL-2.0-only"},
      {"gplv2", "GPL-2.0-only"},
      {"gpl2", "GPL-2.0-only"},
      {"gpl_2", "GPL-2.0-only"},
      {"gpl-2.0-only", "GPL-2.0-only"},
      {"gpl-2.0+", "GPL-2.0-or-later"},
      {"gplv2+", "GPL-2.0-or-later"},
      {"gpl-2.0-or-later", "GPL-2.0-or-later"},
      {"gpl2+", "GPL-2.0-or-later"},
      {"gpl-3.0", "GPL-3.0-only"},
      {"gplv3", "GPL-3.0-only"},
      {"gpl3", "GPL-3.0-only"},
      {"gpl_3", "GPL-3.0-only"},
      {"gpl-3.0-only", "GPL-3.0-only"},
      {"gpl-3.0+", "GPL-3.0-or-later"},
      {"gplv3+", "GPL-3.0-or-later"},
      {"gpl3+", "GPL-3.0-or-later"},
      {"gpl-3.0-or-later", "GPL-3.0-or-later"},
      {"gnu general public license v2 (gplv2)", "GPL-2.0-only"},
      {"gnu general public license v3 (gplv3)", "GPL-3.0-only"},
      {"gnu general public license v2 or later (gplv2+)", "GPL-2.0-or-later"},
      {"gnu general public license v3 or later (gplv3+)", "GPL-3.0-or-later"},
      {"lgpl-2.1", "LGPL-2.1-only"},
      {"lgplv2.1", "LGPL-2.1-only"},
      {"lgpl-2.1-only", "LGPL-2.1-only"},
      {"lgpl_2_1", "LGPL-2.1-only"},
      {"lgpl-2.1+", "LGPL-2.1-or-later"},
      {"lgplv2.1+", "LGPL-2.1-or-later"},
      {"lgpl-2.1-or-later", "LGPL-2.1-or-later"},
      {"lgpl-2.0-or-later", "LGPL-2.0-or-later"},
      {"lgpl-2.0+", "LGPL-2.0-or-later"},
      {"lgpl-3.0", "LGPL-3.0-only"},
      {"lgplv3", "LGPL-3.0-only"},
      {"lgpl-3.0-only", "LGPL-3.0-only"},
      {"lgpl_3_0", "LGPL-3.0-only"},
      {"lgpl-3.0+", "LGPL-3.0-or-later"},
      {"lgplv3+", "LGPL-3.0-or-later"},
      {"lgpl-3.0-or-later", "LGPL-3.0-or-later"},
      {"agpl-3.0", "AGPL-3.0-only"},
      {"agplv3", "AGPL-3.0-only"},
      {"agpl-3.0-only", "AGPL-3.0-only"},
      {"agpl_3", "AGPL-3.0-only"},
      {"agpl-3.0-or-later", "AGPL-3.0-or-later"},
      {"perl_5", "Artistic-1.0-Perl OR GPL-1.0-or-later"},
      {"perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"},
      {"artistic_2", "Artistic-2.0"},
      {"artistic-2.0", "Artistic-2.0"},
      {"ruby", "Ruby"},
      {"ofl-1.1", "OFL-1.1"},
      {"curl", "curl"},
      {"x11", "X11"},
      {"wtfpl", "WTFPL"},
      {"public domain", "LicenseRef-public-domain"},
      {"epl-2.0", "EPL-2.0"},
      {"blueoak-1.0.0", "BlueOak-1.0.0"},
      {"mit-0", "MIT-0"},
      {"ncsa", "NCSA"},
      {"openssl", "OpenSSL"},
      {"python-2.0", "Python-2.0"},
      {"zpl 2.1", "ZPL-2.1"},
      {"zpl-2.1", "ZPL-2.1"},
      {"cc-by-4.0", "CC-BY-4.0"}};
  const std::string low = lower(trim(words));
  for (const auto& [name, license] : kNames)
    if (low == name) return std::string(license);
  return {};
}

}  // namespace

double license_weight(std::string_view name) {
  const std::string text = lower(name), stem = text.substr(0, text.find_last_of('.'));
  const std::string end = text == stem ? "" : text.substr(stem.size());
  const bool preferred = end == ".md" || end == ".markdown" || end == ".txt";
  if (end == ".go" || end == ".py" || end == ".c" || end == ".h" || end == ".js") return 0;
  const auto whole = [](const std::string& word) {
    return word == "license" || word == "licence" || word == "unlicense" || word == "unlicence";
  };
  const auto copying = [](const std::string& word) { return word == "copying" || word == "copyright"; };
  if (whole(text)) return 1.0;
  if (whole(stem)) return preferred ? 0.95 : 0.80;
  if (copying(text)) return 0.90;
  if (copying(stem)) return preferred ? 0.85 : 0.75;
  for (const char* word : {"license", "licence", "copying", "copyright"})
    if (text.starts_with(fmt::format("{}-", word)) || text.starts_with(fmt::format("{}_", word)) ||
        text.starts_with(fmt::format("{}.", word)))
      return 0.70;
  for (const char* word : {"-license", "_license", "-licence", "-copying", "_copying"})
    if (stem.find(word) != std::string::npos) return 0.60;
  if (stem == "ofl") return 0.50;
  if (stem == "patents") return 0.35;
  return 0;
}

std::string recognise_license(std::string_view text) {
  const std::string words = plain(text.substr(0, kMaxLicenseBytes));
  const auto has = [&](const char* phrase) { return words.find(phrase) != std::string::npos; };
  for (const Phrase& phrase : phrases())
    if (std::all_of(phrase.all.begin(), phrase.all.end(), has) &&
        std::none_of(phrase.none.begin(), phrase.none.end(), has))
      return phrase.license;
  return {};
}

std::string license_expression(std::string_view words) {
  if (std::string known = one_license(words); !known.empty()) return known;
  std::string text(trim(words));
  for (const auto& [from, to] :
       {std::pair{"/", " OR "}, {",", " AND "}, {";", " AND "}, {" or ", " OR "}, {" and ", " AND "}})
    if (text.find(" OR ") == std::string::npos && text.find(" AND ") == std::string::npos &&
        text.find("with") == std::string::npos)
      text = replace_all(text, from, to);
  std::string out;
  for (const std::string& word : split_words(replace_all(replace_all(text, "(", " ( "), ")", " ) "))) {
    const bool mark = word == "OR" || word == "AND" || word == "WITH" || word == "(" || word == ")";
    const bool exception = out.ends_with("WITH ");
    std::string part = mark || exception ? word : one_license(word);
    if (part.empty()) return {};
    if (part == ")" && out.ends_with(' ')) out.pop_back();
    out += part + (part == "(" ? "" : " ");
  }
  return std::string(trim(out));
}

}  // namespace nacre::draft
