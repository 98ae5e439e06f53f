#include "codec/yaml.h"
#include "codec/yaml_aliases.h"

#include "base/text.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>

namespace nacre::codec {
namespace {

/// libyaml's marks count characters; spans count bytes. Marks come nearly in order, so a cursor
/// that walks to the asked character costs little.
class Offsets {
 public:
  explicit Offsets(std::string_view source) : source_(source) {
    if (source.substr(0, 3) == "\xEF\xBB\xBF") byte_ = start_ = 3;
    lines_.push_back(0);
    for (std::size_t at = 0; at < source.size(); ++at)
      if (source[at] == '\n') lines_.push_back(at + 1);
  }

  std::size_t start() const { return start_; }  ///< 3 behind a byte order mark, else 0.

  std::size_t byte_of(std::size_t index) {
    while (index_ < index && byte_ < source_.size()) {
      do ++byte_;
      while (byte_ < source_.size() && continues(byte_));
      ++index_;
    }
    while (index_ > index && byte_ > start_) {
      do --byte_;
      while (byte_ > start_ && continues(byte_));
      --index_;
    }
    return byte_;
  }

  YamlSpan span(std::size_t begin, std::size_t end) const {
    const auto after = std::upper_bound(lines_.begin(), lines_.end(), begin);
    const std::size_t line_start = *(after - 1);
    return {begin, end, static_cast<int>(after - lines_.begin()),
            static_cast<int>(begin - line_start) + 1};
  }

  YamlSpan span(const yaml_mark_t& from, const yaml_mark_t& to) {
    const std::size_t begin = byte_of(from.index), end = byte_of(to.index);
    return span(begin, std::max(begin, end));
  }

 private:
  bool continues(std::size_t at) const {
    return (static_cast<unsigned char>(source_[at]) & 0xC0) == 0x80;
  }

  std::string_view source_;
  std::size_t start_ = 0, byte_ = 0, index_ = 0;
  std::vector<std::size_t> lines_;
};

std::string_view text_of(const yaml_char_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string_view text_of(const yaml_char_t* bytes) {
  return bytes ? std::string_view(reinterpret_cast<const char*>(bytes)) : std::string_view();
}

constexpr std::string_view kMergeKey = "<<";

bool means_null(std::string_view plain) {
  return plain.empty() || plain == "~" || plain == "null" || plain == "Null" || plain == "NULL";
}

ScalarStyle style_of(yaml_scalar_style_t style) {
  switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: return ScalarStyle::kSingleQuoted;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return ScalarStyle::kDoubleQuoted;
    case YAML_LITERAL_SCALAR_STYLE: return ScalarStyle::kLiteral;
    case YAML_FOLDED_SCALAR_STYLE: return ScalarStyle::kFolded;
    default: return ScalarStyle::kPlain;
  }
}

int first_line(const YamlNode& mapping, std::string_view key) {
  for (const YamlNode::Entry& entry : mapping.entries)
    if (entry.key == key) return entry.key_span.line;
  return 0;
}

/// One event, freed on destruction.
struct Event {
  yaml_event_t raw{};
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&raw); }
};

/// Builds the tree from libyaml's events. The recursion is as deep as the limit on nesting.
class Reader {
 public:
  enum class Aliases { kRefuse, kFollow };
  Reader(YamlTree& tree, const YamlLimits& limits, Aliases aliases)
      : tree_(tree), limits_(limits), aliases_(aliases), offsets_(tree.source) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    const std::string_view text =
        std::string_view(tree.source).substr(offsets_.start());  // without the mark
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Reader() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<> read() {
    if (!ready_) return Error::make(ErrorKind::kUnavailable, "out of memory");
    Event start, document;
    TRY(next(start));
    TRY(next(document));
    if (document.raw.type == YAML_STREAM_END_EVENT) return {};
    Event first, end, after;
    TRY(next(first));
    TRY(node(first.raw, tree_.root, 0));
    TRY(next(end));
    TRY(next(after));
    if (after.raw.type != YAML_STREAM_END_EVENT)
      return fault(span_of(after.raw), "expected one document, found a second")
          .hint("put it into a file of its own");
    return {};
  }

 private:
  template <class... A>
  Error fault(const YamlSpan& span, fmt::format_string<A...> text, A&&... args) {
    return Error::make(ErrorKind::kInvalid, text, std::forward<A>(args)...).at(tree_.place(span));
  }

  YamlSpan span_of(const yaml_event_t& event) {
    return offsets_.span(event.start_mark, event.end_mark);
  }

