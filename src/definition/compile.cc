#include "definition/compile.h"

#include "definition/condition.h"
#include "definition/shell.h"

#include <algorithm>

namespace nacre::definition {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxSteps = 20'000;

using Inputs = std::vector<std::pair<std::string, PipelineInput>>;

Result<Inputs> read_inputs(const std::optional<Value>& value) {
  Inputs out;
  if (!value) return out;
  if (value->node->kind != codec::YamlKind::kMapping)
    return value->invalid("expected a mapping for inputs");
  for (const auto& entry : value->node->entries) {
    PipelineInput input;
    TRY(read_mapping(Value{value->tree, &entry.value}, nullptr, input), "reading input '{}'", entry.key);
    out.emplace_back(entry.key, std::move(input));
  }
  return out;
}

/// Digests are checked by the name of the input, as the reference does.
Result<> check_digest(std::string_view name, std::string_view text, const Value& where) {
  const std::size_t digits = name == "expected-sha256"   ? 64
                             : name == "expected-sha512" ? 128
                             : name == "expected-commit" ? 40
                                                         : 0;
  if (digits == 0 || text.empty()) return {};
  const bool hex = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  if (hex && text.size() == digits) return {};
  return where.invalid("{}: expected {} hexadecimal digits, found '{}'", name, digits, text);
}

/// The line that ends the here-documents through which built-in pipelines take their inputs.
constexpr std::string_view kValueEnd = "NACRE-VALUE";

/// A value with that line could go on as commands.
Result<> check_value_end(std::string_view name, std::string_view text, const Value& where) {
  if (text.find(kValueEnd) == std::string_view::npos) return {};
  const std::vector<std::string> lines = split(text, '\n');
  if (std::find(lines.begin(), lines.end(), kValueEnd) == lines.end()) return {};
  return where.invalid("input '{}' has a line '{}', which ends values where pipelines read them", name, kValueEnd);
}

/// Whether a script does nothing: the reference drops comments, and then has none.
bool only_comments(std::string_view script) {
  if (script.starts_with("#!")) return false;
  while (!script.empty()) {
    const std::size_t end = std::min(script.find('\n'), script.size());
    const std::string_view line = trim(script.substr(0, end));
    if (!line.empty() && line[0] != '#') return false;
    script.remove_prefix(std::min(end + 1, script.size()));
  }
  return true;
}

/// A byte of a script as a place in the text that has it: `written`, in which variables still stand. The whole script
/// where the lines of the two are not the same ones.
Place place_in_script(const Value& written, std::string_view script, std::size_t at) {
  const Place whole = written.place();
  const codec::YamlNode& node = *written.node;
  const std::string_view before = script.substr(0, at);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::vector<std::string> lines = split(node.text, '\n'), made = split(script, '\n');
  if (node.style != codec::ScalarStyle::kLiteral || lines.size() != made.size() || line >= lines.size()) return whole;
  const std::size_t column = at - (before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1);
  const Place row{whole.file, whole.line + static_cast<int>(line) + 1, 0};
  if (lines[line].substr(0, column) != made[line].substr(0, column)) return row;
  // The block's indentation is that of this line in the source less its own.
  std::size_t start = written.node->span.begin;
  for (std::size_t i = 0; i <= line; ++i) start = written.tree->source.find('\n', start) + 1;
  const std::string_view source = std::string_view(written.tree->source).substr(start);
  const std::size_t indent = source.substr(0, source.find('\n')).find(lines[line]);
  if (indent == std::string_view::npos || lines[line].empty()) return row;
  return {whole.file, row.line, static_cast<int>(indent + column) + 1};
}

/// Where input `name` was written: its value in `with`, else `with` or the step.
Value place_of_input(const std::optional<Value>& with, std::string_view name,
                     const Value& otherwise) {
  if (!with) return otherwise;
  const codec::YamlNode* node = with->node->find(name);
  return node ? Value{with->tree, node} : *with;
}

}  // namespace

Result<> Compiler::count(const Value& where) {
  if (++steps_ > kMaxSteps) return where.invalid("more than {} steps", kMaxSteps);
  return {};
}

