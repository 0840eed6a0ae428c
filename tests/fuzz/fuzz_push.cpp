// decode_push on any bytes: nothing of one's own is heard, what is told lies in the message, and encode_push says the
// same again.
#include "cache/key.hpp"
#include "cache/store/push_message.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::cache;
using mongocached::fuzz::require;
using mongocached::protocol::equal;

constexpr std::size_t flags_at = 32;

invalidation as_invalidation(const push_message& message) {
  invalidation out;
  out.ns = message.ns;
  out.documents = message.documents;
  out.lists = message.lists;
  out.fence = message.fence;
  for (const auto key : message.keys) {
    const auto begin = out.key_bytes.size();
    out.key_bytes.insert(out.key_bytes.end(), key.begin(), key.end());
    out.keys.emplace_back(begin, out.key_bytes.size());
  }
  return out;
}

void require_keys(const push_message& message, byte_view bytes) {
  for (const auto key : message.keys) {
    require(key.data() > bytes.data() && key.data() + key.size() <= bytes.data() + bytes.size(),
            "a key lies in the message");
    require(!key.empty() && key[0] == static_cast<std::uint8_t>(key_kind::document), "a document's key");
    require(namespace_of(key) == message.ns, "a key of the message's namespace");
  }
}

// The fence may have come in capitals.
void require_same(const push_message& message, const push_message& again, byte_view bytes, byte_view written) {
  require(message.documents == again.documents && message.keys.size() == again.keys.size(), "the same documents");
  require(equal(written.first(std::tuple_size_v<sender_id>), bytes.first(std::tuple_size_v<sender_id>)), "the sender");
  require(equal(written.subspan(flags_at), bytes.subspan(flags_at)), "the same bytes again");
}

void check(const sender_id& sender, const sender_id& hearer, byte_view bytes) {
  const auto message = decode_push(hearer, bytes);
  if (!message) return;
  require(bytes.size() <= push_message_ceiling, "no longer than any of ours");
  require(!message->ns.empty() && message->ns.find('\0') == std::string_view::npos, "a namespace");
  require_keys(*message, bytes);
  const auto what = as_invalidation(*message);
  const auto written = encode_push(sender, what);
  const auto again = decode_push(hearer, written);
  require(again.has_value(), "what was heard can be told");
  require(again->ns == message->ns && again->fence == message->fence && again->lists == message->lists,
          "the same namespace, fence and lists");
  if (what.key_bytes.size() + 4 * what.keys.size() <= push_keys_ceiling) {
    require_same(*message, *again, bytes, written);
  } else {
    require(again->documents && again->keys.empty(), "too many keys are all documents");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const mongocached::test_support::exact_copy copy({data, size});
  sender_id sender{};
  std::copy_n(data, std::min(size, sender.size()), sender.begin());
  require(!decode_push(sender, copy.view()), "one's own is not heard");
  auto hearer = sender;
  hearer[0] ^= 1;
  check(sender, hearer, copy.view());
  return 0;
}
