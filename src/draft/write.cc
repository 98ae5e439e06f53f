#include "draft/readers.h"

#include "base/text.h"
#include "codec/yaml_write.h"

#include <algorithm>

namespace nacre::draft {
namespace {

using codec::Json;
using codec::yaml_scalar;

/// Systems whose install step brings headers, manuals and libraries to their places.
bool is_native(const Facts& facts) {
  return facts.system == "autotools" || facts.system == "meson" || facts.system == "cmake" ||
         facts.system == "configure" || facts.system == "make";
}

/// What stands around the version in a tag.
struct Around {
  std::string before, after;
};

/// "v1.2" with version 1.2 -> "v" and ""; nullopt when the tag is not made of the version.
std::optional<Around> around(std::string_view tag, std::string_view version) {
  const std::size_t at = version.empty() ? std::string_view::npos : tag.rfind(version);
  if (at == std::string_view::npos) return std::nullopt;
  return Around{std::string(tag.substr(0, at)), std::string(tag.substr(at + version.size()))};
}

/// "OWNER/NAME" of an address on GitHub; empty for others.
std::string on_github(std::string_view address) {
  for (const std::string_view start : {"https://github.com/", "http://github.com/"}) {
    if (!address.starts_with(start)) continue;
    std::vector<std::string> parts = split(address.substr(start.size()), '/');
    if (parts.size() < 2 || parts[0].empty() || parts[1].empty()) return {};
    if (parts[1].ends_with(".git")) parts[1].resize(parts[1].size() - 4);
    return parts[0] + "/" + parts[1];
  }
  return {};
}

class Writer {
 public:
  Writer(const Facts& facts, const Origin& origin) : facts_(facts), origin_(origin) {}

  std::string all() {
    remarks();
    package();
    build();
    pipeline();
    subpackages();
    update();
    test();
    return std::move(out_);
  }

 private:
  template <class... A>
  void line(int level, fmt::format_string<A...> text, A&&... args) {
    out_.append(static_cast<std::size_t>(level) * 2, ' ');
    fmt::format_to(std::back_inserter(out_), text, std::forward<A>(args)...);
    out_ += '\n';
  }
  void field(int level, std::string_view key, std::string_view text) { line(level, "{}: {}", key, yaml_scalar(text)); }
  /// On several lines: a literal block.
  void text(int level, std::string_view key, std::string_view text) {
    if (text.find('\n') == std::string_view::npos) return field(level, key, text);
    line(level, "{}: |", key);
    for (const std::string& one : split(text.substr(0, text.find_last_not_of('\n') + 1), '\n'))
      line(level + 1, "{}", one);
  }
  void comment(int level, std::string_view text) { line(level, "# {}", text); }

  void wanted(int level, const std::vector<Wanted>& list) {
    for (const Wanted& one : list)
      if (one.sure) line(level, "- {}", yaml_scalar(one.package));
    for (const Wanted& one : list)
      if (!one.sure) comment(level, fmt::format("- {}{}{}", one.package, one.why.empty() ? "" : "  # ", one.why));
  }

