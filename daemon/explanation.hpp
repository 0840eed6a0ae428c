// What the cache would do with a command, as {mongocached: "explain"} tells it. Docs: docs/operations.md, "Ask the
// program".
//
// Without proof that the client may read the collection (wire rules I2, I4) only what follows from the command and the
// settings is told: whether it is cacheable, its kind, its namespace; and of the program's state whether the gate that
// the read would need is shut.
#pragma once

#include <optional>
#include <string>

#include "cache/bypass_reason.hpp"
#include "cache/coherence.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {

struct explanation {
  std::string ns;
  const char* kind = nullptr;                                // of look-up; null: none
  cache::bypass_reason reason = cache::bypass_reason::none;  // why it is never answered from the cache
  bool proven = false;
  // With proof; without it only that, or that the gate is shut.
  cache::bypass_reason not_now = cache::bypass_reason::none;  // why it would not be answered from the cache now
  bool has_state = false;                                     // what follows holds something
  cache::cacheability collection = cache::cacheability::unknown;
  cache::promise mode = cache::promise::ttl;
  cache::duration max_lag{};
  cache::duration ttl{};
  bool gate_open = false;
  std::optional<cache::duration> behind;  // since when the stream is known to be complete; empty: never, or no stream
  std::size_t asked = 0;                  // keys
  std::size_t in_memory = 0;
  std::size_t in_redis = 0;
  const char* holds = nullptr;         // of one key
  std::optional<cache::duration> age;  // since the read, of what memory holds
  std::optional<cache::duration> expires_in;
};

void append_explanation(protocol::bson_builder& out, const explanation& from);

}  // namespace mongocached::daemon
