// decode_stored on any bytes: what it accepts is what encode_stored writes, byte for byte.
#include "cache/stored_form.hpp"
#include "protocol/op_msg.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::cache;
using mongocached::fuzz::require;

void check(byte_view bytes) {
  const auto entry = decode_stored(bytes);
  if (!entry) return;
  byte_buffer again;
  encode_stored(again, *entry);
  require(mongocached::protocol::equal(again, bytes), "the same bytes again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check({data, size});
  if (size < 8) return 0;
  // The checksum put right, so that mutations reach what lies behind it.
  byte_buffer bytes(data, data + size);
  mongocached::protocol::store_le(bytes.data() + 4, mongocached::protocol::crc32c(byte_view(bytes).subspan(8)));
  const mongocached::test_support::exact_copy copy(bytes);
  check(copy.view());
  return 0;
}
