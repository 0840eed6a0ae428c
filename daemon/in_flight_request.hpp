// One request that is with a flow, counted among those of the whole process while this lives.
#pragma once

#include <atomic>
#include <cstdint>

namespace mongocached::daemon {

class in_flight_request {
 public:
  using count = std::atomic<std::uint32_t>;

  explicit in_flight_request(count& in_flight) noexcept
      : in_flight_(&in_flight), before_(in_flight.fetch_add(1, std::memory_order_relaxed)) {}
  ~in_flight_request() { leave(); }
  in_flight_request(const in_flight_request&) = delete;
  in_flight_request& operator=(const in_flight_request&) = delete;

  // It is one of the first `limit`.
  [[nodiscard]] bool is_within(std::uint32_t limit) const noexcept { return before_ < limit; }
  void leave() noexcept {
    if (in_flight_ != nullptr) in_flight_->fetch_sub(1, std::memory_order_relaxed);
    in_flight_ = nullptr;
  }

 private:
  count* in_flight_;
  const std::uint32_t before_;
};

}  // namespace mongocached::daemon
