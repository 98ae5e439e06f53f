#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "definition/fields.h"

// Each mapping of the format is one table of rows. Reading, hints for unknown fields and the JSON schema all come
// from it, so that none can know a field that another does not.

namespace nacre::definition {

/// What a field's value looks like, for the schema.
enum class Shape { kText, kFlag, kNumber, kTexts, kPairs, kMapping, kList, kMap };

struct MappingInfo;

/// What a table says of one field, whatever it is read into. The schema is made from this.
struct FieldInfo {
  std::string_view key;
  Shape shape = Shape::kText;
  std::string_view help;                    ///< One line, for the schema and editors.
  const MappingInfo& (*inner)() = nullptr;  ///< Of a mapping, of a list's items, of a map's values.
  bool required = false;                    ///< In the schema; readers check it where they know the place.
  std::string_view choices;                 ///< Known values, parted by blanks.
};

/// A whole table as the schema sees it.
struct MappingInfo {
  std::string_view what;
  std::vector<const FieldInfo*> fields;
};

class Scope;

/// A field of the mapping that is read into a T. `read` is nullptr for what is known and not kept.
template <class T>
struct Field : FieldInfo {
  Result<> (*read)(const Value&, const Scope*, T&) = nullptr;
};

/// All fields of one mapping; `what` names it in messages: "package".
template <class T>
struct Table {
  std::string_view what;
  std::vector<Field<T>> fields;
  Result<> (*check)(const Value&, T&) = nullptr;  ///< Runs when all fields are read.
};

/// The table that describes T: one specialisation for each mapping of the format.
template <class T>
const Table<T>& table_of();

template <class T>
const MappingInfo& info_of() {
  static const MappingInfo kInfo = [] {
    MappingInfo info{table_of<T>().what, {}};
    for (const Field<T>& field : table_of<T>().fields) info.fields.push_back(&field);
    return info;
  }();
  return kInfo;
}

/// The error for a field that is in no row, with the nearest that is.
Error unknown_field(const Value& mapping, const codec::YamlNode::Entry& entry, const MappingInfo& info);
Error wrong_shape(const Value& value, std::string_view what);

/// Reads a mapping by its table. A null value is an empty mapping, a null field an absent one. `scope` is what
/// fields that hold variables of the second phase are expanded with.
template <class T>
Result<> read_mapping(const Value& value, const Scope* scope, T& out) {
  const Table<T>& table = table_of<T>();
  if (!value.is_null() && value.node->kind != codec::YamlKind::kMapping) return wrong_shape(value, table.what);
  for (const auto& entry : value.node->entries) {
    const Field<T>* found = nullptr;
    for (const Field<T>& field : table.fields)
      if (field.key == entry.key) found = &field;
    if (!found) return unknown_field(value, entry, info_of<T>());
    if (!found->read || entry.value.kind == codec::YamlKind::kNull) continue;
    const Value inner{value.tree, &entry.value};
    if (found->inner && found->shape != Shape::kMap) TRY(found->read(inner, scope, out));
    else TRY(found->read(inner, scope, out), "reading '{}' of {}", found->key, table.what);
  }
  if (table.check) TRY(table.check(value, out));
  return {};
}

Result<> read_into(const Value& value, std::string& out);
Result<> read_into(const Value& value, bool& out);
Result<> read_into(const Value& value, std::vector<std::string>& out);
Result<> read_into(const Value& value, Pairs& out);
template <std::integral Int>
Result<> read_into(const Value& value, Int& out) {
  out = TRY(value.number<Int>());
  return {};
}

template <class T>
constexpr Shape shape_of_member() {
  if constexpr (std::is_same_v<T, std::string>) return Shape::kText;
  else if constexpr (std::is_same_v<T, bool>) return Shape::kFlag;
  else if constexpr (std::is_same_v<T, std::vector<std::string>>) return Shape::kTexts;
  else if constexpr (std::is_same_v<T, Pairs>) return Shape::kPairs;
  else return Shape::kNumber;
}

template <class T>
struct MemberTraits;
template <class T, class Owner>
struct MemberTraits<T Owner::*> {
  using Type = T;
  using Class = Owner;
};
template <auto kMember>
using TypeOf = typename MemberTraits<decltype(kMember)>::Type;
template <auto kMember>
using ClassOf = typename MemberTraits<decltype(kMember)>::Class;

/// A row for a text, flag, number, list of texts or mapping of texts.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> row(std::string_view key, std::string_view help = {}, std::string_view choices = {}) {
  return {{key, shape_of_member<TypeOf<kMember>>(), help, nullptr, false, choices},
          [](const Value& value, const Scope*, Owner& out) -> Result<> { return read_into(value, out.*kMember); }};
}

/// The same for one that must be there.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> must(std::string_view key, std::string_view help = {}) {
  auto out = row<kMember, Owner>(key, help);
  out.required = true;
  return out;
}

/// A row for a mapping with a table of its own.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> mapping(std::string_view key, std::string_view help = {}) {
  using Inner = TypeOf<kMember>;
  return {{key, Shape::kMapping, help, info_of<Inner>},
          [](const Value& value, const Scope* scope, Owner& out) -> Result<> {
            return read_mapping(value, scope, out.*kMember);
          }};
}

/// None or one, kept in a vector or an optional.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> maybe(std::string_view key, std::string_view help = {}) {
  using Inner = typename TypeOf<kMember>::value_type;
  return {{key, Shape::kMapping, help, info_of<Inner>},
          [](const Value& value, const Scope* scope, Owner& out) -> Result<> {
            Inner made;
            TRY(read_mapping(value, scope, made));
            out.*kMember = {std::move(made)};
            return {};
          }};
}

/// A list of mappings.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> list(std::string_view key, std::string_view help = {}) {
  using Inner = typename TypeOf<kMember>::value_type;
  return {{key, Shape::kList, help, info_of<Inner>},
          [](const Value& value, const Scope* scope, Owner& out) -> Result<> {
            const std::vector<Value> items = TRY(value.list());
            for (const Value& item : items) {
              Inner made;
              TRY(read_mapping(item, scope, made));
              (out.*kMember).push_back(std::move(made));
            }
            return {};
          }};
}

/// A mapping from names that the user chooses to mappings.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> map(std::string_view key, std::string_view help = {}) {
  using Inner = typename TypeOf<kMember>::value_type::second_type;
  return {{key, Shape::kMap, help, info_of<Inner>},
          [](const Value& value, const Scope* scope, Owner& out) -> Result<> {
            if (value.node->kind != codec::YamlKind::kMapping) return wrong_shape(value, "it");
            for (const auto& entry : value.node->entries) {
              Inner made;
              TRY(read_mapping(Value{value.tree, &entry.value}, scope, made), "reading '{}'", entry.key);
              (out.*kMember).emplace_back(entry.key, std::move(made));
            }
            return {};
          }};
}

/// Kept as it stands in the text, and read later.
template <auto kMember, class Owner = ClassOf<kMember>>
Field<Owner> as_written(std::string_view key, Shape shape, std::string_view help = {},
                        const MappingInfo& (*inner)() = nullptr) {
  return {{key, shape, help, inner}, [](const Value& value, const Scope*, Owner& out) -> Result<> {
            out.*kMember = value;
            return {};
          }};
}

/// Known, and not kept.
template <class T>
Field<T> unkept(std::string_view key, Shape shape, std::string_view help = {},
                const MappingInfo& (*inner)() = nullptr) {
  return {{key, shape, help, inner}, nullptr};
}

}  // namespace nacre::definition
