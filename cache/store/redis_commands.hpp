// What the store says to Redis and what the answers mean: commands appended to a buffer, replies read back. Pure.
//
// Each function that appends returns how many commands it appended. Each read_ function takes the replies to exactly
// those; it answers nothing if one of them is an error or not of the expected shape (see first_error()).
#pragma once

#include "cache/store/push_message.hpp"
#include "cache/store/redis_keys.hpp"
#include "cache/store/redis_scripts.hpp"
#include "cache/store/resp.hpp"
#include "cache/store/shared_store.hpp"

namespace mongocached::cache {

struct redis_server_facts {
  std::string run_id;
  std::string mode;  // "standalone", "sentinel", "cluster"
};

struct lease_answer {
  epoch_name epoch{};
  generation_token generation{};
  struct record {
    bool granted = false;
    bool taken = false;  // another flight has it
    cluster_time fence = 0;
  };
  std::vector<record> records;  // none if the epoch is another one
};

struct fill_answer {
  epoch_name epoch{};
  std::vector<fill_outcome> outcomes;
};

struct invalidation_answer {
  epoch_name epoch{};
  bool done = false;  // false: a hold could not be written
};

class redis_commands {
 public:
  // `sender` is what invalidations are told to other processes as.
  redis_commands(const std::string& prefix, const std::string& cluster_id, duration lease_time,
                 const sender_id& sender);

  // What a new connection asks before anything else: who are you, and here are our scripts.
  unsigned prepare(byte_buffer& out);
  std::optional<redis_server_facts> read_prepared(std::span<resp_value> replies);  // remembers the scripts' names

  unsigned epoch(byte_buffer& out, const std::string& run_id, const epoch_name& candidate, bool force);
  static std::optional<epoch_name> read_epoch(std::span<resp_value> replies);

  unsigned get(byte_buffer& out, std::string_view ns, key_kind kind, std::span<const key_view> keys);
  // `elapsed` since the request was made is taken off the time that is left to each item. A missing epoch is all zero.
  static std::optional<get_result> read_get(std::span<resp_value> replies, std::size_t keys, duration elapsed);

  // `epoch` is the one in which the tokens are to hold; `candidate` becomes the generation token if there is none.
  unsigned lease(byte_buffer& out, const epoch_name& epoch, std::string_view ns, key_kind kind,
                 std::span<const hex_128> keys, std::span<const lease_token> tokens, const generation_token& candidate);
  static std::optional<lease_answer> read_lease(std::span<resp_value> replies, std::size_t keys);

  unsigned release(byte_buffer& out, std::span<const hex_128> keys, std::span<const lease_token> tokens);

  unsigned fill(byte_buffer& out, const epoch_name& epoch, std::string_view ns, key_kind kind,
                const generation_token& generation, std::span<const fill_item> items);
  static std::optional<fill_answer> read_fill(std::span<resp_value> replies, std::size_t items);

  // Not for `everything`, which is epoch() with force.
  unsigned invalidate(byte_buffer& out, const invalidation& what);
  static std::optional<invalidation_answer> read_invalidation(std::span<resp_value> replies);

  // Mode `strict`. Several calls for very many keys, each a check of its own.
  unsigned check(byte_buffer& out, std::string_view ns, std::span<const key_view> keys);
  static std::optional<get_result> read_check(std::span<resp_value> replies, std::size_t keys, duration elapsed);
  unsigned announce(byte_buffer& out, const invalidation& what);
  // Its answer is read as an invalidation's.

  unsigned load_mark(byte_buffer& out);
  struct mark_answer {
    epoch_name epoch{};  // in force
    coverage_mark mark;  // of that epoch, or none
  };
  static std::optional<mark_answer> read_mark(std::span<resp_value> replies);
  unsigned save_mark(byte_buffer& out, const coverage_mark& mark);
  // Its answer is read as an invalidation's.

  // The text of the first error reply; empty if there is none.
  [[nodiscard]] static std::string_view first_error(std::span<const resp_value> replies) noexcept;

 private:
  resp_command call(byte_buffer& out, redis_script script, std::size_t keys, std::size_t arguments);

  redis_keys keys_;
  std::vector<hex_128> hashes_;  // scratch
  std::int64_t lease_ms_;
  sender_id sender_;
  std::array<std::string, all_redis_scripts.size()> names_;  // SHA-1 as Redis told it
};

}  // namespace mongocached::cache
