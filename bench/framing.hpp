// Messages out of a stream of bytes, by the length in their first four bytes.
#pragma once

#include "protocol/message.hpp"

namespace mongocached::bench {

struct taken {
  bool good = true;      // false: a length that no message can have
  std::size_t used = 0;  // bytes of whole messages
  std::size_t next = 0;  // length of the message that is not whole yet; 0: its header is not there either
};

// Calls on_message(byte_view) for each whole message in `bytes`.
template <class F>
[[nodiscard]] taken take_messages(protocol::byte_view bytes, F&& on_message) {
  taken t;
  while (bytes.size() - t.used >= protocol::header_size) {
    const auto length = protocol::load_le<std::uint32_t>(bytes.data() + t.used);
    if (length < protocol::header_size || length > protocol::max_message_size) {
      t.good = false;
      return t;
    }
    if (bytes.size() - t.used < length) {
      t.next = length;
      return t;
    }
    on_message(bytes.subspan(t.used, length));
    t.used += length;
  }
  return t;
}

}  // namespace mongocached::bench
