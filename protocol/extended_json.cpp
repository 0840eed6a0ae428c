#include "protocol/extended_json.hpp"

#include <bson/bson.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace mongocached::protocol {
namespace {

struct bson_deleter {
  void operator()(bson_json_reader_t* reader) const noexcept { bson_json_reader_destroy(reader); }
  void operator()(bson_json_opts_t* options) const noexcept { bson_json_opts_destroy(options); }
  void operator()(char* text) const noexcept { bson_free(text); }
};
template <class T>
using owned = std::unique_ptr<T, bson_deleter>;

struct scratch_document {
  bson_t bson = BSON_INITIALIZER;
  scratch_document() = default;
  scratch_document(const scratch_document&) = delete;
  scratch_document& operator=(const scratch_document&) = delete;
  ~scratch_document() { bson_destroy(&bson); }
};

// A cut may fall inside a character; half a character would make a log line or an HTTP answer invalid.
void cut(std::string& text, std::size_t limit) {
  if (text.size() <= limit) return;
  const auto is_continuation = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  while (limit > 0 && is_continuation(limit)) --limit;
  text.resize(limit);
}

}  // namespace

std::optional<byte_buffer> id_document_from_json(std::string_view json, std::string& error) {
  std::string text = R"({"_id": )";
  text.append(json).append("}");
  const owned<bson_json_reader_t> reader(bson_json_data_reader_new(true, text.size() + 1));
  bson_json_data_reader_ingest(reader.get(), as_bytes(text).data(), text.size());
  scratch_document parsed;
  bson_error_t reason{};
  if (bson_json_reader_read(reader.get(), &parsed.bson, &reason) != 1) {
    error = reason.message[0] != '\0' ? reason.message : "no JSON value";
    return std::nullopt;
  }
  // The text stands inside braces of ours: it may not close them or bring further fields ("1}" or "1, \"a\": 2").
  scratch_document second;
  const bool more = bson_json_reader_read(reader.get(), &second.bson, &reason) != 0;
  const auto view = bson_view::parse({bson_get_data(&parsed.bson), parsed.bson.len});
  if (more || !view || bson_count_keys(&parsed.bson) != 1 || !view->find("_id")) {
    error = "expected exactly one JSON value";
    return std::nullopt;
  }
  return byte_buffer(view->bytes().begin(), view->bytes().end());
}

std::string to_extended_json(bson_view document, std::size_t limit) {
  bson_t bson;
  const auto malformed = [&] {
    std::string text = "<malformed BSON, " + std::to_string(document.size()) + " bytes>";
    cut(text, limit);
    return text;
  };
  if (!bson_init_static(&bson, document.bytes().data(), document.size())) return malformed();
  // A little more than the limit, so that the cut is ours and falls between characters.
  constexpr auto largest = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  const auto ceiling = static_cast<std::int32_t>(std::min(limit, largest - 8) + 8);
  const owned<bson_json_opts_t> options(bson_json_opts_new(BSON_JSON_MODE_CANONICAL, ceiling));
  std::size_t length = 0;
  const owned<char> json(bson_as_json_with_opts(&bson, &length, options.get()));
  if (!json) return malformed();
  std::string text(json.get(), length);
  cut(text, limit);
  return text;
}

}  // namespace mongocached::protocol
