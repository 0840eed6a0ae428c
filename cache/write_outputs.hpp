// Where aggregate and mapReduce write to, if they write (coherence W4). Private to write_plan.
#pragma once

#include "cache/write_targets.hpp"

namespace mongocached::cache {

// Make `out` a read where there is no $out, $merge or output collection.
void plan_aggregate(const protocol::command_view& command, write_targets& to, write_plan& out);
void plan_map_reduce(const protocol::command_view& command, write_targets& to, write_plan& out);

}  // namespace mongocached::cache
