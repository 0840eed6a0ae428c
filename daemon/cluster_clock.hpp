// The newest $clusterTime that the upstream signed, for replies that are built here (wire rule S8).
//
// With authentication on, a $clusterTime with keyId 0 is one that the server signed for one privileged client only: it
// never leaves that client. `saw_authentication` makes that rule hold from then on. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <mutex>

#include "cache/time.hpp"
#include "protocol/reply.hpp"

namespace mongocached::daemon {

struct signed_time {
  static constexpr std::size_t max_size = 256;  // a real one takes 91 bytes
  std::array<std::uint8_t, max_size> document{};
  std::size_t size = 0;
  cache::cluster_time time = 0;
  [[nodiscard]] protocol::byte_view bytes() const noexcept { return {document.data(), size}; }
};

// Takes the reply's $clusterTime if it is newer than `into`'s and has a plausible size.
void take_newer(signed_time& into, const protocol::reply_view& reply);

class cluster_clock {
 public:
  void saw(const protocol::reply_view& reply);
  void saw_authentication();

  [[nodiscard]] cache::cluster_time newest() const noexcept { return newest_.load(std::memory_order_acquire); }
  // Brings `mine`, a thread's own copy, up to date. Cheap while nothing changed.
  void refresh(signed_time& mine) const;

 private:
  std::atomic<cache::cluster_time> newest_{0};
  mutable std::mutex mutex_;
  signed_time current_;
  bool unsigned_ = false;  // current_ carries keyId 0
  std::atomic<bool> authenticated_{false};
};

}  // namespace mongocached::daemon
