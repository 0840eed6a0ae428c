// One pipelined connection to Redis that keeps itself up. Internal to cache_store: it includes Asio.
//
//   stopped        before start(), after stop()
//   waiting        for the back-off (100 ms doubled up to 5 s, with jitter) to pass
//   resolving      the name
//   connecting     TCP
//   securing       TLS, the certificate being checked against the host name
//   greeting       AUTH and SELECT are sent
//   open           requests pass
// Each state but `open` and `stopped` goes on to the next one or, after any failure or a deadline, to `waiting`; `open`
// goes to `waiting` when the peer closes, breaks the protocol, or leaves requests without any reply for ten timeouts.
//
// Requests of one turn of the event loop go out in one write. One coarse timer serves all their timeouts. Used on the
// thread of its io_context only; kept alive by its own operations, so that stop() and letting go of it suffices.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <random>

#include "cache/store/redis_store.hpp"
#include "cache/store/redis_uri.hpp"
#include "cache/store/resp_pipeline.hpp"

namespace mongocached::cache {

struct connection_settings {
  redis_uri uri;
  host_finder find_host;
  pipeline_settings pipeline;
  duration connect_timeout = std::chrono::seconds(1);  // name, TCP and TLS together
  duration first_pause = std::chrono::milliseconds(100);
  duration longest_pause = std::chrono::seconds(5);
  std::shared_ptr<boost::asio::ssl::context> tls;  // set if uri.tls
};

struct connection_events {
  std::function<void()> opened;
  // Also for an attempt that failed. The reason holds no password. All requests have been answered `closed`.
  std::function<void(const std::string& reason)> closed;
};

class resp_connection : public std::enable_shared_from_this<resp_connection> {
 public:
  enum class state : std::uint8_t { stopped, waiting, resolving, connecting, securing, greeting, open };

  resp_connection(boost::asio::io_context& context, connection_settings settings, connection_events events);
  ~resp_connection();
  resp_connection(const resp_connection&) = delete;
  resp_connection& operator=(const resp_connection&) = delete;

  void start();
  // No handler or event is called from now on; they are destroyed.
  void stop();
  // Gives the connection up for `reason`, in the next turn of the event loop; a new attempt follows after the back-off.
  void fail(std::string reason);
  // The peer has proven useful: the back-off starts small again.
  void reset_back_off() noexcept { pause_ = duration::zero(); }

  [[nodiscard]] state current() const noexcept { return state_; }
  // May a request be made now?
  [[nodiscard]] bool accepts() const noexcept { return state_ == state::open && !pipeline_.full(); }
  // A request: append commands to output(), then submit() with their number; see resp_pipeline.
  [[nodiscard]] byte_buffer& output() noexcept { return pipeline_.output(); }
  void submit(instant now, unsigned replies, reply_handler done, bool late = false);

 private:
  struct link;
  using link_ptr = std::shared_ptr<link>;

  void attempt();
  void find_host();
  void found_host(const std::vector<std::string>& addresses, const std::string& error);
  void connect(const std::vector<boost::asio::ip::tcp::endpoint>& addresses);
  void secure();
  void greet();
  void greeted(const reply& answer);
  void read();
  void flush();
  void send_at_once();
  void write();
  void arm_tick();
  void close(const std::string& reason);
  void wait_and_retry();
  [[nodiscard]] bool is_current(const link_ptr& which) const noexcept { return which == link_; }

  boost::asio::io_context& context_;
  connection_settings settings_;
  connection_events events_;
  resp_pipeline pipeline_;
  std::shared_ptr<host_answer> awaited_;  // null: no host is looked for
  boost::asio::steady_timer timer_;       // back-off, connect deadline, tick: one at a time
  link_ptr link_;                         // of this attempt; handlers of an older one do nothing
  state state_ = state::stopped;
  duration pause_{};
  std::minstd_rand jitter_;
  unsigned gathered_ = 0;  // requests since something was sent
  bool flush_posted_ = false;
  bool tick_armed_ = false;
};

}  // namespace mongocached::cache
