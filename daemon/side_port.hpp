// The HTTP side port: metrics, health, status, invalidation. Its own thread and io_context, so that a scrape never
// delays a query. Paths, answers and rules for who may ask: the interface page. Beast and Asio stay out of this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace mongocached::daemon {

struct readiness {
  bool ready = false;
  std::string reason;  // one sentence when not ready
  std::string note{};  // one sentence when ready: what is amiss all the same
};

struct invalidate_request {
  std::string ns;                      // db.collection
  std::optional<std::string> id_json;  // Extended JSON of the _id
};

struct invalidate_answer {
  std::string error;          // not empty: 400 with this sentence
  std::uint64_t entries = 0;  // dropped from memory
  bool redis = false;         // Redis acknowledged
};

// Called on the side port's thread; may block briefly, must not throw.
struct side_port_hooks {
  std::function<std::string()> metrics;  // Prometheus text format
  std::function<bool()> stalled;         // a data thread hangs
  std::function<readiness()> ready;
  std::function<std::string()> status;  // JSON
  std::function<invalidate_answer(const invalidate_request&)> invalidate;
  std::function<invalidate_answer()> flush;
};

struct side_port_options {
  std::string host;
  std::uint16_t port = 0;
  int inherited = -1;                                // a socket that listens already, in place of host and port
  std::string token;                                 // empty: none
  std::size_t max_connections = 64;                  // beyond them who waits, else writes, longest makes room
  std::chrono::milliseconds request_deadline{5000};  // for a whole request, its reply, and the wait for the next one
};

class side_port {
 public:
  // Binds and starts. Throws std::runtime_error with one clear line if the address cannot be had.
  side_port(side_port_options options, side_port_hooks hooks);
  ~side_port();  // closes everything and joins
  side_port(const side_port&) = delete;
  side_port& operator=(const side_port&) = delete;

  // Of requests to come, also on connections that stand. Any thread.
  void set_token(std::string token);
  [[nodiscard]] std::uint16_t port() const noexcept;  // the one bound, where 0 was asked

 private:
  class server;
  std::unique_ptr<server> server_;
};

}  // namespace mongocached::daemon
