// Who may be answered from the cache (wire rule I2). MongoDB authorizes per collection, so that an answer may be shared
// between users, but only with proof: an `ok: 1` find on that namespace, by this identity, sent after the last user or
// role command that was seen, no older than `authz_ttl`. Any thread. Sessions keep the answer of `proven_until` beside
// the epoch it was given in, so that a hit takes no lock.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/namespace_state.hpp"

namespace mongocached::cache {

using identity = std::uint64_t;
inline constexpr identity anonymous = 0;  // no authentication took place on the connection

class authorization {
 public:
  explicit authorization(duration ttl, std::size_t limit = 100'000) : ttl_(ttl), limit_(limit) {}

  // An identity that no other connection shares.
  [[nodiscard]] identity make_private() noexcept { return ++last_; }
  // The identity of all connections whose users and roles are the same (`who`: what connectionStatus said, verbatim).
  [[nodiscard]] identity shared_by(std::string_view who);

  // Proofs of an older epoch are void.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }
  // A user or role command was seen: everybody has to prove again. Called when it is sent and again when it was
  // answered.
  void revoke_all() noexcept { epoch_.fetch_add(1); }
  void revoke(identity who);

  // `sent` and `epoch_when_sent` are of the find that was answered ok.
  void prove(identity who, const namespace_state& ns, instant sent, std::uint64_t epoch_when_sent);
  // Until when the proof holds; the epoch of the answer is `epoch()` read before the call. Zero: no proof.
  [[nodiscard]] instant proven_until(identity who, const namespace_state& ns) const;

 private:
  struct key {
    identity who;
    const namespace_state* ns;
    bool operator==(const key&) const = default;
  };
  struct key_hash {
    std::size_t operator()(const key& k) const noexcept {
      return std::hash<identity>{}(k.who) * 0x9e3779b97f4a7c15ULL ^ std::hash<const void*>{}(k.ns);
    }
  };
  struct proof {
    instant until;
    std::uint64_t epoch;
  };

  const duration ttl_;
  const std::size_t limit_;
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<identity> last_{0};
  mutable std::mutex mutex_;
  std::unordered_map<key, proof, key_hash> proofs_;
  std::unordered_map<std::string, identity> shared_;
};

}  // namespace mongocached::cache