  Result<> next(Event& event) {
    if (yaml_parser_parse(&parser_, &event.raw) == 1) return {};
    if (parser_.error == YAML_MEMORY_ERROR)
      return Error::make(ErrorKind::kUnavailable, "out of memory");
    const std::size_t at =
        parser_.error == YAML_READER_ERROR
            ? std::min(parser_.problem_offset + offsets_.start(), tree_.source.size())
            : offsets_.byte_of(parser_.problem_mark.index);
    const std::string problem = parser_.problem ? parser_.problem : "not YAML";
    const std::string context = parser_.context ? fmt::format(" ({})", parser_.context) : "";
    Error error = fault(offsets_.span(at, at), "{}{}", problem, context);
    if (at < tree_.source.size() && tree_.source[at] == '\t')
      return std::move(error).hint("indent with blanks; YAML does not take tabs there");
    if (at < tree_.source.size() &&
        (tree_.source[at] == '@' || tree_.source[at] == '`' || tree_.source[at] == '%'))
      return std::move(error).hint("put the value in quotes");
    return error;
  }

  Result<> node(const yaml_event_t& event, YamlNode& out, int depth) {
    out.span = span_of(event);
    if (++nodes_ > limits_.max_nodes)
      return fault(out.span, "more than {} values", limits_.max_nodes);
    if (depth > limits_.max_depth)
      return fault(out.span, "nested deeper than {} levels", limits_.max_depth);
    switch (event.type) {
      case YAML_SCALAR_EVENT:
        TRY(scalar(event, out));
        return keep(event.data.scalar.anchor, out);
      case YAML_SEQUENCE_START_EVENT:
        TRY(sequence(event, out, depth));
        return keep(event.data.sequence_start.anchor, out);
      case YAML_MAPPING_START_EVENT:
        TRY(mapping(event, out, depth));
        return keep(event.data.mapping_start.anchor, out);
      case YAML_ALIAS_EVENT: return alias(text_of(event.data.alias.anchor), out, depth);
      default: return fault(out.span, "expected a value");
    }
  }

  Result<> keep(const yaml_char_t* anchor, const YamlNode& node) {
    if (anchor != nullptr && aliases_ == Aliases::kFollow)
      anchors_.insert_or_assign(std::string(text_of(anchor)), node);
    return {};
  }

  /// A copy of what the name stands for; it counts as if it were written out.
  Result<> alias(std::string_view name, YamlNode& out, int depth) {
    const YamlSpan span = out.span;
    if (aliases_ == Aliases::kRefuse)
      return fault(span, "aliases are not read: '*{}'", name).hint("write the value out in each place");
    const auto found = anchors_.find(name);
    if (found == anchors_.end())
      return fault(span, "'*{}' stands for nothing", name)
          .hint(fmt::format("'&{}' before a value gives it that name; it must come first", name));
    TRY(count_copy(found->second, span, depth));
    out = found->second;
    out.span = span;
    return {};
  }

  Result<> count_copy(const YamlNode& node, const YamlSpan& span, int depth) {
    if (++nodes_ > limits_.max_nodes) return fault(span, "more than {} values", limits_.max_nodes);
    if (depth > limits_.max_depth) return fault(span, "nested deeper than {} levels", limits_.max_depth);
    for (const YamlNode& item : node.items) TRY(count_copy(item, span, depth + 1));
    for (const YamlNode::Entry& entry : node.entries) TRY(count_copy(entry.value, span, depth + 1));
    return {};
  }

  /// "<<": the fields of a mapping, or of each of several, that `out` does not have itself; the first of several wins.
  Result<> merge(const YamlNode& from, const YamlSpan& span, YamlNode& out) {
    if (from.kind == YamlKind::kSequence) {
      for (const YamlNode& item : from.items) {
        if (item.kind != YamlKind::kMapping) return fault(span, "'<<' takes mappings");
        TRY(merge(item, span, out));
      }
      return {};
    }
    if (from.kind != YamlKind::kMapping) return fault(span, "'<<' takes a mapping, or a list of mappings");
    for (const YamlNode::Entry& entry : from.entries)
      if (out.find(entry.key) == nullptr) out.entries.push_back(entry);
    return {};
  }

