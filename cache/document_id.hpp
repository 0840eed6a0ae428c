// `_id` values as MongoDB compares them (wire rule S5): int, long, double and decimal that compare equal are one key,
// also inside embedded documents; field order matters. What we do not model has no key: the read is forwarded, the
// write has unknown keys.
//
// The canonical form of a value is a tag byte and what identifies the value in its class; every form says its own
// length, so that forms which follow one another cannot be confused:
//
//   'i' int64          int32, int64, integral double or decimal      's' uint32 length, text
//   'f' double         one that is not integral                      'b' uint32 length, subtype, bytes
//   'o' { form, name NUL }... 0      embedded document               'x' 12 bytes      ObjectId
//   'B' 0|1   boolean                'd' int64   date                't' uint64        timestamp
#pragma once

#include "cache/key.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

// Appends the canonical form of an `_id` value to `out`. False, with `out` as it was, if its equality is not modelled:
// null, undefined, symbol, code, minKey, maxKey, regex, array, DBPointer, a decimal that is not integral in int64's
// range, an integral double outside it, NaN and infinities, or any of these nested; malformed bytes; documents deeper
// than protocol::max_depth; a field whose name starts with '$' (an operator or a DBRef rather than a value). A double
// that is not integral is modelled: but for itself it equals only the decimal of exactly its value, which is refused
// here, so that a write by that decimal has unknown keys (may_equal_modelled).
[[nodiscard]] bool append_canonical_id(byte_buffer& out, const protocol::bson_element& value);

// Whether an _id without a canonical form may compare equal to one that has one: a decimal to a double, a symbol to a
// string, and documents that hold them. Every other value without one is equal only to others of its own type.
[[nodiscard]] bool may_equal_modelled(const protocol::bson_element& value) noexcept;

// The value of a decimal128 that is an integer in int64's range, in whatever form it is written (5, 5.0, 50E-1); empty
// otherwise.
[[nodiscard]] std::optional<std::int64_t> integral_decimal(byte_view decimal) noexcept;

// Whether a string stands in the value, at any depth: with a collation its equality is not that of its bytes. Only for
// values that append_canonical_id accepts (it bounds their depth).
[[nodiscard]] bool holds_string(const protocol::bson_element& value) noexcept;

// MongoDB's comparison classes (canonical BSON type order), for S4: `$in` is answered from the cache for one class
// only, in _id order. Only values that append_canonical_id accepts are passed in.
enum class id_class : std::uint8_t { number, string, document, binary, object_id, boolean, date, timestamp };
[[nodiscard]] id_class class_of(const protocol::bson_element& value) noexcept;

// BSON comparison of two values of the same class: negative, 0, positive. Document ids compare field by field: class,
// then name, then value. 0 exactly if the canonical forms are equal.
[[nodiscard]] int compare_ids(const protocol::bson_element& a, const protocol::bson_element& b) noexcept;

}  // namespace mongocached::cache
