// Hears what other processes invalidate (push_message.hpp). Asio and hiredis stay out of this header.
#pragma once

#include <functional>
#include <memory>

#include "cache/store/push_message.hpp"

namespace mongocached::cache {

// Made by redis_hub::make_subscriber(). Keeps one connection subscribed for as long as it lives, again with back-off
// after it was lost; what is said in between is not heard. It says nothing of the hub being up. Used on the thread of
// its io_context, and destroyed there or after that stopped, before the io_context is; the handler may destroy it.
class push_subscriber {
 public:
  using handler = std::function<void(const push_message&)>;

  virtual ~push_subscriber() = default;
  // Redis has acknowledged the subscription, on the connection there is now.
  [[nodiscard]] virtual bool subscribed() const noexcept = 0;
};

}  // namespace mongocached::cache
