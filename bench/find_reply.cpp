#include "bench/find_reply.hpp"

#include <array>
#include <charconv>
#include <chrono>

#include "protocol/reply.hpp"

namespace mongocached::bench {
namespace {

using protocol::bson_builder;
using protocol::bson_element;
using protocol::bson_type;
using protocol::byte_buffer;

constexpr std::array<std::uint8_t, 20> no_hash{};
constexpr std::array<std::uint8_t, 12> zero_id{};

// What stands before and behind the documents of the batch.
template <class AppendDocuments>
void append_reply(byte_buffer& out, std::int32_t response_to, std::string_view ns, std::uint64_t operation_time,
                  AppendDocuments append_documents) {
  const std::size_t start = protocol::begin_op_msg(out, 0, response_to);
  bson_builder reply(out);
  {
    auto cursor = reply.open_document("cursor");
    {
      auto batch = cursor.open_array("firstBatch");
      append_documents(batch);
    }
    cursor.append_int64("id", 0);
    cursor.append_string("ns", ns);
  }
  reply.append_double("ok", 1.0);
  append_times(reply, operation_time);
  reply.finish();
  protocol::end_op_msg(out, start);
}

}  // namespace

std::uint64_t first_operation_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count()) << 32 | 1;
}

void append_times(bson_builder& reply, std::uint64_t operation_time) {
  {
    auto cluster_time = reply.open_document("$clusterTime");
    cluster_time.append_timestamp("clusterTime", operation_time);
    auto signature = cluster_time.open_document("signature");
    signature.append_binary("hash", 0, no_hash);
    signature.append_int64("keyId", 0);
  }
  reply.append_timestamp("operationTime", operation_time);
}

find_reply_writer::find_reply_writer(std::size_t reply_size) {
  byte_buffer smallest;
  append_one(smallest, 0, {bson_type::null, "_id", {}, {}}, "", 0);
  size_without_names_ = smallest.size();
  if (reply_size > size_without_names_) text_.assign(reply_size - size_without_names_, 'x');
}

std::string_view find_reply_writer::plot(std::size_t size_of_names) const noexcept {
  const std::size_t size = text_.size() > size_of_names ? text_.size() - size_of_names : 0;
  return {text_.data(), size};
}

void find_reply_writer::append_document(bson_builder& batch, std::string_view index, const bson_element& id,
                                        std::string_view plot) const {
  auto document = batch.open_document(index);
  document.append_as("_id", id);
  document.append_int32("category", 7);
  document.append_double("rating", 8.1);
  document.append_string("title", "A document of the benchmark");
  document.append_string("plot", plot);
}

void find_reply_writer::append_one(byte_buffer& out, std::int32_t response_to, const bson_element& id,
                                   std::string_view ns, std::uint64_t operation_time) const {
  append_reply(out, response_to, ns, operation_time,
               [&](bson_builder& batch) { append_document(batch, "0", id, plot(id.value.size() + ns.size())); });
}

void find_reply_writer::append_list(byte_buffer& out, std::int32_t response_to, std::size_t count, std::string_view ns,
                                    std::uint64_t operation_time) const {
  append_reply(out, response_to, ns, operation_time, [&](bson_builder& batch) {
    for (std::size_t i = 0; i < count; ++i) {
      std::array<char, 20> index{};
      const auto end = std::to_chars(index.data(), index.data() + index.size(), i).ptr;
      auto id = zero_id;
      for (std::size_t shift = 0; shift < 4; ++shift) id[11 - shift] = static_cast<std::uint8_t>(i >> (8 * shift));
      append_document(batch, {index.data(), static_cast<std::size_t>(end - index.data())},
                      {bson_type::object_id, "_id", id, {}}, plot(id.size() + ns.size()));
    }
  });
}

bson_element id_of(protocol::bson_view document) noexcept {
  return document.find("_id").value_or(bson_element{bson_type::object_id, "_id", zero_id, {}});
}

}  // namespace mongocached::bench
