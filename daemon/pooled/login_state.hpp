// How the last login of the proxy's own user on a connection of the pool ended: what /readyz says, and whether a
// request that needs a new connection tries again. After a refusal one try is made at a time, so that neither clients
// wait for what will not come nor the upstream gets a login a request. Any thread.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "cache/time.hpp"

namespace mongocached::daemon {

enum class login_outcome : std::uint8_t {
  done,
  lost,     // the connection, or the server's mind: another try may do
  refused,  // the server does not take this user, mechanism or password, or is not the one it should be
};

class login_state {
 public:
  static constexpr cache::duration between_tries = std::chrono::seconds(1);

  // `why`: for people, without secrets.
  void ended(login_outcome how, const std::string& why) {
    if (how == login_outcome::lost) return;  // says nothing about the user
    const std::scoped_lock lock(mutex_);
    why_ = how == login_outcome::done ? std::string() : why;
    last_ = how == login_outcome::done ? last::good : last::refused;
  }
  // After a refusal: only for who is the first since `between_tries`.
  [[nodiscard]] bool may_try(cache::instant now) {
    if (!is_refused()) return true;
    const std::scoped_lock lock(mutex_);
    if (now < next_try_) return false;
    next_try_ = now + between_tries;
    return true;
  }
  [[nodiscard]] bool is_refused() const noexcept { return last_.load() == last::refused; }
  // It has logged in, and was not refused since.
  [[nodiscard]] bool is_good() const noexcept { return last_.load() == last::good; }
  [[nodiscard]] std::string why() const {
    const std::scoped_lock lock(mutex_);
    return why_;
  }

 private:
  enum class last : std::uint8_t { none, good, refused };
  std::atomic<last> last_{last::none};
  mutable std::mutex mutex_;
  std::string why_;
  cache::instant next_try_{};
};

}  // namespace mongocached::daemon