  void remarks() {
    if (facts_.remarks.empty()) return;
    comment(0, "A first definition by `nacre init`. To look at:");
    for (const std::string& remark : facts_.remarks)
      for (bool first = true; const std::string& one : split(remark, '\n')) {
        std::string words = one;
        std::erase_if(words, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
        comment(0, (first ? "- " : "  ") + words);
        first = false;
      }
    out_ += '\n';
  }

  void package() {
    line(0, "package:");
    field(1, "name", facts_.name);
    field(1, "version", facts_.version);
    line(1, "epoch: 0");
    field(1, "description", facts_.description);
    if (!facts_.url.empty()) field(1, "url", facts_.url);
    line(1, "copyright:");
    for (const std::string& license : facts_.licenses) field(2, "- license", license);
    if (facts_.licenses.empty()) line(2, "- license: NOASSERTION");
    if (facts_.network) {
      line(1, "annotations:");
      line(2, "nacre.network: build");
    }
    if (!facts_.runtime.empty()) {
      line(1, "dependencies:");
      line(2, "runtime:");
      wanted(3, facts_.runtime);
    }
    out_ += '\n';
  }

  void build() {
    line(0, "environment:");
    line(1, "contents:");
    line(2, "packages:");
    std::vector<Wanted> list = facts_.build;
    std::stable_sort(list.begin(), list.end(), [](const Wanted& a, const Wanted& b) { return a.package < b.package; });
    wanted(3, list);
    if (!facts_.environment.empty()) {
      line(1, "environment:");
      for (const auto& [name, value] : facts_.environment) field(2, name, value);
    }
    out_ += '\n';
  }

  void step(int level, const DraftStep& step) {
    if (!step.remark.empty()) comment(level, step.remark);
    std::string dash = "- ";
    const auto put = [&](std::string_view key, std::string_view value) {
      text(level + (dash == "- " ? 0 : 1), dash + std::string(key), value);
      dash.clear();
    };
    if (!step.name.empty()) put("name", step.name);
    if (!step.uses.empty()) put("uses", step.uses);
    if (!step.runs.empty()) {
      // The block's content stands deeper than its key, wherever that is.
      if (dash.empty()) put("runs", step.runs);
      else {
        const std::string body = step.runs;
        line(level, "- runs: |");
        for (const std::string& one : split(body.substr(0, body.find_last_not_of('\n') + 1), '\n'))
          line(level + 2, "{}", one);
      }
    }
    if (!step.with.empty()) line(level + 1, "with:");
    for (const auto& [key, value] : step.with) text(level + 2, key, value);
  }

  void source() {
    if (!origin_.repository.empty()) {
      DraftStep checkout{"", "git-checkout", "", "", {{"repository", origin_.repository}}};
      if (const auto parts = around(origin_.tag, facts_.version))
        checkout.with.emplace_back("tag", parts->before + "${{package.version}}" + parts->after);
      else if (!origin_.tag.empty()) checkout.with.emplace_back("tag", origin_.tag);
      else if (!origin_.branch.empty()) checkout.with.emplace_back("branch", origin_.branch);
      if (!origin_.commit.empty()) checkout.with.emplace_back("expected-commit", origin_.commit);
      step(1, checkout);
    } else if (!origin_.uri.empty()) {
      DraftStep fetch{
          "", "fetch", "", "", {{"uri", replace_all(origin_.uri, facts_.version, "${{package.version}}")}}};
      fetch.with.emplace_back("expected-sha256", origin_.sha256);
      step(1, fetch);
    } else {
      comment(
          1,
          fmt::format(
              "Where the sources are published is not known: they are taken from the directory {}/ beside this file.",
              facts_.name));
      comment(1, "With `nacre init --uri ADDRESS` there is a step here that fetches and checks them.");
    }
    out_ += '\n';
  }

  bool compiles() const {
    return std::any_of(facts_.build.begin(), facts_.build.end(),
                       [](const Wanted& one) { return one.package == "build-base"; });
  }

  void pipeline() {
    line(0, "pipeline:");
    source();
    for (const DraftStep& one : facts_.steps) {
      step(1, one);
      out_ += '\n';
    }
    if (compiles()) {
      line(1, "- uses: strip");
      out_ += '\n';
    }
  }

  void subpackage(std::string_view end, std::string_view description, std::vector<std::string> splits,
                  std::string_view test, bool depends) {
    if (!any_subpackage_) line(0, "subpackages:");
    any_subpackage_ = true;
    field(1, "- name", fmt::format("{}-{}", facts_.name, end));
    field(2, "description", fmt::format("{} of {}", description, facts_.name));
    if (depends) {
      line(2, "dependencies:");
      line(3, "runtime:");
      line(4, "- {}=${{{{package.full-version}}}}", facts_.name);
    }
    line(2, "pipeline:");
    for (const std::string& one : splits) line(3, "- uses: split/{}", one);
    line(2, "test:");
    line(3, "pipeline:");
    line(4, "- uses: {}", test);
    out_ += '\n';
  }

  void subpackages() {
    if (is_native(facts_)) {
      if (facts_.static_library) subpackage("static", "Static libraries", {"static"}, "test/tw/staticpackage", false);
      if (facts_.headers || facts_.library || facts_.pkgconfig)
        subpackage("dev", "Headers", {"dev"}, facts_.pkgconfig ? "test/pkgconf" : "test/tw/devpackage",
                   facts_.library);
    }
    std::vector<std::string> docs;
    if (facts_.manuals) docs.emplace_back("manpages");
    if (facts_.info) docs.emplace_back("infodir");
    if (!docs.empty() && (is_native(facts_) || facts_.system == "perl"))
      subpackage("doc", "Manuals", docs, "test/docs", false);
  }

  void update() {
    line(0, "update:");
    const std::string repository = !origin_.repository.empty() ? origin_.repository : origin_.uri;
    const std::string github = on_github(repository);
    const bool snapshot = !origin_.repository.empty() && origin_.tag.empty();
    if (repository.empty() || snapshot || (github.empty() && origin_.repository.empty())) {
      line(1, "enabled: false");
      field(1, "exclude-reason",
            snapshot ? "this is no release but a commit between releases" : "no feed of its releases is known yet");
      out_ += '\n';
      return;
    }
    std::string tag = origin_.tag;
    if (tag.empty()) {  // An archive of a tag: …/v1.2.tar.gz, …/download/v1.2/….
      for (const std::string& part : split(origin_.uri, '/'))
        for (const char* end : {"", ".tar.gz", ".tar.xz", ".zip", ".tar.bz2"})
          if (part.ends_with(end) && tag.empty())
            if (const std::string stem = part.substr(0, part.size() - std::string_view(end).size());
                stem.ends_with(facts_.version) && stem.size() < facts_.version.size() + 20)
              tag = stem;
    }
    const auto [prefix, suffix] = around(tag, facts_.version).value_or(Around{});
    line(1, "enabled: true");
    if (github.empty() && prefix.empty() && suffix.empty()) {
      line(1, "git: {{}}");
    } else {
      line(1, "{}:", github.empty() ? "git" : "github");
      if (!github.empty()) field(2, "identifier", github);
      if (!prefix.empty()) field(2, "strip-prefix", prefix);
      if (!suffix.empty()) field(2, "strip-suffix", suffix);
      if (prefix.size() > 1) field(2, "tag-filter-prefix", prefix);
      if (!github.empty()) line(2, "use-tag: true");
    }
    out_ += '\n';
  }

  void test() {
    std::vector<DraftStep> steps;
    std::string asked, there;
    for (const std::string& name : facts_.programs) {
      const bool asks =
          std::find(facts_.asked_programs.begin(), facts_.asked_programs.end(), name) != facts_.asked_programs.end();
      if (asks) asked += (asked.empty() ? "" : " ") + name;
      else there += fmt::format("command -v {}\n", name);
    }
    if (!asked.empty()) steps.push_back({"", "test/tw/ver-check", "", "", {{"bins", asked}}});
    if (!there.empty()) steps.push_back({"", "", there, "", {}});
    std::string script;
    for (const std::string& module : facts_.modules) {
      if (facts_.system == "perl") script += fmt::format("perl -M{} -e 1\n", module);
      if (facts_.system == "gem") script += fmt::format("ruby -e {}\n", fmt::format("\"require '{}'\"", module));
      if (facts_.system == "python") script += fmt::format("python3 -c {}\n", fmt::format("'import {}'", module));
    }
    if (!script.empty()) steps.push_back({"Load it", "", script, "", {}});
    if (is_native(facts_) && (facts_.library || steps.empty())) steps.push_back({"", "test/tw/ldd-check", "", "", {}});
    if (steps.empty() && facts_.system == "node")
      steps.push_back({"", "", fmt::format("test -d {}\n", "/usr/lib/node_modules/" + facts_.name), "", {}});
    if (steps.empty()) steps.push_back({"", "", "# Nothing is known that could be tried.\ntrue\n", "", {}});
    line(0, "test:");
    line(1, "environment:");
    line(2, "contents:");
    line(3, "packages:");
    line(4, "- busybox");
    line(1, "pipeline:");
    for (const DraftStep& one : steps) step(2, one);
  }

  const Facts& facts_;
  const Origin& origin_;
  std::string out_;
  bool any_subpackage_ = false;
};

Json names(const std::vector<Wanted>& list) {
  Json out = Json::array();
  for (const Wanted& one : list) {
    Json item = Json::object({{"package", one.package}, {"sure", one.sure}});
    if (!one.why.empty()) item.set("why", one.why);
    out.push(std::move(item));
  }
  return out;
}

}  // namespace

std::string write_definition(const Facts& facts, const Origin& origin) { return Writer(facts, origin).all(); }

Json facts_json(const Facts& facts, const Origin& origin) {
  Json out = Json::object({{"name", facts.name}, {"version", facts.version}, {"description", facts.description}});
  if (!facts.url.empty()) out.set("url", facts.url);
  out.set("licenses", Json::strings(facts.licenses));
  out.set("build-system", facts.system).set("other-build-systems", Json::strings(facts.other_systems));
  Json source = Json::object();
  for (const auto& [key, value] : {std::pair<const char*, const std::string&>{"uri", origin.uri},
                                   {"sha256", origin.sha256},
                                   {"repository", origin.repository},
                                   {"tag", origin.tag},
                                   {"branch", origin.branch},
                                   {"commit", origin.commit}})
    if (!value.empty()) source.set(key, value);
  out.set("source", std::move(source)).set("build", names(facts.build)).set("runtime", names(facts.runtime));
  out.set("programs", Json::strings(facts.programs)).set("network", facts.network);
  return out.set("remarks", Json::strings(facts.remarks));
}

}  // namespace nacre::draft
