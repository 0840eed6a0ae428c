// The shared cache (L2): entries in Redis that many processes read and fill.
//
// One `shared_store` a data thread, used on that thread only; its requests share one pipelined connection. Every call
// answers exactly once, by its handler, on the same thread, never from inside the call, and no later than the store's
// timeout; a handler is told `unavailable` when Redis is away, slow, broken or not trusted (coherence W7: an
// invalidation is not acknowledged yet). `unavailable` is never an error for a client. Views passed in need to live
// only until the call returns.
//
// A namespace has two generation tokens in Redis, one for its documents and one for its lists. A token that is missing
// is made anew at random by the next lease; an entry is valid only under the token it was stored with, so that removing
// or losing a token makes the entries unreachable (coherence W4 "no stream", W2, G(ns)). With each token lies the
// newest time of a write in the namespace (N): a list is as good as L >= N says, and where a key has no record its next
// lease starts from it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cache/invalidation.hpp"
#include "cache/key.hpp"
#include "cache/stored_form.hpp"

namespace mongocached::cache {

enum class store_status : std::uint8_t { ok, unavailable };

using lease_token = std::array<std::uint8_t, 16>;

struct store_item {
  byte_buffer bytes;     // the stored form as it lies in Redis; empty: none
  duration remaining{};  // time left to live
};

struct get_result {
  store_status status = store_status::unavailable;
  epoch_name epoch{};             // of Redis now
  generation_token generation{};  // of the namespace and kind now; all zero: none
  cluster_time newest = 0;        // N(ns): newest write in the namespace that Redis was told of
  std::vector<store_item> items;  // in the order asked
};

struct lease_grant {
  bool granted = false;
  bool taken = false;  // not granted because another flight has it; else the key is on hold, or Redis has no room
  lease_token token{};
  cluster_time fence = 0;
};

struct lease_result {
  store_status status = store_status::unavailable;
  epoch_name epoch{};
  generation_token generation{};
  std::vector<lease_grant> grants;  // in the order asked
};

struct fill_item {
  key_view key;
  byte_view bytes;  // encode_stored()
  lease_token token{};
  cluster_time lower = 0;  // L: refused if the fence is above it
  duration remaining{};
};

struct coverage_mark {
  epoch_name epoch{};  // it belongs to; all zero: there is no mark
  cluster_time time = 0;
  byte_buffer token;
};

// Why Redis refused a fill; counted as mongocached_fills_rejected_total{reason}.
enum class fill_outcome : std::uint8_t { stored, lease, fence, epoch, generation, unavailable };

class shared_store {
 public:
  virtual ~shared_store() = default;

  // All keys are of one namespace and kind.
  virtual void get(std::string_view ns, key_kind kind, std::span<const key_view> keys,
                   std::function<void(get_result)> done) = 0;
  virtual void lease(std::string_view ns, key_kind kind, std::span<const key_view> keys,
                     std::function<void(lease_result)> done) = 0;
  // Gives back leases of a read that was not stored, so that the next reader need not wait for them to run out.
  virtual void release(std::string_view ns, key_kind kind, std::span<const key_view> keys,
                       std::span<const lease_token> tokens) = 0;
  // `generation` is the one that the lease returned.
  virtual void fill(std::string_view ns, key_kind kind, const generation_token& generation,
                    std::span<const fill_item> items, std::function<void(std::span<const fill_outcome>)> done) = 0;
  // Answered `ok` once Redis has acknowledged. On a timeout the caller goes on (a write is never delayed beyond it) and
  // the store keeps the invalidation on its list of unacknowledged ones: Redis is not trusted until all are through
  // (W7); when the list overflows, a new epoch takes their place.
  virtual void invalidate(invalidation what, std::function<void(store_status)> done) = 0;

  // Mode `strict`. The same as get() for documents, but an item comes back only if its record is there, no write is
  // pending on it or on the whole namespace, and its L is not below its fence.
  virtual void get_checked(std::string_view ns, std::span<const key_view> keys,
                           std::function<void(get_result)> done) = 0;
  // Mode `strict`, W1: these writes are about to be forwarded. Values and leases go, none is granted until
  // invalidate() with `announced` took it back, or announce_limit passed. Answered as invalidate() is; one that is not
  // acknowledged is not sent again, but may be carried out yet, so it is taken back like any other; if it reaches Redis
  // behind that (a connection lost in between), it hides its keys until announce_limit, as where a new epoch came in
  // the place of what was to take it back. `what` bears an announcement of its own (new_announcement()); `everything`
  // cannot be announced: unavailable.
  virtual void announce(const invalidation& what, std::function<void(store_status)> done) = 0;

  // C3. The coverage mark: every event up to `time` has been applied to this Redis. `token` resumes the stream there.
  virtual void load_mark(std::function<void(store_status, coverage_mark)> done) = 0;
  // Refused (unavailable) while any invalidation of this process is unacknowledged, or if the epoch changed since
  // `epoch` was read; never moves backwards within an epoch.
  virtual void save_mark(const coverage_mark& mark, std::function<void(store_status)> done) = 0;
};

// A write announced for longer than this (its process died, or it takes longer) hides its keys no more; then their
// records are gone, and with them all that could be hit.
inline constexpr duration announce_limit = std::chrono::minutes(10);

// From the system's randomness. Any thread.
[[nodiscard]] announcement_id new_announcement();

}  // namespace mongocached::cache
