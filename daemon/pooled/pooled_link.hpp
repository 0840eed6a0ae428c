// One connection of the pool: an upstream_link that logs in as the proxy's own user and is counted while it lives. One
// thread.
#pragma once

#include "daemon/metrics.hpp"
#include "daemon/pooled/login_state.hpp"
#include "daemon/pooled/pins.hpp"
#include "daemon/pooled/upstream_login.hpp"
#include "daemon/upstream_link.hpp"

namespace mongocached::daemon {

class pooled_link : public upstream_link {
 public:
  pooled_link(name_lookup& names, asio::io_context& context, poller& poller, thread_metrics& metrics,
              std::span<std::uint8_t> scratch)
      : upstream_link(names, context, poller, metrics, scratch) {
    metrics_.upstream_opened.add();
  }
  ~pooled_link() {
    close();
    metrics_.upstream_closed.add();
  }
  pooled_link(const pooled_link&) = delete;
  pooled_link& operator=(const pooled_link&) = delete;

  // After connect(). `why`: the reason where it is not done. `text_record`: see upstream_account::source(). `ours`
  // outlives the link.
  [[nodiscard]] task<login_outcome> log_in(upstream_account& account, const std::string& text_record,
                                           const protocol::compression_offer& ours, std::string& why);

  // Until a reply was read to the end nobody else may have it.
  [[nodiscard]] bool is_usable() { return !owes() && unread() == 0 && is_open() && !is_dead(); }
};

}  // namespace mongocached::daemon
