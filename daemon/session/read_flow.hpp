// A cacheable find that memory did not answer at once: flight, Redis, upstream (coherence R1-R6). Each step may say no,
// and no means forward. One object a request, on its session's thread.
#pragma once

#include <span>
#include <vector>

#include "daemon/explanation.hpp"
#include "daemon/session/flows.hpp"
#include "daemon/session/hit_path.hpp"

namespace mongocached::daemon {

class read_flow {
 public:
  read_flow(session& s, request& r);
  ~read_flow();
  read_flow(const read_flow&) = delete;
  read_flow& operator=(const read_flow&) = delete;

  [[nodiscard]] task<void> run();
  // What run() would do, told instead of done (read_flow_explain.cpp): nothing is asked upstream, nothing filled or
  // registered, nothing counted as used. `out.reason` and `out.proven` are known already.
  [[nodiscard]] task<void> explain(explanation& out);

 private:
  // One key of the plan on its way: the list's, or one of the _ids'.
  struct wanted {
    cache::key_view key;
    cache::entry_ref entry{};      // found or filled
    cache::flight_ref flight{};    // led by this request; null once settled, or if another request leads
    std::uint64_t generation = 0;  // of the namespace when the flight was registered
    cache::lease_token lease{};
    bool leased = false;
    bool blocked = false;            // R1: a write is pending, or its outcome unknown
    bool keep_out_of_redis = false;  // overtaken by a write, or too large
    bool apart = false;              // cached, but not of the others' moment: read again for this answer alone
  };
  // Another request's flight that is waited for.
  struct following {
    cache::flight_ref flight{};  // null: there is none
    std::shared_ptr<one_shot<cache::entry_ref>> result{};
  };
  enum class lookup : std::uint8_t { found, missing, bypass };

  [[nodiscard]] cache::bypass_reason prepare();
  void plan_by(const cache::read_rules& rules);
  [[nodiscard]] cache::bypass_reason plan_under_rules();
  [[nodiscard]] task<void> bypass(cache::bypass_reason reason);  // begins with abandon(), at once
  [[nodiscard]] bool usable(const cache::entry_ref& e);
  // Of what a flight brought just now: its own time to live, which may be none, begins with the read.
  [[nodiscard]] bool usable_at_once(const cache::entry_ref& e);
  [[nodiscard]] bool is_new_enough(const cache::entry_meta& meta) const noexcept;
  [[nodiscard]] bool complete() const noexcept;  // nothing is missing
  // Several documents answer only as the cluster had them at one moment, but in mode ttl (one_moment.hpp).
  [[nodiscard]] bool is_torn() const noexcept;
  void set_apart();

  void name_keys();
  [[nodiscard]] cache::bypass_reason explain_plan(explanation& out);
  void explain_state(explanation& out) const;
  void peek_in_memory(explanation& out);
  void explain_entries(explanation& out);

  [[nodiscard]] lookup look_in_memory();
  // True if the request was answered by another one's flight.
  [[nodiscard]] prompt<bool> join_or_lead();
  [[nodiscard]] task<bool> wait_for_flight(following other);
  [[nodiscard]] following follow_or_lead(bool last);
  [[nodiscard]] bool bar_if_shut();
  // What was asked of Redis, and when.
  struct redis_question {
    cache::instant asked{};
    std::shared_ptr<one_shot<cache::get_result>> answer{};
  };
  [[nodiscard]] redis_question ask_redis();
  [[nodiscard]] bool take_from_redis(const redis_question& question, const cache::get_result& result);
  [[nodiscard]] task<void> wait_for_lease();
  [[nodiscard]] task<bool> lease_in_redis();
  [[nodiscard]] bool accept_stored(wanted& w, const cache::get_result& result, std::size_t i, cache::instant asked);
  [[nodiscard]] bool raise_lower();
  [[nodiscard]] bool would_wait_for_majority() const noexcept;
  [[nodiscard]] bool tells_majority() const noexcept;
  [[nodiscard]] bool uses_redis() const noexcept;
  // Whether what is cached already may be the answer.
  [[nodiscard]] bool may_find() const noexcept { return proven_ && !plan_.hint.refresh; }
  // Mode strict asks Redis at each hit: nothing is kept here.
  [[nodiscard]] bool keeps_in_memory() const noexcept {
    return settings_->memory > 0 && who_.mode != cache::promise::strict;
  }

  [[nodiscard]] task<void> fill();
  [[nodiscard]] bool take_documents(const upstream_reply& reply, protocol::bson_view batch);
  [[nodiscard]] bool take_list(const upstream_reply& reply, protocol::bson_view batch);
  [[nodiscard]] cache::entry_meta meta_for(const wanted& w, const protocol::reply_view& reply,
                                           cache::entry_kind kind) const;
  void store(wanted& w, cache::entry_kind kind, const protocol::reply_view& reply, protocol::byte_view value);
  void store_in_redis();
  void reject(fill_rejection why);
  [[nodiscard]] task<void> send_own_bytes();
  [[nodiscard]] task<exchange> skip_reply();
  [[nodiscard]] task<void> end_in(exchange failure);
  [[nodiscard]] prompt<void> answer_from_entries(outcome how);
  [[nodiscard]] prompt<void> answer_now(outcome how);
  [[nodiscard]] task<void> answer_slowly(outcome how, session::unsent rest);
  [[nodiscard]] task<void> answer_when_there_is_room(outcome how);
  void answered(outcome how);
  void abandon(bool lost = false);  // `lost`: who waits for a flight of ours may read in our place

  // Each step that nothing is waited for in goes by one moment.
  void look_at_the_clock() noexcept { now_ = data_thread::now(); }

  session& s_;
  request& r_;
  cache::instant now_{};
  cache::namespace_state* ns_ = nullptr;
  const config::cache_settings* settings_ = nullptr;
  cache::read_plan plan_;
  cache::key_kind kind_ = cache::key_kind::document;
  cache::entry_level level_ = cache::entry_level::local;
  bool untold_ = false;  // nobody told the default that the client goes by
  cache::reader who_;
  bool proven_ = false;
  protocol::pooled_vector<wanted> wanted_;
  cache::cluster_time applied_ = 0;  // H before the first look-up
  cache::cluster_time lower_ = 0;
  cache::instant sent_{};
  std::uint32_t read_ = 0;
  cache::epoch_name epoch_{};  // of Redis, as the lease said
  cache::generation_token generation_{};
};

// Null: no look-up.
[[nodiscard]] const char* name_of_look_up(cache::read_shape shape) noexcept;

}  // namespace mongocached::daemon