  /// Tags would change what a scalar means; the plain kinds of YAML are let through, all else is
  /// refused.
  Result<> check_tag(std::string_view tag, std::initializer_list<std::string_view> known,
                     const YamlSpan& span) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "!") return {};
    if (tag.substr(0, kCore.size()) == kCore &&
        std::find(known.begin(), known.end(), tag.substr(kCore.size())) != known.end())
      return {};
    return fault(span, "unknown tag '{}'", tag).hint("leave the tag out");
  }

  Result<> scalar(const yaml_event_t& event, YamlNode& out) {
    const auto& data = event.data.scalar;
    const std::string_view tag = text_of(data.tag);
    TRY(check_tag(tag, {"str", "int", "float", "bool", "null"}, out.span));
    out.style = style_of(data.style);
    const std::string_view text = text_of(data.value, data.length);
    const bool null = out.style == ScalarStyle::kPlain && (tag.empty() || tag.ends_with(":null")) &&
                      means_null(text);
    out.kind = null ? YamlKind::kNull : YamlKind::kScalar;
    if (!null) out.text = text;
    return {};
  }

  Result<> sequence(const yaml_event_t& start, YamlNode& out, int depth) {
    TRY(check_tag(text_of(start.data.sequence_start.tag), {"seq"}, out.span));
    out.kind = YamlKind::kSequence;
    while (true) {
      Event event;
      TRY(next(event));
      if (event.raw.type == YAML_SEQUENCE_END_EVENT) {
        const bool flow = start.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
        close(event.raw, flow, out.items.empty() ? nullptr : &out.items.back().span, out.span);
        return {};
      }
      TRY(node(event.raw, out.items.emplace_back(), depth + 1));
    }
  }

  Result<> mapping(const yaml_event_t& start, YamlNode& out, int depth) {
    TRY(check_tag(text_of(start.data.mapping_start.tag), {"map"}, out.span));
    out.kind = YamlKind::kMapping;
    std::unordered_set<std::string> seen;
    std::optional<YamlNode::Entry> merged;
    std::optional<YamlSpan> last;
    while (true) {
      Event event;
      TRY(next(event));
      if (event.raw.type == YAML_MAPPING_END_EVENT) {
        const bool flow = start.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
        close(event.raw, flow, last ? &*last : nullptr, out.span);
        // After all others, which win wherever they stand.
        return merged ? merge(merged->value, merged->key_span, out) : Result<>{};
      }
      YamlNode::Entry entry;
      const bool merges = TRY(key(event.raw, entry));
      if (!seen.insert(entry.key).second)
        return fault(entry.key_span, "'{}' is given twice", entry.key)
            .hint(fmt::format("the first is in line {}", first_line(out, entry.key)));
      Event value;
      TRY(next(value));
      TRY(node(value.raw, entry.value, depth + 1));
      last = entry.value.span;
      if (merges) merged = std::move(entry);
      else out.entries.push_back(std::move(entry));
    }
  }

  /// Whether it is "<<", which stands for fields of another mapping.
  Result<bool> key(const yaml_event_t& event, YamlNode::Entry& entry) {
    entry.key_span = span_of(event);
    if (event.type != YAML_SCALAR_EVENT) return fault(entry.key_span, "expected a plain key");
    if (++nodes_ > limits_.max_nodes)
      return fault(entry.key_span, "more than {} values", limits_.max_nodes);
    const auto& data = event.data.scalar;
    TRY(check_tag(text_of(data.tag), {"str", "int", "float", "bool"}, entry.key_span));
    entry.key = text_of(data.value, data.length);
    const bool merges = entry.key == kMergeKey && data.style == YAML_PLAIN_SCALAR_STYLE;
    if (merges && aliases_ == Aliases::kRefuse)
      return fault(entry.key_span, "merge keys ('<<') are not read")
          .hint("write the fields out in each place");
    return merges;
  }

  /// The end event of a block stands at the next token, behind comments: a block ends with its last
  /// child.
  void close(const yaml_event_t& end, bool flow, const YamlSpan* last, YamlSpan& span) {
    if (flow) span.end = offsets_.byte_of(end.end_mark.index);
    else if (last) span.end = std::max(span.begin, last->end);
    else span.end = span.begin;
  }

  YamlTree& tree_;
  const YamlLimits& limits_;
  const Aliases aliases_;
  Offsets offsets_;
  yaml_parser_t parser_{};
  bool ready_ = false;
  std::size_t nodes_ = 0;
  std::map<std::string, YamlNode, std::less<>> anchors_;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

namespace {

Result<YamlTree> read_tree(std::string text, std::string file, const YamlLimits& limits, Reader::Aliases aliases) {
  YamlTree tree{std::move(file), std::move(text), {}};
  if (tree.source.size() > limits.max_bytes)
    return Error::make(ErrorKind::kInvalid, "{} bytes of YAML, more than the limit of {}",
                       tree.source.size(), limits.max_bytes)
        .at(Place{tree.file, 0, 0});
  TRY(Reader(tree, limits, aliases).read());
  return tree;
}

}  // namespace

Result<YamlTree> parse_yaml(std::string text, std::string file, const YamlLimits& limits) {
  return read_tree(std::move(text), std::move(file), limits, Reader::Aliases::kRefuse);
}

Result<YamlTree> parse_yaml_with_aliases(std::string text, std::string file, const YamlLimits& limits) {
  return read_tree(std::move(text), std::move(file), limits, Reader::Aliases::kFollow);
}

}  // namespace nacre::codec
