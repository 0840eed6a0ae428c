#include "cache/matcher/path.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

// How far what is found now can be relied on.
struct trust {
  bool values = true;
  bool missing = true;
};

class walker {
 public:
  walker(leaf_arrays leaves, const value_test& test, work_budget& budget)
      : leaves_(leaves), test_(test), budget_(budget) {}

  match in_document(bson_view document, std::string_view path, trust trusted) {
    const auto name = take_component(path);
    bson_element field;
    for (bson_cursor cursor(document); cursor.next(field);) {
      if (!budget_.spend(1)) return match::unknown;
      if (field.name == name) return path.empty() ? leaf(field, trusted) : inner(field, path, trusted);
    }
    return ask(nullptr, trusted.missing);
  }

 private:
  match ask(const bson_element* value, bool trusted) {
    if (!budget_.spend(1)) return match::unknown;
    const auto answer = test_(value);
    return answer == match::yes && !trusted ? match::unknown : answer;
  }

  match leaf(const bson_element& value, trust trusted) {
    auto found = match::no;
    if (value.is(bson_type::array) && leaves_ == leaf_arrays::traversed) found = each_element(value, trusted.values);
    return found == match::yes ? found : either(found, ask(&value, trusted.values));
  }

  match each_element(const bson_element& array, bool trusted) {
    auto found = match::no;
    bson_element element;
    for (bson_cursor cursor(array.document().value_or(bson_view{})); found != match::yes && cursor.next(element);) {
      found = either(found, ask(&element, trusted));
    }
    return found;
  }

  // The path goes on behind this value.
  match inner(const bson_element& value, std::string_view rest, trust trusted) {
    const auto document = value.document();
    if (!document) return ask(nullptr, trusted.missing);
    return value.is(bson_type::array) ? in_array(*document, rest, trusted) : in_document(*document, rest, trusted);
  }

  match in_array(bson_view array, std::string_view path, trust trusted) {
    auto rest = path;
    const auto component = take_component(rest);
    const bool numeric = is_numeric_component(component);
    // Whether an index that is not there is missing is not clear, nor a document without such a field that may be meant
    // by the index.
    auto found = numeric ? ask(nullptr, false) : match::no;
    std::size_t index = 0;
    bson_element element;
    for (bson_cursor cursor(array); found != match::yes && cursor.next(element); ++index) {
      if (!budget_.spend(1)) return match::unknown;
      if (element.is(bson_type::document)) {
        const auto document = element.document().value_or(bson_view{});
        found = either(found, in_document(document, path, {trusted.values, trusted.missing && !numeric}));
      }
      if (numeric && found != match::yes) found = either(found, at_index(element, index, component, rest, trusted));
    }
    return found;
  }

  // The element, if the component is its index. Arrays name their elements by their indices; if this one does not,
  // servers may differ.
  match at_index(const bson_element& element, std::size_t index, std::string_view component, std::string_view rest,
                 trust trusted) {
    const bool by_name = element.name == component;
    const bool by_index = is_index(component, index);
    if (!by_name && !by_index) return match::no;
    const bool sure = by_name && by_index && trusted.values;
    if (!rest.empty()) return inner(element, rest, {sure && element.is(bson_type::document), false});
    auto found = ask(&element, sure);
    if (found != match::yes && element.is(bson_type::array) && leaves_ == leaf_arrays::traversed) {
      found = either(found, each_element(element, false));
    }
    return found;
  }

  static bool is_index(std::string_view component, std::size_t index) noexcept {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, index).ptr;
    return component == std::string_view(digits, static_cast<std::size_t>(end - digits));
  }

  leaf_arrays leaves_;
  const value_test& test_;
  work_budget& budget_;
};

// The next component that is a name; empty if there is none.
std::string_view take_name(std::string_view& path) noexcept {
  while (!path.empty()) {
    const auto component = take_component(path);
    if (!is_numeric_component(component) && !component.starts_with('$')) return component;
  }
  return {};
}

}  // namespace

std::string_view take_component(std::string_view& path) noexcept {
  const auto dot = path.find('.');
  const auto component = path.substr(0, dot);
  path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  return component;
}

bool is_numeric_component(std::string_view component) noexcept {
  return !component.empty() &&
         std::all_of(component.begin(), component.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_plain_path(std::string_view path) noexcept {
  if (path.empty() || path.ends_with('.')) return false;
  while (!path.empty()) {
    const auto component = take_component(path);
    if (component.empty() || component.starts_with('$')) return false;
  }
  return true;
}

bool paths_touch(std::string_view a, std::string_view b) noexcept {
  for (;;) {
    const auto x = take_name(a);
    const auto y = take_name(b);
    if (x.empty() || y.empty()) return true;
    if (x != y) return false;
  }
}

match any_value(bson_view document, std::string_view path, leaf_arrays leaves, const value_test& test,
                work_budget& budget) {
  return walker(leaves, test, budget).in_document(document, path, {});
}

}  // namespace mongocached::cache
