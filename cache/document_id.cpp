#include "cache/document_id.hpp"

#include <cmath>
#include <compare>
#include <limits>

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::load_le;

void append_form(byte_buffer& out, char tag, byte_view bytes) {
  const auto at = out.size();
  out.resize(at + 1 + bytes.size());
  out[at] = static_cast<std::uint8_t>(tag);
  if (!bytes.empty()) std::memcpy(out.data() + at + 1, bytes.data(), bytes.size());
}

template <class T>
void append_number(byte_buffer& out, char tag, T value) {
  append_form(out, tag, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

std::optional<std::int64_t> integral(const bson_element& value) noexcept {
  return value.is(bson_type::decimal128) ? integral_decimal(value.value) : value.integer();
}

bool append_number_id(byte_buffer& out, const bson_element& value) {
  if (const auto whole = integral(value)) {
    append_number(out, 'i', *whole);
    return true;
  }
  if (!value.is(bson_type::float64)) return false;
  const auto number = load_le<double>(value.value.data());
  if (!std::isfinite(number) || number == std::trunc(number)) return false;  // integral, but beyond int64
  append_number(out, 'f', number);
  return true;
}

bool append_value(byte_buffer& out, const bson_element& value, int depth);

bool append_document_id(byte_buffer& out, const bson_element& value, int depth) {
  const auto document = value.document();
  if (!document || depth <= 0) return false;
  out.push_back('o');
  bson_element field;
  bson_cursor cursor(*document);
  while (cursor.next(field)) {
    if (field.name.starts_with('$') || !append_value(out, field, depth - 1)) return false;
    out.insert(out.end(), field.name.begin(), field.name.end());
    out.push_back(0);
  }
  out.push_back(0);
  return !cursor.failed();
}

bool append_value(byte_buffer& out, const bson_element& value, int depth) {
  switch (value.type) {
    case bson_type::object_id:
      append_form(out, 'x', value.value);
      return true;
    case bson_type::string:
      append_form(out, 's', value.value.first(value.value.size() - 1));  // the length counts the NUL: no matter
      return true;
    case bson_type::int32:
    case bson_type::int64:
    case bson_type::float64:
    case bson_type::decimal128:
      return append_number_id(out, value);
    case bson_type::binary:
      append_form(out, 'b', value.value);
      return true;
    case bson_type::boolean:
      append_form(out, 'B', value.value);
      return true;
    case bson_type::date:
      append_form(out, 'd', value.value);
      return true;
    case bson_type::timestamp:
      append_form(out, 't', value.value);
      return true;
    case bson_type::document:
      return append_document_id(out, value, depth);
    default:
      return false;
  }
}

// Exact: `fraction` is what truncation takes away, with the number's sign.
struct split_number {
  std::int64_t whole = 0;
  double fraction = 0;
};

split_number split(const bson_element& value) noexcept {
  if (const auto whole = integral(value)) return {*whole, 0};
  const auto number = value.number().value_or(0);
  if (!(number > -0x1p63 && number < 0x1p63)) return {};  // never passed in
  return {static_cast<std::int64_t>(std::trunc(number)), number - std::trunc(number)};
}

template <class T>
int compare(T a, T b) noexcept {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int compare_bytes(byte_view a, byte_view b) noexcept {
  return protocol::as_text(a).compare(protocol::as_text(b));
}

int compare_numbers(const bson_element& a, const bson_element& b) noexcept {
  const auto x = split(a);
  const auto y = split(b);
  if (const auto order = compare(x.whole, y.whole)) return order;
  return compare(x.fraction, y.fraction);
}

// Length first, then subtype and bytes, as the server does.
int compare_binaries(const bson_element& a, const bson_element& b) noexcept {
  if (const auto order = compare(a.value.size(), b.value.size())) return order;
  return compare_bytes(a.value.subspan(4), b.value.subspan(4));
}

int compare_documents(const bson_element& a, const bson_element& b) noexcept {
  const auto x = a.document();
  const auto y = b.document();
  if (!x || !y) return compare(x.has_value(), y.has_value());
  bson_cursor left(*x);
  bson_cursor right(*y);
  bson_element l;
  bson_element r;
  for (;;) {
    const bool more_left = left.next(l);
    const bool more_right = right.next(r);
    if (!more_left || !more_right) return compare(more_left, more_right);
    if (const auto order = compare(class_of(l), class_of(r))) return order;
    if (const auto order = l.name.compare(r.name)) return order;
    if (const auto order = compare_ids(l, r)) return order;
  }
}

}  // namespace

bool append_canonical_id(byte_buffer& out, const bson_element& value) {
  const auto start = out.size();
  if (append_value(out, value, protocol::max_depth)) return true;
  out.resize(start);
  return false;
}

bool may_equal_modelled(const bson_element& value) noexcept {
  if (value.is(bson_type::decimal128) || value.is(bson_type::symbol)) return true;
  if (!value.is(bson_type::document)) return false;
  const auto document = value.document();
  if (!document) return true;
  bson_element field;
  bson_cursor cursor(*document);
  while (cursor.next(field)) {
    if (may_equal_modelled(field)) return true;
  }
  return cursor.failed();
}

// BID, IEEE 754-2008: sign 1 bit, exponent 14 bits with a bias of 6176, coefficient 113 bits. Combination bits 11 at
// the top mean a coefficient too large to be canonical, infinity or NaN.
std::optional<std::int64_t> integral_decimal(byte_view decimal) noexcept {
  constexpr int bias = 6176;
  constexpr std::uint64_t high_mask = (1ULL << 49) - 1;
  if (decimal.size() != 16) return std::nullopt;
  auto low = load_le<std::uint64_t>(decimal.data());
  const auto high = load_le<std::uint64_t>(decimal.data() + 8);
  if (((high >> 61) & 3) == 3) return std::nullopt;
  const bool negative = (high >> 63) != 0;
  int exponent = static_cast<int>((high >> 49) & 0x3fff) - bias;
  __extension__ using wide = unsigned __int128;
  auto coefficient = (static_cast<wide>(high & high_mask) << 64) | low;
  constexpr auto e17 = static_cast<wide>(100'000'000'000'000'000ULL);
  if (coefficient >= e17 * e17) return std::nullopt;  // not canonical: 10^34 and more
  if (coefficient == 0) return 0;
  for (; exponent < 0; ++exponent) {
    if (coefficient % 10 != 0) return std::nullopt;
    coefficient /= 10;
  }
  constexpr auto limit = static_cast<wide>(1) << 63;  // magnitude of the smallest int64
  for (; exponent > 0 && coefficient <= limit; --exponent) coefficient *= 10;
  if (coefficient > limit || (coefficient == limit && !negative)) return std::nullopt;
  low = static_cast<std::uint64_t>(coefficient);
  return static_cast<std::int64_t>(negative ? 0 - low : low);
}

bool holds_string(const bson_element& value) noexcept {
  if (value.is(bson_type::string)) return true;
  const auto document = value.document();
  if (!document) return false;
  bson_element field;
  for (bson_cursor cursor(*document); cursor.next(field);) {
    if (holds_string(field)) return true;
  }
  return false;
}

id_class class_of(const bson_element& value) noexcept {
  switch (value.type) {
    case bson_type::string:
      return id_class::string;
    case bson_type::document:
      return id_class::document;
    case bson_type::binary:
      return id_class::binary;
    case bson_type::object_id:
      return id_class::object_id;
    case bson_type::boolean:
      return id_class::boolean;
    case bson_type::date:
      return id_class::date;
    case bson_type::timestamp:
      return id_class::timestamp;
    default:
      return id_class::number;
  }
}

int compare_ids(const bson_element& a, const bson_element& b) noexcept {
  switch (class_of(a)) {
    case id_class::number:
      return compare_numbers(a, b);
    case id_class::string:
      return a.text().value_or("").compare(b.text().value_or(""));
    case id_class::document:
      return compare_documents(a, b);
    case id_class::date:
      return compare(load_le<std::int64_t>(a.value.data()), load_le<std::int64_t>(b.value.data()));
    case id_class::timestamp:
      return compare(load_le<std::uint64_t>(a.value.data()), load_le<std::uint64_t>(b.value.data()));
    case id_class::binary:
      return compare_binaries(a, b);
    case id_class::object_id:
    case id_class::boolean:
      return compare_bytes(a.value, b.value);
  }
  return 0;
}

}  // namespace mongocached::cache
