// The connections to one server that a data thread's clients share (upstream.auth = "pooled"). Pure: it counts, queues
// and keeps; whoever was granted room opens the connection. One thread; `now` is handed in.
//
// Of `limits.connections` each is idle (here), borrowed (with a request), or being opened. A request that finds none
// waits in line; who came first is served first, and no later one passes it. A borrowed connection comes back clean by
// give_back(), or is gone().
//
// Link: is_usable() says whether an idle one may be used again, target_version() which topology it was opened for.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <utility>

#include "cache/time.hpp"

namespace mongocached::daemon {

struct pool_limits {
  std::size_t connections = 1;
  std::size_t waiting = 10'000;                    // one more is refused
  cache::duration idle = std::chrono::minutes(1);  // one that was not used for so long is closed
};

template <class Link>
class connection_pool {
 public:
  struct grant {
    enum class kind : std::uint8_t {
      nothing,     // the deadline passed, or the wait was cancelled
      connection,  // `link`
      room,        // for one connection: the receiver opens it
    } how = kind::nothing;
    std::unique_ptr<Link> link;
  };
  // Gets exactly one grant.
  using receiver = std::function<void(grant)>;
  struct waiter {
    cache::instant until{};
    receiver receive;
  };
  using ticket = typename std::list<waiter>::iterator;

  explicit connection_pool(pool_limits limits) : limits_(limits) {}

  // What can be had at once: nothing where others wait.
  [[nodiscard]] grant take() {
    if (!line_.empty()) return {};
    while (!idle_.empty()) {  // the one used last is the least likely to be gone
      auto link = std::move(idle_.back().link);
      idle_.pop_back();
      if (link->is_usable()) return {grant::kind::connection, std::move(link)};
      --open_;
    }
    if (!take_room()) return {};
    return {grant::kind::room, nullptr};
  }
  // For a new connection, whether there are idle ones or not.
  [[nodiscard]] bool take_room() {
    if (!line_.empty() || open_ >= limits_.connections) return false;
    ++open_;
    return true;
  }

  [[nodiscard]] bool may_wait() const noexcept { return line_.size() < limits_.waiting; }
  // Only where take() gave nothing. The ticket is good until the receiver is called.
  [[nodiscard]] ticket wait(cache::instant until, receiver receive) {
    return line_.insert(line_.end(), {until, std::move(receive)});
  }
  void cancel(ticket which) { leave(which, {}); }

  void give_back(std::unique_ptr<Link> link, cache::instant now) {
    if (!link->is_usable() || link->target_version() < least_version_) {
      link.reset();
      return gone();
    }
    if (line_.empty()) {
      idle_.push_back({std::move(link), now});
    } else {
      leave(line_.begin(), {grant::kind::connection, std::move(link)});
    }
  }
  // A connection, or the room for one, came to nothing.
  void gone() {
    --open_;
    admit();
  }

  // Idle connections that are old or dead are closed, and who waited long enough is told so.
  void sweep(cache::instant now) {
    for (auto one = line_.begin(); one != line_.end();) {
      const auto here = one++;
      if (now >= here->until) leave(here, {});
    }
    const auto unfit = [&](const resting& one) { return now - one.since >= limits_.idle || !one.link->is_usable(); };
    drop_idle(unfit);
  }
  // The server is no longer what it was: connections opened for an older topology are not used again.
  void renew(std::uint64_t least_version) {
    least_version_ = least_version;
    drop_idle([&](const resting& one) { return one.link->target_version() < least_version; });
  }

  [[nodiscard]] std::size_t open() const noexcept { return open_; }
  [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return line_.size(); }

 private:
  struct resting {
    std::unique_ptr<Link> link;
    cache::instant since{};
  };

  void leave(ticket which, grant what) {
    const auto receive = std::move(which->receive);
    line_.erase(which);
    receive(std::move(what));
  }
  void admit() {
    while (!line_.empty() && open_ < limits_.connections) {
      ++open_;
      leave(line_.begin(), {grant::kind::room, nullptr});
    }
  }
  template <class Unfit>
  void drop_idle(Unfit unfit) {
    const auto dropped = std::erase_if(idle_, unfit);
    open_ -= dropped;
    if (dropped > 0) admit();
  }

  const pool_limits limits_;
  std::deque<resting> idle_;
  std::list<waiter> line_;
  std::size_t open_ = 0;
  std::uint64_t least_version_ = 0;
};

}  // namespace mongocached::daemon
