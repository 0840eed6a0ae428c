// May writes change a list, that is a stored query result? (coherence M, W3)
//
// Yes unless all of this is known: the query is modelled and has no skip, the result is complete and has plain _ids,
// the written document is not in it, and the write cannot bring one in. A document that is inserted or put in another's
// place is run through the filter; it cannot enter a full window if it sorts behind the last document there. An update
// of a document that is not in the result brings it in only through a path of the filter or sort; where it is not known
// which document was updated, the projection counts too. A write that is told ahead of others may enter a window that
// looks full: what left it, nobody has told yet.
//
// Not the caller's to assume: that updates were seen whole. A $rename changes both names; an upsert, an update by
// pipeline, a multi-document write whose extent is not known: list_write::kind::unknown. Pure, any thread. Never reads
// outside the bytes that it was given, malformed bytes mean yes, and so does a budget that is spent.
#pragma once

#include <vector>

#include "cache/matcher/list_query.hpp"
#include "cache/matcher/step_budget.hpp"

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
  // inserted: nothing had this _id just before, and the caller's lists were judged by whatever removed one that had:
  // the change stream's insertions. Then no list can hold it, and none is searched for it.
  bool new_id = false;
};

// Of the writes before them: `in_order`, the lists were told of them all (the stream's events); `ahead`, others may
// have written what is yet to be told (a command of ours).
enum class telling : std::uint8_t { in_order, ahead };

// Writes made ready, once, to be judged against any number of lists. What their views are into must outlive it.
class write_set {
 public:
  explicit write_set(std::span<const list_write> writes, telling when = telling::in_order);

  // `result`: the array of all documents that the query returned, in its order; empty while it is in flight. True if
  // any of the writes may change it.
  [[nodiscard]] bool may_change(const list_query& query, const std::optional<protocol::bson_view>& result,
                                step_budget& budget) const;

 private:
  struct result_facts;
  [[nodiscard]] result_facts examine(protocol::bson_view result, step_budget& budget) const;
  [[nodiscard]] bool may_hold(const protocol::bson_element& id, protocol::byte_buffer& scratch,
                              step_budget& budget) const;

  std::vector<list_write> writes_;
  const telling when_;
  bool unknown_ = false;   // one of them may change anything
  bool searches_ = false;  // for the ids below, which may be none: even then the result has to be a plain one
  // Of the ids that a result is searched for.
  std::vector<std::uint64_t> hashes_;             // sorted; of those with a canonical form
  std::vector<protocol::bson_element> ids_;       // all
  std::vector<protocol::bson_element> formless_;  // those without
};

}  // namespace mongocached::cache
