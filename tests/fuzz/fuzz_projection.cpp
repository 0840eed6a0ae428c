// A projection of any document by any specification, one behind the other in the input: the result is well-formed where
// the document is, no longer than it, and projecting it once more changes nothing.
#include "cache/projection.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::cache;
using namespace mongocached::protocol;
using mongocached::fuzz::require;

void check(bson_view spec, bson_view document) {
  projection p;
  const auto verdict = p.compile(spec);
  if (verdict == projection::verdict::unmodelled) return;
  byte_buffer out{42};
  const bool done = p.apply(document, out);
  require(out[0] == 42, "what was in the buffer stays");
  require(done || out.size() == 1, "nothing is left behind");
  if (!done) return;
  const auto parsed = bson_view::parse(byte_view(out).subspan(1));
  require(parsed.has_value(), "a document");
  const auto result = parsed.value_or(bson_view());
  require(result.size() <= document.size(), "no longer than it was");
  require(verdict != projection::verdict::whole || equal(result.bytes(), document.bytes()), "whole is whole");
  require(!document.validate() || result.validate(), "well-formed stays well-formed");
  byte_buffer again;
  require(p.apply(result, again) && equal(again, result.bytes()), "projected once is projected");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mongocached::test_support::exact_copy copy({data, size});
  const auto spec = bson_view::parse_front(copy.view());
  if (!spec) return 0;
  const auto document = bson_view::parse(copy.view().subspan(spec->size()));
  if (document) check(*spec, *document);
  return 0;
}
