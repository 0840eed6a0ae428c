// The path that everything else is measured by: a find answered from memory within the turn that read it. No allocation
// in steady state, no lock but the shard's.
#pragma once

#include "daemon/session/session.hpp"

namespace mongocached::daemon {

// Appends the reply to the thread's output and counts the request. False, with nothing done, if it takes more than a
// look-up in memory: the flows see the request again from its start. `prepared`: what the thread's plan cache knows of
// the command; null: nothing, it is planned in the thread's scratch.
[[nodiscard]] bool try_hit(session& s, const protocol::command_view& command,
                           const cache::plan_cache::prepared* prepared = nullptr);

// The pieces that the read flow shares.

// Read concern level that the command is to be answered with; empty while the cluster's default is not known.
[[nodiscard]] std::optional<cache::entry_level> effective_level(session& s, const protocol::command_view& command,
                                                                cache::instant now);
[[nodiscard]] cache::read_rules rules_for(session& s, cache::cacheability known) noexcept;
// What this client is promised on a namespace with these settings.
[[nodiscard]] cache::reader reader_for(session& s, const config::cache_settings& settings,
                                       const protocol::command_view& command, cache::entry_level level) noexcept;
// R2: may this entry answer this client?
[[nodiscard]] bool answers(session& s, const cache::entry& e, const cache::reader& who, cache::instant now) noexcept;
// Appends the whole reply for by_id and by_ids; `entries` in the plan's order. Anything but `none`: this answer is not
// ours to give, and `out` is as it was - a projection crosses an array (S6), batchSize would cut it (S4), or it does
// not fit one batch.
[[nodiscard]] cache::bypass_reason append_documents_reply(protocol::byte_buffer& out, session& s,
                                                          const protocol::command_view& command,
                                                          const cache::read_plan& plan,
                                                          std::span<const cache::entry_ref> entries);
void append_list_reply(protocol::byte_buffer& out, session& s, const protocol::command_view& command,
                       const cache::entry& list);

// A served hit: by chance (verify_share) it is handed to the verifier. `reply` is the whole message.
struct hit_context {
  cache::namespace_state& ns;
  const config::cache_settings& settings;
  const cache::reader& who;
  cache::key_kind kind;
};
void offer_to_verify(session& s, const protocol::command_view& command, const hit_context& hit,
                     protocol::byte_view reply, std::span<const cache::entry_ref> entries);

}  // namespace mongocached::daemon
