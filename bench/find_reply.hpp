// Replies to `find` as a mongod lays them out: {cursor: {firstBatch, id, ns}, ok, $clusterTime, operationTime}.
#pragma once

#include <string>

#include "protocol/bson_builder.hpp"

namespace mongocached::bench {

// This second, increment 1: the time that a stub's clock starts from.
[[nodiscard]] std::uint64_t first_operation_time();

// $clusterTime (signature of a server without authentication: zero hash, keyId 0) and operationTime.
void append_times(protocol::bson_builder& reply, std::uint64_t operation_time);

// Documents are {_id, category, rating, title, plot}; `plot` fills them up so that the reply to a look-up by _id has
// `reply_size` bytes in all (or is as small as it can be). Documents of lists have the same size. Keeps no state
// between calls.
class find_reply_writer {
 public:
  explicit find_reply_writer(std::size_t reply_size);

  // Appends a whole OP_MSG message with one document of that _id.
  void append_one(protocol::byte_buffer& out, std::int32_t response_to, const protocol::bson_element& id,
                  std::string_view ns, std::uint64_t operation_time) const;
  // The same with `count` documents, whose _ids are ObjectIds 0, 1, ...
  void append_list(protocol::byte_buffer& out, std::int32_t response_to, std::size_t count, std::string_view ns,
                   std::uint64_t operation_time) const;

 private:
  // `size_of_names`: bytes of _id's value and of the namespace, the two parts that a request chooses.
  [[nodiscard]] std::string_view plot(std::size_t size_of_names) const noexcept;
  void append_document(protocol::bson_builder& batch, std::string_view index, const protocol::bson_element& id,
                       std::string_view plot) const;

  std::string text_;  // what plots are cut from
  std::size_t size_without_names_ = 0;
};

// The element of that name in `document` as {_id: ...} would hold it; an ObjectId of zeros if absent.
[[nodiscard]] protocol::bson_element id_of(protocol::bson_view document) noexcept;

}  // namespace mongocached::bench