Result<> Compiler::take_pipeline(const Value& uses, WrittenStep& out) {
  const std::string name = TRY(uses.text());
  const std::vector<std::string> parts = split(name, '/');
  const bool outside = std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part.empty() || part == "." || part == "..";
  });
  if (outside || name.find('\0') != std::string::npos)
    return uses.invalid("'{}' cannot be the name of a pipeline", name)
        .hint("write it like autoconf/make");
  auto tree = pipelines_.pipeline(name);
  if (!tree) return std::move(tree).error().at(uses.place());
  kept_.push_back(*std::move(tree));
  WrittenPipeline file;
  TRY(read_mapping(Value{kept_.back().get(), &kept_.back()->root}, nullptr, file));
  // What the file says takes the place of what the step says; all else of the step stays.
  const auto over = [](auto& mine, auto& theirs) {
    if (theirs) mine = std::move(theirs);
  };
  over(out.runs, file.runs);
  over(out.condition, file.condition);
  over(out.directory, file.directory);
  over(out.label, file.label);
  out.file_environment = file.environment;
  over(out.needs, file.needs);
  over(out.assertions, file.assertions);
  over(out.pipeline, file.pipeline);
  over(out.inputs, file.inputs);
  return {};
}

Result<std::string> Compiler::text(const std::optional<Value>& value, const Scope& scope,
                                   Quoting quoting) {
  if (!value) return std::string();
  const std::string written = TRY(value->text());
  std::string made = TRY(expand(written, scope, *value, quoting));
  bytes_ += made.size();
  if (bytes_ > kMaxTotalBytes)
    return value->invalid("the steps together are longer than {} bytes", kMaxTotalBytes);
  return made;
}

Result<> Compiler::fill_inputs(const WrittenStep& written, const Scope& scope, const Step* parent,
                               Step& out, Scope& inner) {
  const auto inputs = TRY(read_inputs(written.inputs));
  Pairs given;
  if (written.with) given = TRY(written.with->pairs());
  const Value step = written.uses.value_or(Value{});
  for (const auto& [name, value] : given) {
    const auto known = [&, &key = name](const auto& input) { return input.first == key; };
    if (std::any_of(inputs.begin(), inputs.end(), known)) continue;
    std::vector<std::string> names;
    for (const auto& [input, about] : inputs) names.push_back(input);
    const std::string hint = nearest_hint(name, names);
    return place_of_input(written.with, name, step)
        .invalid("'{}' has no input '{}'", out.uses, name)
        .hint(!hint.empty()   ? hint
              : names.empty() ? "it has none"
                              : "it has: " + join(names, ", "));
  }

  // Values may name inputs of pipelines around this one, and failing that, of this one.
  const std::function<Result<std::string>(std::string_view, int)> value_of =
      [&](std::string_view name, int depth) -> Result<std::string> {
    const std::string* text = find_pair(given, name);
    const auto input = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const auto& item) { return item.first == name; });
    const bool explicit_text = text && !text->empty();
    const Value where =
        explicit_text ? place_of_input(written.with, name, step) : input->second.where;
    if (depth > 8) return where.invalid("input '{}' is defined by itself", name);
    const LookUp look_up = [&](std::string_view variable) -> Result<std::string> {
      if (const std::string* found = scope.find(variable)) return *found;
      constexpr std::string_view kInputs = "inputs.";
      const bool own = variable.starts_with(kInputs) &&
                       std::any_of(inputs.begin(), inputs.end(), [&](const auto& item) {
                         return item.first == variable.substr(kInputs.size());
                       });
      if (own) return value_of(variable.substr(kInputs.size()), depth + 1);
      return unknown_variable(variable, scope);
    };
    return expand_with(explicit_text ? *text : input->second.fallback, look_up, where);
  };

  for (const auto& [name, input] : inputs) {
    const std::string* text = find_pair(given, name);
    const std::string& chosen = text && !text->empty() ? *text : input.fallback;
    const Value where = place_of_input(written.with, name, step);
    if (input.required && chosen.empty())
      return where.invalid("'{}' needs the input '{}'", out.uses, name);
    std::string value = TRY(value_of(name, 0));
    TRY(check_digest(name, value, where));
    TRY(check_value_end(name, value, where));
    inner.set("inputs." + name, value);
    // The reference shows what is not the default as written, and shows it only for steps with a
    // `with`; steps inside others always have one.
    if ((!given.empty() || parent) && value != input.fallback) out.given.emplace_back(name, value);
    out.with.emplace_back(name, std::move(value));
  }
  return {};
}

