// Extended JSON to BSON and back, for the side port and for logs. The only file pair that uses libbson.
#pragma once

#include <optional>
#include <string>

#include "protocol/bson_view.hpp"

namespace mongocached::protocol {

// One JSON value (canonical or relaxed Extended JSON v2: 5, "a", {"$oid": "..."}) as the element `_id` of a new
// document. On failure empty, with the reason in `error`.
[[nodiscard]] std::optional<byte_buffer> id_document_from_json(std::string_view json, std::string& error);

// Canonical Extended JSON of a document, cut at `limit` bytes. Never throws on malformed input: it says so in the text.
[[nodiscard]] std::string to_extended_json(bson_view document, std::size_t limit);

}  // namespace mongocached::protocol
