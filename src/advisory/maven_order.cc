#include "advisory/version_order.h"

#include "base/ascii.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <vector>

namespace nacre::advisory {

std::weak_ordering compare_maven(std::string_view left, std::string_view right);

namespace {

using Order = std::weak_ordering;

/// One part of a version as Maven's ComparableVersion has it: a number, a qualifier, or a list that a '-' or a change
/// between digits and letters began.
struct Item {
  enum class Kind { kNumber, kWord, kList } kind = Kind::kNumber;
  std::string text;
  std::vector<Item> list;
};

std::string number(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return std::string(digits);  // Zero is the empty text.
}

/// Rank of a qualifier: those that Maven knows in its order, others behind them by their text.
std::string rank(const std::string& word) {
  static const std::vector<std::string> kKnown = {"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"};
  const auto found = std::find(kKnown.begin(), kKnown.end(), word);
  if (found == kKnown.end()) return std::to_string(kKnown.size()) + "-" + word;
  return std::to_string(found - kKnown.begin());
}
const std::string kReleaseRank = "5";

std::string qualifier(std::string word, bool before_digit) {
  if (before_digit && word.size() == 1) {
    if (word == "a") return "alpha";
    if (word == "b") return "beta";
    if (word == "m") return "milestone";
  }
  if (word == "ga" || word == "final" || word == "release") return "";
  return word == "cr" ? "rc" : word;
}

bool is_null(const Item& item) {
  switch (item.kind) {
    case Item::Kind::kNumber: return item.text.empty();
    case Item::Kind::kWord: return rank(item.text) == kReleaseRank;
    case Item::Kind::kList: return item.list.empty();
  }
  return false;
}

/// Drops what says nothing from the end of a list: zeros and "final", up to the first list that says something.
void normalize(std::vector<Item>& list) {
  for (std::size_t i = list.size(); i > 0; --i) {
    if (is_null(list[i - 1])) list.erase(list.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    else if (list[i - 1].kind != Item::Kind::kList) break;
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) {
    for (const char c : text) text_ += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }

  Item read() {
    std::vector<Item> stack = {list()};
    std::size_t start = 0;
    bool digits = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      const bool change = c != '.' && c != '-' && i > start && is_digit(c) != digits;
      if (c == '.' || c == '-') {
        push(stack.back(), i == start ? Item{} : item(start, i, digits, false));
        start = i + 1;
        if (c == '-') stack.push_back(list());
      } else if (change) {
        // "1x" and "x1": a qualifier stands in a list of its own, and so does what follows it.
        if (!digits && !stack.back().list.empty()) stack.push_back(list());
        push(stack.back(), item(start, i, digits, !digits));
        start = i;
        stack.push_back(list());
      }
      digits = is_digit(c);
    }
    if (text_.size() > start) {
      if (!digits && !stack.back().list.empty()) stack.push_back(list());
      push(stack.back(), item(start, text_.size(), digits, false));
    }
    while (stack.size() > 1) {
      Item top = std::move(stack.back());
      stack.pop_back();
      normalize(top.list);
      push(stack.back(), std::move(top));
    }
    normalize(stack[0].list);
    return std::move(stack[0]);
  }

 private:
  static Item list() { return {Item::Kind::kList, {}, {}}; }
  static void push(Item& to, Item item) { to.list.push_back(std::move(item)); }
  Item item(std::size_t from, std::size_t to, bool digits, bool before_digit) const {
    const std::string part = text_.substr(from, to - from);
    if (digits) return {Item::Kind::kNumber, number(part), {}};
    return {Item::Kind::kWord, qualifier(part, before_digit), {}};
  }

  std::string text_;
};

Order compare_items(const Item* a, const Item* b);

Order compare_lists(const std::vector<Item>& a, const std::vector<Item>& b) {
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const Item* x = i < a.size() ? &a[i] : nullptr;
    const Item* y = i < b.size() ? &b[i] : nullptr;
    if (const Order order = compare_items(x, y); order != 0) return order;
  }
  return Order::equivalent;
}

/// An item against nothing: a number above zero and a list by its first part that differs from nothing.
Order against_nothing(const Item& item) {
  switch (item.kind) {
    case Item::Kind::kNumber: return item.text.empty() ? Order::equivalent : Order::greater;
    case Item::Kind::kWord: return rank(item.text).compare(kReleaseRank) <=> 0;
    case Item::Kind::kList:
      for (const Item& each : item.list)
        if (const Order order = against_nothing(each); order != 0) return order;
      return Order::equivalent;
  }
  return Order::equivalent;
}

Order compare_items(const Item* a, const Item* b) {
  if (a == nullptr && b == nullptr) return Order::equivalent;
  if (b == nullptr) return against_nothing(*a);
  if (a == nullptr) {
    const Order order = against_nothing(*b);
    return order < 0 ? Order::greater : order > 0 ? Order::less : order;
  }
  if (a->kind != b->kind) {
    // A number is newer than a list, a list newer than a word: 1.1 > 1-1 > 1-sp.
    const auto weight = [](const Item& item) {
      return item.kind == Item::Kind::kNumber ? 2 : item.kind == Item::Kind::kList ? 1 : 0;
    };
    return weight(*a) <=> weight(*b);
  }
  switch (a->kind) {
    case Item::Kind::kNumber:
      if (a->text.size() != b->text.size()) return a->text.size() <=> b->text.size();
      return a->text.compare(b->text) <=> 0;
    case Item::Kind::kWord: return rank(a->text).compare(rank(b->text)) <=> 0;
    case Item::Kind::kList: return compare_lists(a->list, b->list);
  }
  return Order::equivalent;
}

}  // namespace

std::weak_ordering compare_maven(std::string_view left, std::string_view right) {
  const Item a = Reader(left).read(), b = Reader(right).read();
  return compare_items(&a, &b);
}

}  // namespace nacre::advisory
