// Makes the status document on a thread of its own, so that walking the cache never delays a query: one after another,
// and only a few wait.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "protocol/bytes.hpp"

namespace mongocached::daemon {

class status_desk {
 public:
  using maker = std::function<void(protocol::byte_buffer& out)>;  // on the desk's thread
  using taker = std::function<void(protocol::byte_buffer document)>;
  static constexpr unsigned most_waiting = 4;

  explicit status_desk(maker make) : make_(std::move(make)) {}
  ~status_desk() { stop(); }
  status_desk(const status_desk&) = delete;
  status_desk& operator=(const status_desk&) = delete;

  // From any thread. False: so many wait already, or it was stopped. `take` is called on the desk's thread, with
  // nothing if the document could not be made; not at all if the desk is stopped before.
  [[nodiscard]] bool ask(taker take);
  void stop();

 private:
  void serve(const taker& take) noexcept;

  const maker make_;
  std::atomic<bool> stopped_{false};
  std::atomic<unsigned> waiting_{0};
  boost::asio::thread_pool worker_{1};
};

}  // namespace mongocached::daemon