Result<> Compiler::fill(const WrittenStep& written, const Scope& scope, const Step* parent, Step& out) {
  out.runs = TRY(text(written.runs, scope));
  if (only_comments(out.runs)) out.runs.clear();
  if (const auto fault = check_shell(out.runs))
    return Error::make(ErrorKind::kInvalid, "no shell can read this script: {}", fault->text)
        .at(place_in_script(*written.runs, out.runs, fault->at))
        .hint(parent == nullptr ? "" : "what inputs give may be part of the script: look at their quotes");
  out.working_directory = TRY(text(written.directory, scope));
  if (written.label) out.label = TRY(written.label->text());
  out.if_condition = TRY(text(written.condition, scope, Quoting::kQuoted));
  auto enabled = evaluate_condition(out.if_condition);
  if (!enabled) return std::move(enabled).error().at(written.condition->place());
  out.enabled = *enabled;
  if (parent) out.environment = parent->environment;
  for (const auto& environment : {written.environment, written.file_environment}) {
    if (!environment) continue;
    Pairs own = TRY(environment->pairs(), "reading 'environment'");
    for (auto& [name, value] : own) set_pair(out.environment, name, std::move(value));
  }
  if (parent && out.working_directory.empty()) out.working_directory = parent->working_directory;
  if (written.needs && written.needs->packages) {
    const std::vector<Value> items = TRY(written.needs->packages->list(), "reading 'packages' of needs");
    for (const Value& item : items) {
      std::string name = TRY(text(item, scope));
      if (!name.empty()) out.needs.push_back(std::move(name));
    }
  }
  if (written.assertions) out.required_steps = written.assertions->required_steps;
  return {};
}

Result<Step> Compiler::step(const Value& value, std::size_t number, const Scope& scope, const Step* parent, int depth) {
  Step out;
  auto made = step_into(value, scope, parent, depth, out);
  if (made) return out;
  // Faults of the file that has the step show where it is by themselves.
  const std::string use = made.error().place().file == out.place.file ? "" : use_of(out, number);
  return use.empty() ? std::move(made).error() : std::move(made).error().while_doing("{}", use);
}

Result<> Compiler::step_into(const Value& value, const Scope& scope, const Step* parent, int depth, Step& out) {
  TRY(count(value));
  if (depth > kMaxDepth)
    return value.invalid("pipelines inside pipelines deeper than {}", kMaxDepth);
  WrittenStep written;
  TRY(read_mapping(value, nullptr, written));
  if (written.with && !written.uses && !written.with->node->entries.empty())
    return written.with->invalid("'with' without 'uses'");
  if (written.uses && written.runs)
    return written.runs->invalid("a step has either 'uses' or 'runs'").hint("make two steps of it");

  out.place = value.place();
  if (written.uses) out.uses = TRY(written.uses->text());
  if (written.name) out.name = TRY(written.name->text());
  Scope inner(&scope);
  if (written.uses && !written.pipeline) {
    TRY(take_pipeline(*written.uses, written));
    TRY(fill_inputs(written, scope, parent, out, inner));
  } else if (written.with) {
    // Compiled before: what it used is written out below it.
    out.with = TRY(written.with->pairs());
    out.given = out.with;
  }
  TRY(fill(written, inner, parent, out));
  if (written.pipeline) {
    const std::vector<Value> children = TRY(written.pipeline->list(), "reading 'pipeline'");
    for (const Value& child : children) {
      Step made = TRY(step(child, out.pipeline.size() + 1, inner, &out, depth + 1));
      out.pipeline.push_back(std::move(made));
    }
  }
  return {};
}

Result<std::vector<Step>> Compiler::steps(const std::optional<Value>& list, const Scope& scope,
                                          std::vector<std::string>& needs) {
  std::vector<Step> out;
  if (!list) return out;
  const std::vector<Value> items = TRY(list->list(), "reading 'pipeline'");
  for (const Value& item : items) {
    Step made = TRY(step(item, out.size() + 1, scope, nullptr, 0));
    out.push_back(std::move(made));
  }
  gather_needs(out, needs);
  return out;
}

std::string use_of(const Step& step, std::size_t number) {
  if (step.uses.empty()) return {};
  const Place& place = step.place;
  return fmt::format("step {} ({}:{}:{}) uses {}", number, place.file, place.line, place.column, step.uses);
}

void gather_needs(const std::vector<Step>& steps, std::vector<std::string>& out) {
  for (const Step& step : steps) {
    if (!step.enabled) continue;
    for (const std::string& name : step.needs) add_unique(out, name);
    gather_needs(step.pipeline, out);
  }
}

}  // namespace nacre::definition
