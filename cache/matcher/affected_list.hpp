// May a write change a list, that is a stored query result? (coherence M, W3)
//
// Yes unless all of this is known: the query is modelled and has no skip, the result is complete and has plain _ids,
// the written document is not in it, and the write cannot bring one in. A document that is inserted or put in another's
// place is run through the filter; it cannot enter a full window if it sorts behind the last document there. An update
// of a document that is not in the result brings it in only through a path of the filter or sort; where it is not known
// which document was updated, the projection counts too.
//
// Not the caller's to assume: that updates were seen whole. A $rename changes both names; an upsert, an update by
// pipeline, a multi-document write whose extent is not known: list_write::kind::unknown. Pure, any thread; no view is
// kept. Never reads outside the bytes that it was given, malformed bytes mean yes.
#pragma once

#include "cache/matcher/list_query.hpp"

namespace mongocached::cache {

struct list_write {
  enum class kind : std::uint8_t { unknown, inserted, replaced, updated, deleted };
  kind what = kind::unknown;
  // updated, deleted: of the one document. Empty: not known which, or several.
  std::optional<protocol::bson_element> id;
  // inserted, replaced: the document as it is stored afterwards.
  protocol::bson_view document;
  // updated: every path that may have changed, as written in the update or in a change event's updatedFields,
  // removedFields and truncatedArrays.
  std::span<const std::string_view> paths;
};

// `result`: the array of all documents that the query returned, in its order; empty while it is in flight.
[[nodiscard]] bool may_change(const list_query& query, const std::optional<protocol::bson_view>& result,
                              const list_write& write);

}  // namespace mongocached::cache
