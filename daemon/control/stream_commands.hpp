// What is said to the cluster about its change stream and its time, and what the answers mean (coherence C1, G1). Pure;
// nothing in an answer is trusted: a reply that is not what it should be reads as none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/change_event.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {

// How much the stream is asked for. A server that does not understand a question is asked the next one; what is left
// out makes events say less, never get lost.
enum class stream_request : std::uint8_t {
  expanded,                    // with DDL events (showExpandedEvents) and documents up to a size
  expanded_without_documents,  // for want of $bsonSize or $cond
  plain,                       // without showExpandedEvents
  plain_without_documents,
  bare,  // no projection at all
};
inline constexpr std::int32_t first_wire_version_expanded = 17;  // MongoDB 6.0
[[nodiscard]] const char* name_of(stream_request request) noexcept;
[[nodiscard]] stream_request fullest_request(std::int32_t max_wire_version) noexcept;
[[nodiscard]] std::optional<stream_request> next_request(stream_request request) noexcept;

// Where the stream goes on: behind a token, else at a time, else at whatever is now for the server.
struct stream_start {
  protocol::byte_buffer token;
  cache::cluster_time time = 0;
};

inline constexpr std::int32_t stream_batch_size = 1000;
[[nodiscard]] protocol::byte_buffer open_command(stream_request request, const stream_start& start,
                                                 std::uint64_t max_document);
[[nodiscard]] protocol::byte_buffer get_more_command(std::int64_t cursor, std::int64_t await_ms);
[[nodiscard]] protocol::byte_buffer kill_command(std::int64_t cursor);
[[nodiscard]] protocol::byte_buffer hello_command(bool legacy);
[[nodiscard]] protocol::byte_buffer list_databases_command();  // behind mongos: reaches every shard

// One batch; views into the reply.
struct cursor_batch {
  std::int64_t cursor = 0;  // 0: the server has closed it
  std::vector<protocol::bson_view> events;
  protocol::byte_view token;  // postBatchResumeToken, else the last event's _id; empty: neither
  cache::cluster_time operation_time = 0;
  cache::cluster_time last_event = 0;  // the newest clusterTime of its events
  bool tokens_agree = true;            // each event's own token gives its clusterTime
  bool invalidated = false;            // one of them says that the stream ends here
};
// Whether the reply of an aggregate or getMore holds a well-formed batch.
[[nodiscard]] bool read_batch(protocol::byte_view reply, cursor_batch& out);

struct hello_reply {
  bool writable = false;  // primary, mongos, standalone
  bool mongos = false;
  bool replica_set = false;
  std::int32_t max_wire_version = 0;
  cache::cluster_time operation_time = 0;
  cache::cluster_time majority = 0;
  std::string election;  // electionId and setVersion; empty: none
};
[[nodiscard]] std::optional<hello_reply> read_hello(protocol::byte_view reply);
// lastWrite.majorityOpTime of a hello reply; 0: none.
[[nodiscard]] cache::cluster_time majority_of(protocol::bson_view hello);
[[nodiscard]] cache::cluster_time read_operation_time(protocol::byte_view reply);

// What a server's error means for the stream.
enum class stream_trouble : std::uint8_t {
  lost,            // goes on after a while where it was
  history_lost,    // what would come next is gone
  refused,         // no change streams here
  denied,          // a fault of the settings: the user in upstream.uri is none, or may not
  not_understood,  // the question is too much for this server
};
[[nodiscard]] stream_trouble classify(std::int32_t code) noexcept;

}  // namespace mongocached::daemon
