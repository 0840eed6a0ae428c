// One request that is with a flow, counted among those of the whole process while this lives.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace mongocached::daemon {

class in_flight_request {
 public:
  using count = std::atomic<std::uint32_t>;

  in_flight_request() noexcept = default;  // not counted
  explicit in_flight_request(count& in_flight) noexcept
      : in_flight_(&in_flight), before_(in_flight.fetch_add(1, std::memory_order_relaxed)) {}
  in_flight_request(in_flight_request&& other) noexcept
      : in_flight_(std::exchange(other.in_flight_, nullptr)), before_(other.before_) {}
  in_flight_request& operator=(in_flight_request&& other) noexcept {
    std::swap(in_flight_, other.in_flight_);
    std::swap(before_, other.before_);
    return *this;
  }
  ~in_flight_request() { leave(); }

  // It is one of the first `limit`.
  [[nodiscard]] bool is_within(std::uint32_t limit) const noexcept { return before_ < limit; }
  void leave() noexcept {
    if (in_flight_ != nullptr) in_flight_->fetch_sub(1, std::memory_order_relaxed);
    in_flight_ = nullptr;
  }

 private:
  count* in_flight_ = nullptr;
  std::uint32_t before_ = 0;
};

}  // namespace mongocached::daemon
