// Who this client is to the upstream, and what it has proven it may read (wire rules I1, I2). One session's; one
// thread.
#pragma once

#include <array>
#include <string>

#include "cache/authorization.hpp"

namespace mongocached::daemon {

class client_identity {
 public:
  explicit client_identity(cache::authorization& proofs) : proofs_(proofs) {}

  // An authentication was sent upstream, or a logout: what was proven before is void, and the identity is this
  // connection's alone until something better is known.
  void changing(std::string_view mechanism);
  // The upstream said that the conversation succeeded.
  void authenticated() noexcept { authenticated_ = true; }
  // Pooled: one that has not logged in has no proof and never gets one; whoever has shares them with all (I2).
  void shut_out();
  void let_in();
  // Proofs of this connection fall (codes 13, 18, 391).
  void revoke();

  [[nodiscard]] bool is_authenticated() const noexcept { return authenticated_; }
  // Authentication was at least attempted: the connection upstream is not interchangeable with another one.
  [[nodiscard]] bool is_bound() const noexcept { return bound_; }

  // SCRAM users share proofs with connections whose connectionStatus is equal; until that was asked, `wants_status`.
  [[nodiscard]] bool wants_status(cache::instant now) const noexcept {
    return authenticated_ && shareable_ && !shared_ && now >= status_again_at_;
  }
  void status(std::string_view users_and_roles);
  void status_unknown() noexcept { shareable_ = false; }
  // It was not told in time: not asked for again before `until`.
  void status_withheld(cache::instant until) noexcept { status_again_at_ = until; }

  // The upstream would not tell this client what kind of collection it is: not asked again for it before `until`.
  void kind_withheld(const cache::namespace_state& ns, cache::instant until) noexcept { withheld_ = {&ns, until}; }
  [[nodiscard]] bool is_kind_withheld(const cache::namespace_state& ns, cache::instant now) const noexcept {
    return withheld_.ns == &ns && now < withheld_.until;
  }

  [[nodiscard]] bool proven(const cache::namespace_state& ns, cache::instant now);
  void prove(const cache::namespace_state& ns, cache::instant sent, std::uint64_t epoch_when_sent);

 private:
  struct remembered {
    const cache::namespace_state* ns = nullptr;
    cache::instant until{};
    std::uint64_t epoch = 0;
  };

  struct {
    const cache::namespace_state* ns = nullptr;
    cache::instant until{};
  } withheld_;
  cache::authorization& proofs_;
  cache::identity id_ = cache::anonymous;
  bool bound_ = false;
  bool authenticated_ = false;
  bool shareable_ = false;
  bool shared_ = false;
  cache::instant status_again_at_{};
  std::array<remembered, 4> recent_{};
  std::size_t next_ = 0;
};

}  // namespace mongocached::daemon
