#include "protocol/bson_view.hpp"

#include <array>
#include <cmath>

namespace mongocached::protocol {
namespace {

constexpr std::uint8_t empty_document[5] = {5, 0, 0, 0, 0};
constexpr std::int32_t smallest_document = 5;

// Size of a length-prefixed value whose int32 counts `counted_extra` bytes fewer than the value occupies, or 0.
std::size_t prefixed_size(const std::uint8_t* at, std::size_t left, std::int32_t least, std::size_t extra) noexcept {
  if (left < 4) return 0;
  const auto length = load_le<std::int32_t>(at);
  if (length < least) return 0;
  const auto size = static_cast<std::size_t>(length) + extra;
  return size <= left ? size : 0;
}

std::size_t string_size(const std::uint8_t* at, std::size_t left) noexcept {
  const auto size = prefixed_size(at, left, 1, 4);
  return size != 0 && at[size - 1] == 0 ? size : 0;
}

std::size_t document_size(const std::uint8_t* at, std::size_t left) noexcept {
  const auto size = prefixed_size(at, left, smallest_document, 0);
  return size != 0 && at[size - 1] == 0 ? size : 0;
}

// The top bit of each byte that is zero, the lowest such byte being exact: a byte is zero where subtracting one borrows
// from its top bit.
std::uint64_t zero_bytes(std::uint64_t word) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  return (word - ones) & ~word & (ones << 7U);
}

std::size_t first_zero_byte(std::uint64_t zeros) noexcept {
  return static_cast<std::size_t>(std::countr_zero(zeros)) / 8;
}

// Names are short: eight bytes at a time, without a call.
std::size_t cstring_size(const std::uint8_t* at, std::size_t left) noexcept {
  std::size_t i = 0;
  for (; left - i >= sizeof(std::uint64_t); i += sizeof(std::uint64_t)) {
    const auto zeros = zero_bytes(load_le<std::uint64_t>(at + i));
    if (zeros != 0) return i + first_zero_byte(zeros) + 1;
  }
  for (; i < left; ++i) {
    if (at[i] == 0) return i + 1;
  }
  return 0;
}

std::size_t regex_size(const std::uint8_t* at, std::size_t left) noexcept {
  const auto pattern = cstring_size(at, left);
  if (pattern == 0 || pattern == left) return 0;
  const auto options = cstring_size(at + pattern, left - pattern);
  return options == 0 ? 0 : pattern + options;
}

std::size_t code_with_scope_size(const std::uint8_t* at, std::size_t left) noexcept {
  const auto size = prefixed_size(at, left, 14, 0);
  if (size == 0) return 0;
  const auto code = string_size(at + 4, size - 4);
  if (code == 0) return 0;
  return document_size(at + 4 + code, size - 4 - code) == size - 4 - code ? size : 0;
}

struct sized {
  std::size_t size;
  bool valid;
};

// Of types whose values are all of one size, that size plus one; 0 for the others.
constexpr auto fixed_sizes = [] {
  std::array<std::uint8_t, 256> out{};
  const auto set = [&](bson_type type, std::uint8_t size) { out[static_cast<std::uint8_t>(type)] = size + 1; };
  for (const auto type : {bson_type::undefined, bson_type::null, bson_type::min_key, bson_type::max_key}) set(type, 0);
  for (const auto type : {bson_type::float64, bson_type::date, bson_type::timestamp, bson_type::int64}) set(type, 8);
  set(bson_type::int32, 4);
  set(bson_type::object_id, 12);
  set(bson_type::decimal128, 16);
  return out;
}();

sized value_size(bson_type type, const std::uint8_t* at, std::size_t left) noexcept {
  if (const std::size_t fixed = fixed_sizes[static_cast<std::uint8_t>(type)]; fixed != 0) {
    return {fixed - 1, fixed - 1 <= left};
  }
  const auto variable = [](std::size_t size) { return sized{size, size != 0}; };
  switch (type) {
    case bson_type::boolean:
      return {1, left >= 1 && *at <= 1};
    case bson_type::string:
    case bson_type::code:
    case bson_type::symbol:
      return variable(string_size(at, left));
    case bson_type::document:
    case bson_type::array:
      return variable(document_size(at, left));
    case bson_type::binary:
      return variable(prefixed_size(at, left, 0, 5));
    case bson_type::regex:
      return variable(regex_size(at, left));
    case bson_type::db_pointer: {
      const auto name = string_size(at, left);
      return {name + 12, name != 0 && name + 12 <= left};
    }
    case bson_type::code_with_scope:
      return variable(code_with_scope_size(at, left));
    default:
      return {0, false};
  }
}

}  // namespace

bson_view::bson_view() noexcept : bytes_(empty_document) {}

std::optional<bson_view> bson_view::parse(byte_view bytes) noexcept {
  if (document_size(bytes.data(), bytes.size()) != bytes.size() || bytes.empty()) return std::nullopt;
  return bson_view(bytes);
}

std::optional<bson_view> bson_view::parse_front(byte_view bytes) noexcept {
  const auto size = document_size(bytes.data(), bytes.size());
  if (size == 0) return std::nullopt;
  return bson_view(bytes.first(size));
}

