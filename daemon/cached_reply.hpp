// Builds the reply to a find from cached entries, so that it cannot be told from the upstream's own (wire rule S8):
// same fields, same order, `operationTime` the entry's U, `$clusterTime` the newest one that may be shown.
#pragma once

#include "cache/entry.hpp"
#include "daemon/cluster_clock.hpp"

namespace mongocached::daemon {

// The parts of a reply that are not documents.
struct reply_frame {
  std::int32_t request_id = 0;
  std::int32_t response_to = 0;
  std::string_view db;
  std::string_view collection;
  const char* tail = "";  // order of the trailing fields, as protocol::reply_view::tail
  cache::cluster_time operation_time = 0;
  const signed_time* cluster_time = nullptr;  // needed where `tail` has a 'c'
};

// A reply of one find in the making; append documents or one whole array between the constructor and finish(). Appends
// a whole message to `out`, which must not be touched meanwhile.
class cached_reply {
 public:
  cached_reply(protocol::byte_buffer& out, const reply_frame& frame) noexcept;

  // Documents one by one ...
  void append_document(protocol::byte_view document);
  // ... which may also be written straight into the buffer between these two.
  void begin_document();
  void end_document() { ++count_; }
  // ... or the whole batch, as a BSON array.
  void append_batch(protocol::byte_view array);
  void finish();

 private:
  void write_front(std::uint8_t* at) const noexcept;

  protocol::byte_buffer& out_;
  const reply_frame& frame_;
  const std::size_t message_;  // where it begins in the buffer
  bool own_batch_ = true;      // written here, document by document
  std::size_t count_ = 0;
};

// Whether the clock's newest time may go into a reply with this entry: present if the tail needs one, and not older
// than U.
[[nodiscard]] bool can_show(const cache::entry_meta& meta, const signed_time& newest) noexcept;

}  // namespace mongocached::daemon
