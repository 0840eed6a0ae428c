#include "daemon/explanation.hpp"

#include "daemon/json_text.hpp"
#include "daemon/milliseconds.hpp"

namespace mongocached::daemon {
namespace {

using cache::bypass_reason;
using protocol::bson_builder;

void append_gate(bson_builder& out, const explanation& from) {
  auto gate = out.open_document("gate");
  gate.append_bool("open", from.gate_open);
  if (from.mode == cache::promise::ttl) return;
  if (from.behind) gate.append_int64("behind_ms", milliseconds(*from.behind));
  if (from.gate_open) return;
  gate.append_string("why", from.behind ? "the change stream is not known to be within max_lag"
                                        : "the change stream is not known to be complete yet");
}

void append_cached(bson_builder& out, const explanation& from) {
  const bool complete = from.asked > 0 && from.in_memory + from.in_redis == from.asked;
  if (!complete) {
    out.append_bool("cached", false);
  } else {
    out.append_string("cached", from.in_redis == 0 ? "memory" : "redis");
  }
  if (from.asked > 1) {
    auto keys = out.open_document("keys");
    keys.append_int64("asked", static_cast<std::int64_t>(from.asked));
    keys.append_int64("memory", static_cast<std::int64_t>(from.in_memory));
    keys.append_int64("redis", static_cast<std::int64_t>(from.in_redis));
  }
  if (!complete) return;
  if (from.holds != nullptr) out.append_string("holds", from.holds);
  if (from.age) out.append_int64("age_ms", milliseconds(*from.age));
  if (from.expires_in) out.append_int64("expires_in_ms", milliseconds(*from.expires_in));
}

void append_state(bson_builder& out, const explanation& from) {
  out.append_string("collection", name_of(from.collection));
  out.append_string("mode", cache::name_of(from.mode));
  if (from.mode != cache::promise::ttl) out.append_int64("max_lag_ms", milliseconds(from.max_lag));
  out.append_int64("ttl_ms", milliseconds(from.ttl));
  append_gate(out, from);
  append_cached(out, from);
}

}  // namespace

void append_explanation(bson_builder& out, const explanation& from) {
  out.append_bool("cacheable", from.reason == bypass_reason::none);
  if (from.reason != bypass_reason::none) out.append_string("reason", name_of(from.reason));
  out.append_string("namespace", valid_utf8(from.ns));
  if (from.kind != nullptr) out.append_string("kind", from.kind);
  out.append_bool("proven", from.proven);
  if (from.has_state) append_state(out, from);
  if (from.not_now != bypass_reason::none) out.append_string("not_now", name_of(from.not_now));
}

}  // namespace mongocached::daemon
