// What libbson takes for well-formed, for comparison with bson_view. Known differences:
//   - binary subtype 2 holds a second length; libbson refuses one that does not fit. The server does not look at it,
//     nor do we. `holds_old_binary` finds such documents.
//   - code with scope: libbson does not look whether the code ends with NUL. bsonspec wants it and we refuse it;
//     `sub_document` makes up for it.
//   - nesting: libbson's iterators have no limit, bson_view::validate has max_depth.
// UTF-8 is not compared: neither the server nor bson_iter checks it, only bson_validate does when asked to.
#pragma once

#include <bson/bson.h>

#include "protocol/bson_view.hpp"
#include "support/message_builders.hpp"

namespace mongocached::test_support {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::byte_view;
using protocol::load_le;

inline bool holds_old_binary(bson_view view) {
  bson_element element;
  for (bson_cursor cursor(view); cursor.next(element);) {
    if (element.is(bson_type::binary) && element.value[4] == BSON_SUBTYPE_BINARY_DEPRECATED) return true;
    if (const auto inner = element.document(); inner && holds_old_binary(*inner)) return true;
    if (!element.is(bson_type::code_with_scope)) continue;
    const auto code = static_cast<std::size_t>(load_le<std::int32_t>(element.value.data() + 4));
    if (holds_old_binary(must(bson_view::parse(element.value.subspan(8 + code))))) return true;
  }
  return false;
}

inline bool sub_document(const bson_iter_t& iter, bson_t& out) {
  std::uint32_t size = 0;
  const std::uint8_t* data = nullptr;
  switch (bson_iter_type(&iter)) {
    case BSON_TYPE_DOCUMENT:
      bson_iter_document(&iter, &size, &data);
      break;
    case BSON_TYPE_ARRAY:
      bson_iter_array(&iter, &size, &data);
      break;
    case BSON_TYPE_CODEWSCOPE: {
      std::uint32_t length = 0;
      const auto* code = bson_iter_codewscope(&iter, &length, &size, &data);
      if (code[length] != 0) return false;
      break;
    }
    default:
      return false;
  }
  return bson_init_static(&out, data, size);
}

inline bool has_sub_document(const bson_iter_t& iter) {
  const auto type = bson_iter_type(&iter);
  return type == BSON_TYPE_DOCUMENT || type == BSON_TYPE_ARRAY || type == BSON_TYPE_CODEWSCOPE;
}

// The elements of the top level and the frames of the documents in them.
inline bool libbson_accepts_top_level(const bson_t& document) {
  bson_iter_t iter;
  if (!bson_iter_init(&iter, &document)) return false;
  while (bson_iter_next(&iter)) {
    bson_t inner;
    if (has_sub_document(iter) && !sub_document(iter, inner)) return false;
  }
  return iter.err_off == 0;
}

// Every element at every level.
inline bool libbson_accepts(const bson_t& document) {
  bson_iter_t iter;
  if (!bson_iter_init(&iter, &document)) return false;
  while (bson_iter_next(&iter)) {
    if (!has_sub_document(iter)) continue;
    bson_t inner;
    if (!sub_document(iter, inner) || !libbson_accepts(inner)) return false;
  }
  return iter.err_off == 0;
}

inline bool libbson_accepts(byte_view bytes) {
  bson_t document;
  return bson_init_static(&document, bytes.data(), bytes.size()) && libbson_accepts(document);
}

}  // namespace mongocached::test_support
