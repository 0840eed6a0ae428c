// What a statement does to the documents that it reaches, as far as the command tells (coherence W3). Private to
// write_plan. What is handed in is a client's; anything not understood is `unknown`, and then the change stream tells.
#pragma once

#include "cache/write_plan.hpp"

namespace mongocached::cache {

struct write_effect {
  list_write::kind what = list_write::kind::unknown;
  protocol::bson_view document;         // inserted; replaced: as sent, perhaps without _id
  std::vector<std::string_view> paths;  // updated: every path that the operators name
};

[[nodiscard]] write_effect effect_of_insert(protocol::bson_view document) noexcept;
// `modification` is the update document of update, findAndModify or bulkWrite. An upsert, and an update by a pipeline,
// are unknown.
[[nodiscard]] write_effect effect_of_update(const protocol::bson_element& modification, bool upsert);
[[nodiscard]] inline write_effect effect_of_delete() noexcept {
  return {list_write::kind::deleted, {}, {}};
}

// The effect on the document of this _id; what is unknown gives an unknown change.
[[nodiscard]] planned_change change_of(const write_effect& effect, const protocol::bson_element& id);

}  // namespace mongocached::cache
