// The command that a fill sends upstream: the client's own, with as little changed as the fill needs (coherence R4).
// Pure.
#pragma once

#include <span>

#include "cache/read_plan.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::daemon {

struct fill_changes {
  cache::cluster_time lower = 0;                // L: readConcern.afterClusterTime, 0: none
  std::optional<protocol::read_level> level{};  // readConcern.level where the client's own is not explicit enough
  bool whole_document = false;                  // leave the projection out
  const std::vector<const protocol::bson_element*>* ids = nullptr;  // narrow {_id: {$in: ...}} to these; limits go too
};

[[nodiscard]] bool changes_anything(const protocol::command_view& command, const fill_changes& changes) noexcept;

// Appends a whole OP_MSG message with the client's request id.
void append_fill_command(protocol::byte_buffer& out, const protocol::command_view& command,
                         const fill_changes& changes);

}  // namespace mongocached::daemon
