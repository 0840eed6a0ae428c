// Extended JSON: whatever the text, the answer is one document with one _id or a reason; whatever the bytes, the text
// keeps its limit.
#include "protocol/extended_json.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::protocol;
using mongocached::fuzz::require;
using mongocached::test_support::must;

void check_id(std::string_view json) {
  std::string error;
  const auto bytes = id_document_from_json(json, error);
  if (!bytes) {
    require(!error.empty(), "a refusal has its reason");
    return;
  }
  const auto view = must(bson_view::parse(*bytes));
  require(view.validate(), "what was read is valid");
  bson_element element;
  bson_cursor cursor(view);
  require(cursor.next(element) && element.name == "_id", "the field is _id");
  require(!cursor.next(element) && !cursor.failed(), "it is the only one");
}

void check_text(bson_view view) {
  for (const std::size_t limit : {0, 1, 17, 100000}) {
    require(to_extended_json(view, limit).size() <= limit, "text keeps its limit");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input(data, size);
  check_id(as_text(input));
  if (size < 5) return 0;
  byte_buffer bytes(input.begin(), input.end());
  store_le(bytes.data(), static_cast<std::int32_t>(size));
  bytes.back() = 0;
  const mongocached::test_support::exact_copy copy(bytes);
  check_text(must(bson_view::parse(copy.view())));
  return 0;
}