std::optional<bson_element> bson_view::find(std::string_view name) const noexcept {
  bson_element element;
  for (bson_cursor cursor(*this); cursor.next(element);) {
    if (element.name == name) return element;
  }
  return std::nullopt;
}

std::string_view bson_view::text_of(std::string_view name) const noexcept {
  const auto element = find(name);
  return element ? element->text().value_or(std::string_view{}) : std::string_view{};
}

bool bson_view::validate(int depth) const noexcept {
  if (depth <= 0) return false;
  bson_element element;
  bson_cursor cursor(*this);
  while (cursor.next(element)) {
    if (const auto inner = element.document(); inner && !inner->validate(depth - 1)) return false;
    if (element.is(bson_type::code_with_scope)) {
      const auto code = static_cast<std::size_t>(load_le<std::int32_t>(element.value.data() + 4));
      const auto scope = parse(element.value.subspan(8 + code));
      if (!scope || !scope->validate(depth - 1)) return false;
    }
  }
  return !cursor.failed();
}

// The common types, away from the document's end: without a call, which would save and restore half a dozen registers.
bool bson_cursor::next(bson_element& out) noexcept {
  const auto* const start = at_;
  if (start == end_ || failed_) return false;
  const auto* name_end = start + 1;
  std::uint64_t zeros = 0;
  for (; zeros == 0; name_end += sizeof zeros) {
    if (end_ - name_end < std::ptrdiff_t{sizeof zeros}) return next_of_any_kind(out);
    zeros = zero_bytes(load_le<std::uint64_t>(name_end));
  }
  name_end -= sizeof zeros - first_zero_byte(zeros);
  const auto* const value = name_end + 1;
  const auto left = static_cast<std::size_t>(end_ - value);
  const auto type = static_cast<bson_type>(*start);
  std::size_t size = fixed_sizes[*start];
  if (size != 0) {
    if (--size > left) return next_of_any_kind(out);
  } else {
    if (type == bson_type::string) {
      size = string_size(value, left);
    } else if (type == bson_type::document || type == bson_type::array) {
      size = document_size(value, left);
    }
    if (size == 0) return next_of_any_kind(out);
  }
  out.type = type;
  out.name = {reinterpret_cast<const char*>(start + 1), static_cast<std::size_t>(name_end - start - 1)};
  out.value = {value, size};
  at_ = value + size;
  out.raw = {start, at_};
  return true;
}

bool bson_cursor::next_of_any_kind(bson_element& out) noexcept {
  const auto* start = at_;
  const auto type = static_cast<bson_type>(*at_++);
  const auto name = cstring_size(at_, static_cast<std::size_t>(end_ - at_));
  if (name == 0) {
    failed_ = true;
    return false;
  }
  const auto* value = at_ + name;
  const auto [size, valid] = value_size(type, value, static_cast<std::size_t>(end_ - value));
  if (!valid) {
    failed_ = true;
    return false;
  }
  out.type = type;
  out.name = {reinterpret_cast<const char*>(at_), name - 1};
  out.value = {value, size};
  at_ = value + size;
  out.raw = {start, at_};
  return true;
}

std::optional<std::string_view> bson_element::text() const noexcept {
  if (type != bson_type::string && type != bson_type::symbol && type != bson_type::code) return std::nullopt;
  return as_text(value.subspan(4, value.size() - 5));
}

std::optional<bson_view> bson_element::document() const noexcept {
  if (type != bson_type::document && type != bson_type::array) return std::nullopt;
  return bson_view::parse(value);
}

std::optional<bson_view> bson_element::object() const noexcept {
  return is(bson_type::document) ? document() : std::nullopt;
}

std::optional<bson_view> bson_element::array() const noexcept {
  return is(bson_type::array) ? document() : std::nullopt;
}

std::optional<std::int64_t> bson_element::integer() const noexcept {
  switch (type) {
    case bson_type::int32:
      return load_le<std::int32_t>(value.data());
    case bson_type::int64:
      return load_le<std::int64_t>(value.data());
    case bson_type::float64: {
      const auto number = load_le<double>(value.data());
      // 2^63 is the first double beyond int64; NaN fails every comparison.
      if (!(number >= -0x1p63 && number < 0x1p63) || number != std::trunc(number)) return std::nullopt;
      return static_cast<std::int64_t>(number);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> bson_element::number() const noexcept {
  switch (type) {
    case bson_type::int32:
      return load_le<std::int32_t>(value.data());
    case bson_type::int64:
      return static_cast<double>(load_le<std::int64_t>(value.data()));
    case bson_type::float64:
      return load_le<double>(value.data());
    default:
      return std::nullopt;
  }
}

std::optional<bool> bson_element::truthy() const noexcept {
  if (type == bson_type::boolean) return value[0] != 0;
  if (const auto n = number()) return *n != 0;
  return std::nullopt;
}

std::optional<std::uint64_t> bson_element::timestamp() const noexcept {
  if (type != bson_type::timestamp) return std::nullopt;
  return load_le<std::uint64_t>(value.data());
}

}  // namespace mongocached::protocol
