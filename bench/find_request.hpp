// find_one({_id}) as PyMongo sends it to a mongos, with lsid and $clusterTime: what the micro-benchmarks parse.
#pragma once

#include "protocol/command_view.hpp"

namespace mongocached::bench {

// A whole OP_MSG message for the document of that ObjectId in bench.docs.
[[nodiscard]] protocol::byte_buffer pymongo_find_one(protocol::byte_view object_id);

// What the daemon sees of a request before it decides anything. False if it is refused.
[[nodiscard]] bool view_request(protocol::byte_view message, protocol::command_view& out) noexcept;

}  // namespace mongocached::bench
