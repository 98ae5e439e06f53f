#include "definition/parse.h"

namespace nacre::definition {

template <>
const Table<WrittenStep::Needs>& table_of() {
  using T = WrittenStep::Needs;
  static const Table<T> kTable{
      "needs", {as_written<&T::packages>("packages", Shape::kTexts, "packages that the step runs with")}};
  return kTable;
}

template <>
const Table<WrittenStep::Assertions>& table_of() {
  using T = WrittenStep::Assertions;
  static const Table<T> kTable{
      "assertions", {row<&T::required_steps>("required-steps", "how many direct children must run, exactly")}};
  return kTable;
}

template <>
const Table<PipelineInput>& table_of() {
  using T = PipelineInput;
  static const Table<T> kTable{"an input",
                               {unkept<T>("description", Shape::kText, "what it is for"),
                                row<&T::fallback>("default", "its value where none is given"),
                                row<&T::required>("required", "whether it must be given")},
                               [](const Value& value, T& out) -> Result<> {
                                 out.where = value;
                                 return {};
                               }};
  return kTable;
}

namespace {

/// What a step and the file of a pipeline have in common.
template <class T>
void add_step_rows(std::vector<Field<T>>& rows) {
  using S = WrittenStep;
  rows.push_back(as_written<&S::runs, T>("runs", Shape::kText, "shell text"));
  rows.push_back(as_written<&S::condition, T>("if", Shape::kText, "condition: ${{build.arch}} == 'x86_64'"));
  rows.push_back(
      as_written<&S::directory, T>("working-directory", Shape::kText, "where it runs, below the workspace"));
  rows.push_back(as_written<&S::label, T>("label", Shape::kText, "kept, and not interpreted"));
  rows.push_back(as_written<&S::environment, T>("environment", Shape::kPairs, "variables of this step"));
  rows.push_back(maybe<&S::needs, T>("needs", "packages that it runs with"));
  rows.push_back(maybe<&S::assertions, T>("assertions", "what must hold when it has run"));
  rows.push_back(as_written<&S::pipeline, T>("pipeline", Shape::kList, "steps inside this one", info_of<S>));
  rows.push_back(as_written<&S::inputs, T>("inputs", Shape::kMap, "what `with` may give", info_of<PipelineInput>));
}

}  // namespace

template <>
const Table<WrittenStep>& table_of() {
  using T = WrittenStep;
  static const Table<T> kTable = [] {
    Table<T> table{"a step",
                   {as_written<&T::name>("name", Shape::kText, "for the log"),
                    as_written<&T::uses>("uses", Shape::kText, "name of a pipeline: autoconf/make"),
                    as_written<&T::with>("with", Shape::kPairs, "inputs of that pipeline"),
                    unkept<T>("description", Shape::kText, "for people")}};
    add_step_rows(table.fields);
    return table;
  }();
  return kTable;
}

template <>
const Table<WrittenPipeline>& table_of() {
  using T = WrittenPipeline;
  static const Table<T> kTable = [] {
    Table<T> table{
        "a pipeline",
        {unkept<T>("name", Shape::kText, "for people"), unkept<T>("description", Shape::kText, "for people")}};
    add_step_rows(table.fields);
    return table;
  }();
  return kTable;
}

template <>
const Table<VarTransform>& table_of() {
  using T = VarTransform;
  static const Table<T> kTable{
      "a transform",
      {{{"from", Shape::kText, "text with variables", nullptr, true},
        [](const Value& value, const Scope*, T& out) -> Result<> {
          out.from_value = value;
          return read_into(value, out.from);
        }},
       must<&T::match>("match", "regular expression"),
       must<&T::replace>("replace", "what takes the place of each match: $1 stands for a group"),
       must<&T::to>("to", "name of the variable that it sets")},
      [](const Value& value, T& out) -> Result<> {
        if (!out.to.empty()) return {};
        return value.invalid("a transform needs 'to', the name of the variable that it sets");
      }};
  return kTable;
}

template <>
const Table<RangeData>& table_of() {
  using T = RangeData;
  static const Table<T> kTable{
      "data",
      {must<&T::name>("name", "what `range` says"), row<&T::items>("items", "${{range.key}} to ${{range.value}}")},
      [](const Value& value, T& out) -> Result<> {
        if (!out.name.empty()) return {};
        return value.invalid("data needs a 'name'");
      }};
  return kTable;
}

template <>
const Table<BuildOption::Changes>& table_of() {
  using T = BuildOption::Changes;
  static const Table<T> kTable{"packages of an option",
                               {row<&T::add>("add", "packages more"), row<&T::remove>("remove", "packages less")}};
  return kTable;
}

template <>
const Table<BuildOption::Contents>& table_of() {
  using T = BuildOption::Contents;
  static const Table<T> kTable{"contents of an option", {mapping<&T::packages>("packages", "changes")}};
  return kTable;
}

template <>
const Table<BuildOption::Environment>& table_of() {
  using T = BuildOption::Environment;
  static const Table<T> kTable{"environment of an option",
                               {mapping<&T::contents>("contents", "packages of the root")}};
  return kTable;
}

template <>
const Table<BuildOption>& table_of() {
  using T = BuildOption;
  static const Table<T> kTable{"an option",
                               {row<&T::vars>("vars", "variables while it is on"),
                                mapping<&T::environment>("environment", "root of the build while it is on")}};
  return kTable;
}

template <>
const Table<WrittenDefinition::Capabilities>& table_of() {
  using T = WrittenDefinition::Capabilities;
  static const Table<T> kTable{
      "capabilities",
      {row<&T::add>("add", "given to steps: CAP_SYS_ADMIN"), row<&T::drop>("drop", "taken from them")}};
  return kTable;
}

template <>
const Table<WrittenDefinition>& table_of() {
  using T = WrittenDefinition;
  static const Table<T> kTable = [] {
    Field<T> package = as_written<&T::package>("package", Shape::kMapping, "the main package", info_of<Definition>);
    package.required = true;
    return Table<T>{
        "a definition",
        {package,
         as_written<&T::environment>("environment", Shape::kMapping, "root of the build", info_of<Environment>),
         mapping<&T::capabilities>("capabilities", "of the build's processes"),
         as_written<&T::pipeline>("pipeline", Shape::kList, "steps", info_of<WrittenStep>),
         as_written<&T::subpackages>("subpackages", Shape::kList, "further packages", info_of<WrittenSubpackage>),
         unkept<T>("data", Shape::kList, "lists for ranges", info_of<RangeData>),
         maybe<&T::update>("update", "how to learn of newer releases"),
         unkept<T>("vars", Shape::kPairs, "variables: ${{vars.NAME}}"),
         unkept<T>("var-transforms", Shape::kList, "variables made from others", info_of<VarTransform>),
         map<&T::options>("options", "variants that a builder may turn on"),
         as_written<&T::test>("test", Shape::kMapping, "test of the package just built", info_of<WrittenTest>)}};
  }();
  return kTable;
}

}  // namespace nacre::definition
