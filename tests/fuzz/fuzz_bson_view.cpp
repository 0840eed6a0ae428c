// bson_view on any bytes: it stays within them, agrees with libbson, and what it accepts can be rebuilt from its
// elements.
#include <exception>

#include "../protocol/libbson_reference.hpp"
#include "protocol/bson_builder.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::protocol;
using mongocached::fuzz::require;
using namespace mongocached::test_support;

constexpr int no_depth_limit = 1 << 20;  // libbson has none

void check_element(const bson_element& element, byte_view within) {
  const auto* begin = within.data();
  const auto* end = begin + within.size();
  require(element.raw.data() >= begin && element.raw.data() + element.raw.size() <= end,
          "element lies within its document");
  require(element.raw.size() == 1 + element.name.size() + 1 + element.value.size(),
          "element is type, name, NUL, value");
  (void)element.text();
  (void)element.integer();
  (void)element.number();
  (void)element.truthy();
  (void)element.timestamp();
}

// Rebuilds the document, nested ones from their own elements. Depth is bounded by validate having passed.
void rebuild(bson_view from, bson_builder& to) {
  bson_element element;
  for (bson_cursor cursor(from); cursor.next(element);) {
    check_element(element, from.bytes());
    const auto inner = element.document();
    if (!inner) {
      to.append(element);
      continue;
    }
    auto nested = element.is(bson_type::array) ? to.open_array(element.name) : to.open_document(element.name);
    rebuild(*inner, nested);
  }
}

void check(bson_view view) {
  const bool unlimited = view.validate(no_depth_limit);
  const bool valid = view.validate();
  require(unlimited || !valid, "a document within the depth limit is valid without it");
  bson_t theirs;
  const bool they_accept = bson_init_static(&theirs, view.bytes().data(), view.size()) && libbson_accepts(theirs);
  if (!(unlimited && holds_old_binary(view))) require(unlimited == they_accept, "libbson agrees");
  if (!valid) return;
  byte_buffer copy;
  {
    bson_builder builder(copy);
    rebuild(view, builder);
  }
  require(equal(copy, view.bytes()), "a valid document is its elements");
  require(must(bson_view::parse(copy)).validate(), "a document does not depend on where it lies");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input(data, size);
  if (const auto view = bson_view::parse_front(input)) check(*view);
  if (size < 5) return 0;
  // The length field and the terminator put right, so that mutations reach the elements.
  byte_buffer bytes(input.begin(), input.end());
  store_le(bytes.data(), static_cast<std::int32_t>(size));
  bytes.back() = 0;
  const exact_copy copy(bytes);
  const auto view = bson_view::parse(copy.view());
  require(view.has_value(), "a right frame is accepted");
  check(must(view));
  return 0;
}
