#include "daemon/metrics.hpp"

#include <algorithm>

namespace mongocached::daemon {

const char* name_of(outcome o) noexcept {
  switch (o) {
    case outcome::l1_hit:
      return "l1_hit";
    case outcome::redis_hit:
      return "redis_hit";
    case outcome::coalesced:
      return "coalesced";
    case outcome::miss:
      return "miss";
    case outcome::bypass:
      return "bypass";
    case outcome::write:
      return "write";
    case outcome::local:
      return "local";
    case outcome::error:
      return "error";
    case outcome::count_:
      break;
  }
  return "";
}

const char* name_of(disconnect d) noexcept {
  switch (d) {
    case disconnect::client_closed:
      return "client_closed";
    case disconnect::client_error:
      return "client_error";
    case disconnect::bad_frame:
      return "bad_frame";
    case disconnect::not_mongodb:
      return "not_mongodb";
    case disconnect::tls_failed:
      return "tls_failed";
    case disconnect::bad_message:
      return "bad_message";
    case disconnect::bad_checksum:
      return "bad_checksum";
    case disconnect::unsupported_opcode:
      return "unsupported_opcode";
    case disconnect::stalled:
      return "stalled";
    case disconnect::upstream_lost:
      return "upstream_lost";
    case disconnect::primary_changed:
      return "primary_changed";
    case disconnect::user_changed:
      return "user_changed";
    case disconnect::too_many:
      return "too_many";
    case disconnect::no_room:
      return "no_room";
    case disconnect::shutdown:
      return "shutdown";
    case disconnect::internal:
      return "internal";
    case disconnect::count_:
      break;
  }
  return "";
}

const char* name_of(invalidation_source s) noexcept {
  switch (s) {
    case invalidation_source::write:
      return "write";
    case invalidation_source::stream:
      return "stream";
    case invalidation_source::push:
      return "push";
    case invalidation_source::admin:
      return "admin";
    case invalidation_source::ttl:
      return "ttl";
    case invalidation_source::count_:
      break;
  }
  return "";
}

const char* name_of(fill_rejection r) noexcept {
  switch (r) {
    case fill_rejection::dirty:
      return "dirty";
    case fill_rejection::lease:
      return "lease";
    case fill_rejection::fence:
      return "fence";
    case fill_rejection::size:
      return "size";
    case fill_rejection::epoch:
      return "epoch";
    case fill_rejection::generation:
      return "generation";
    case fill_rejection::memory:
      return "memory";
    case fill_rejection::reply:
      return "reply";
    case fill_rejection::primary:
      return "primary";
    case fill_rejection::count_:
      break;
  }
  return "";
}

const char* name_of(shed_reason r) noexcept {
  switch (r) {
    case shed_reason::in_flight:
      return "in_flight";
    case shed_reason::memory:
      return "memory";
    case shed_reason::connections:
      return "connections";
    case shed_reason::no_upstream:
      return "no_upstream";
    case shed_reason::count_:
      break;
  }
  return "";
}

const char* name_of(verification v) noexcept {
  switch (v) {
    case verification::match:
      return "match";
    case verification::stale:
      return "stale";
    case verification::mismatch:
      return "mismatch";
    case verification::unclear:
      return "unclear";
    case verification::count_:
      break;
  }
  return "";
}

void duration_histogram::observe(cache::duration took) noexcept {
  // A clock that stands still or a caller's mix-up must not subtract from the sum.
  const std::int64_t ns = std::max<std::int64_t>(took.count(), 0);
  const double seconds = static_cast<double>(ns) * 1e-9;
  const auto* const at = std::lower_bound(bounds.begin(), bounds.end(), seconds);  // bounds are inclusive
  buckets_[static_cast<std::size_t>(at - bounds.begin())].add();
  sum_ns_.add(static_cast<std::uint64_t>(ns));
}

}  // namespace mongocached::daemon
