// Redis as the scripts of cache/store/redis_scripts*.cpp leave it, for the one namespace of the simulation: epoch,
// coverage mark, the two tokens with their N, records and values. A value type: a replica is a copy.
#pragma once

#include <array>

#include "catalog.hpp"

namespace mongocached::simulation {

struct stored_value {
  cache::entry_ref entry;
  std::uint32_t epoch = 0;
  std::uint32_t token = 0;
};

struct redis_mark {
  std::uint32_t epoch = 0;  // 0: there is none
  cluster_time time = 0;
  std::size_t position = 0;  // the resume token
};

class model_redis {
 public:
  struct found {
    std::uint32_t epoch = 0;
    std::uint32_t token = 0;
    cluster_time newest = 0;
    stored_value value;
  };
  struct lease_answer {
    std::uint32_t epoch = 0;
    std::uint32_t token = 0;
    bool granted = false;
    bool taken = false;
    std::uint32_t lease = 0;
    cluster_time fence = 0;
  };
  struct fill_request {
    std::size_t item = 0;
    std::uint32_t epoch = 0;
    std::uint32_t token = 0;
    std::uint32_t lease = 0;
    cluster_time lower = 0;
    cache::entry_ref entry;
  };

  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint32_t run_id() const noexcept { return run_id_; }
  // The epoch in force; a new one (`fresh`, above 0) if this life of Redis has none yet, or if forced.
  std::uint32_t open(std::uint32_t fresh, bool force);

  [[nodiscard]] found get(std::size_t item) const;
  lease_answer lease(std::size_t item, std::uint32_t expected_epoch, std::uint32_t fresh, instant now);
  void release(std::size_t item, std::uint32_t lease);
  bool fill(const fill_request& what);
  void invalidate(const cache::invalidation& what, std::uint32_t fresh_epoch, instant now);
  [[nodiscard]] redis_mark mark() const noexcept { return mark_; }
  void save_mark(const redis_mark& mark);

  // What befalls a Redis.
  void restart(std::uint32_t run_id) noexcept { run_id_ = run_id; }
  void flush();
  void evict_record(std::size_t item);
  void evict_value(std::size_t item) { values_[item] = {}; }
  void evict_token(key_kind kind) { token_of(kind) = {}; }
  void evict_mark() { mark_ = {}; }
  void refuse_writes(bool full) noexcept { full_ = full; }

 private:
  struct token {
    std::uint32_t name = 0;  // 0: missing
    cluster_time newest = 0;
    instant held_until{};
  };
  struct record {
    bool present = false;
    cluster_time fence = 0;
    cluster_time value_lower = 0;
    bool vouches = false;  // `v` is there
    std::uint32_t lease = 0;
    instant lease_end{};
    instant held_until{};
  };
  [[nodiscard]] token& token_of(key_kind kind) noexcept { return tokens_[kind == key_kind::document ? 0 : 1]; }
  [[nodiscard]] const token& token_of(key_kind kind) const noexcept {
    return tokens_[kind == key_kind::document ? 0 : 1];
  }
  [[nodiscard]] cluster_time covered() const noexcept { return mark_.epoch == epoch_ ? mark_.time : 0; }
  void invalidate_token(token& t, bool falls, const cache::invalidation& what, instant now);
  void invalidate_document(std::size_t item, const cache::invalidation& what, bool seen, cluster_time base,
                           instant now);

  std::uint32_t run_id_ = 1;
  std::uint32_t epoch_ = 0;
  std::uint32_t epoch_run_id_ = 0;
  bool full_ = false;
  redis_mark mark_;
  std::array<token, 2> tokens_{};
  std::array<record, items> records_{};
  std::array<stored_value, items> values_{};
};

}  // namespace mongocached::simulation
