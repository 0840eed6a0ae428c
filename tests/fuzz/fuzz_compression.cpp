// OP_COMPRESSED on any bytes: what is accepted has the size it announced, and survives being compressed again.
#include "protocol/compression.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::protocol;
using mongocached::fuzz::require;
using mongocached::test_support::exact_copy;

void check(byte_view message) {
  byte_buffer inside;
  compressor with{};
  if (decompress(message, inside, with) != compression_error::none) return;
  message_header header;
  require(read_header(inside, header) == frame_error::none, "what is inside is a message");
  require(static_cast<std::size_t>(header.length) == inside.size(), "of the length it says");
  byte_buffer again;
  append_compressed(again, inside, with);
  byte_buffer back;
  require(decompress(again, back, with) == compression_error::none, "what was accepted is accepted again");
  require(equal(inside, back), "same message");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < header_size) return 0;
  check(exact_copy(byte_view(data, size)).view());
  // A size that fits the bytes, so that mutations reach the decompressors.
  byte_buffer bytes(data, data + size);
  if (bytes.size() > header_size + 8) {
    store_le(bytes.data() + header_size + 4, load_le<std::int32_t>(bytes.data() + header_size + 4) & 0xffff);
    check(exact_copy(bytes).view());
  }
  return 0;
}
