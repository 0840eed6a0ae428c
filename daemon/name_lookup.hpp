// Host names to addresses, for the whole process: of each name one look-up at a time, shared by all who want it, whose
// answer is kept for a few seconds. getaddrinfo() cannot be interrupted. So it runs on a few threads of its own, nobody
// who asks depends on their end, and those that hang are let go of when the process stops.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/time.hpp"
#include "daemon/asio_types.hpp"

namespace mongocached::daemon {

class name_lookup {
 public:
  struct answer {
    error_code error;
    std::vector<asio::ip::address> addresses;  // in the order in which they are to be tried
  };
  // Blocks, on a thread of the look-ups' own, and may hang.
  using resolver = std::function<answer(const std::string& host)>;
  using taker = std::function<void(const answer&)>;
  struct settings {
    resolver resolve;                                // empty: the system's
    std::function<cache::instant()> now;             // empty: CLOCK_BOOTTIME
    cache::duration keep = std::chrono::seconds(5);  // an answer; a failure is not kept
    // A look-up that takes longer is tried once more beside it, where there is a thread for that.
    cache::duration retry = std::chrono::seconds(10);
    std::size_t threads = 8;
    std::size_t hosts = 256;
  };

  name_lookup() : name_lookup(settings{}) {}
  explicit name_lookup(settings with);
  ~name_lookup();
  name_lookup(const name_lookup&) = delete;
  name_lookup& operator=(const name_lookup&) = delete;

  // Thread-safe. The answer, where it is known at once, as that for an address is. Else `later` gets it, on another
  // thread, where it must not block nor ask for another name; but not once `who` is gone.
  [[nodiscard]] std::optional<answer> find(const std::string& host, std::weak_ptr<const void> who, taker later);
  // Returns at once; nobody is told anything any more.
  void stop();

 private:
  class table;
  std::shared_ptr<table> table_;
};

}  // namespace mongocached::daemon
