#include "cache/matcher/compare.hpp"

#include <cmath>

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::byte_view;
using protocol::load_le;

using ordering = std::optional<std::weak_ordering>;

std::weak_ordering order_of_text(std::string_view a, std::string_view b) noexcept {
  return a.compare(b) <=> 0;
}

std::weak_ordering order_of_bytes(byte_view a, byte_view b) noexcept {
  return order_of_text(protocol::as_text(a), protocol::as_text(b));
}

// Neither is NaN. Exact: a double in int64's range is split into its whole part and the rest.
std::weak_ordering order_of(double a, std::int64_t b) noexcept {
  if (a >= 0x1p63) return std::weak_ordering::greater;
  if (a < -0x1p63) return std::weak_ordering::less;
  const auto whole = std::trunc(a);
  if (const auto order = static_cast<std::int64_t>(whole) <=> b; std::is_neq(order)) return order;
  return a < whole ? std::weak_ordering::less
                   : (a > whole ? std::weak_ordering::greater : std::weak_ordering::equivalent);
}

std::weak_ordering order_of_doubles(double a, double b) noexcept {
  return a < b ? std::weak_ordering::less : (a > b ? std::weak_ordering::greater : std::weak_ordering::equivalent);
}

std::weak_ordering reversed(std::weak_ordering order) noexcept {
  if (std::is_eq(order)) return order;
  return std::is_lt(order) ? std::weak_ordering::greater : std::weak_ordering::less;
}

ordering order_of_numbers(const bson_element& a, const bson_element& b) noexcept {
  if (a.is(bson_type::decimal128) || b.is(bson_type::decimal128)) return std::nullopt;
  if (is_nan(a) || is_nan(b)) return is_nan(b) <=> is_nan(a);
  const auto x = a.integer();
  const auto y = b.integer();
  if (x && y) return *x <=> *y;
  if (x) return reversed(order_of(b.number().value_or(0), *x));
  if (y) return order_of(a.number().value_or(0), *y);
  return order_of_doubles(a.number().value_or(0), b.number().value_or(0));
}

ordering order_of_values(const bson_element& a, const bson_element& b, string_order strings, int depth) noexcept;

// Documents and arrays; the members of two arrays are to have the same names.
ordering order_of_members(const bson_element& a, const bson_element& b, string_order strings, int depth) noexcept {
  const auto x = a.document();
  const auto y = b.document();
  if (!x || !y || depth <= 0) return std::nullopt;
  bson_cursor left(*x);
  bson_cursor right(*y);
  bson_element l;
  bson_element r;
  for (;;) {
    const bool more_left = left.next(l);
    const bool more_right = right.next(r);
    if (left.failed() || right.failed()) return std::nullopt;
    if (!more_left || !more_right) return more_left <=> more_right;
    if (l.is(bson_type::undefined) || r.is(bson_type::undefined)) return std::nullopt;
    if (const auto order = comparison_class_of(l) <=> comparison_class_of(r); std::is_neq(order)) return order;
    if (const auto order = order_of_text(l.name, r.name); std::is_neq(order)) {
      return a.is(bson_type::array) ? std::nullopt : ordering(order);
    }
    if (const auto order = order_of_values(l, r, strings, depth - 1); !order || std::is_neq(*order)) return order;
  }
}

// Length, subtype, bytes: the last two stand side by side.
ordering order_of_binaries(const bson_element& a, const bson_element& b) noexcept {
  if (const auto order = a.value.size() <=> b.value.size(); std::is_neq(order)) return order;
  return order_of_bytes(a.value.subspan(4), b.value.subspan(4));
}

ordering order_of_strings(const bson_element& a, const bson_element& b, string_order strings) noexcept {
  if (strings == string_order::collated || a.type != b.type || !a.is(bson_type::string)) return std::nullopt;
  return order_of_text(a.text().value_or(""), b.text().value_or(""));
}

// Both of the same class.
ordering order_within(comparison_class both, const bson_element& a, const bson_element& b, string_order strings,
                      int depth) noexcept {
  switch (both) {
    case comparison_class::min_key:
    case comparison_class::max_key:
    case comparison_class::null:
      return std::weak_ordering::equivalent;
    case comparison_class::number:
      return order_of_numbers(a, b);
    case comparison_class::string:
      return order_of_strings(a, b, strings);
    case comparison_class::document:
    case comparison_class::array:
      return order_of_members(a, b, strings, depth);
    case comparison_class::binary:
      return order_of_binaries(a, b);
    case comparison_class::object_id:
    case comparison_class::boolean:
      return order_of_bytes(a.value, b.value);
    case comparison_class::date:
      return load_le<std::int64_t>(a.value.data()) <=> load_le<std::int64_t>(b.value.data());
    case comparison_class::timestamp:
      return load_le<std::uint64_t>(a.value.data()) <=> load_le<std::uint64_t>(b.value.data());
    default:
      return std::nullopt;
  }
}

ordering order_of_values(const bson_element& a, const bson_element& b, string_order strings, int depth) noexcept {
  const auto x = comparison_class_of(a);
  const auto y = comparison_class_of(b);
  if (x == comparison_class::undefined || y == comparison_class::undefined) return std::nullopt;
  return x == y ? order_within(x, a, b, strings, depth) : ordering(x <=> y);
}

}  // namespace

comparison_class comparison_class_of(const bson_element& value) noexcept {
  switch (value.type) {
    case bson_type::min_key:
      return comparison_class::min_key;
    case bson_type::undefined:
      return comparison_class::undefined;
    case bson_type::null:
      return comparison_class::null;
    case bson_type::int32:
    case bson_type::int64:
    case bson_type::float64:
    case bson_type::decimal128:
      return comparison_class::number;
    case bson_type::string:
    case bson_type::symbol:
      return comparison_class::string;
    case bson_type::document:
      return comparison_class::document;
    case bson_type::array:
      return comparison_class::array;
    case bson_type::binary:
      return comparison_class::binary;
    case bson_type::object_id:
      return comparison_class::object_id;
    case bson_type::boolean:
      return comparison_class::boolean;
    case bson_type::date:
      return comparison_class::date;
    case bson_type::timestamp:
      return comparison_class::timestamp;
    case bson_type::regex:
      return comparison_class::regex;
    case bson_type::db_pointer:
      return comparison_class::db_pointer;
    case bson_type::code:
      return comparison_class::code;
    case bson_type::code_with_scope:
      return comparison_class::code_with_scope;
    case bson_type::max_key:
      return comparison_class::max_key;
  }
  return comparison_class::undefined;  // no cursor yields it
}

ordering compare_values(const bson_element& a, const bson_element& b, string_order strings) noexcept {
  return order_of_values(a, b, strings, max_match_depth);
}

bool is_nan(const bson_element& value) noexcept {
  return value.is(bson_type::float64) && std::isnan(load_le<double>(value.value.data()));
}

}  // namespace mongocached::cache
