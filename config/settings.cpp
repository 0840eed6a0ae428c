#include "config/settings.hpp"

namespace mongocached::config {

const char* name_of(pose_kind value) noexcept {
  return value == pose_kind::mongos ? "mongos" : "replica_set";
}
const char* name_of(auth_kind value) noexcept {
  return value == auth_kind::passthrough ? "passthrough" : "pooled";
}
const char* name_of(log_format value) noexcept {
  return value == log_format::text ? "text" : "json";
}

const char* name_of(cache_mode value) noexcept {
  switch (value) {
    case cache_mode::bounded:
      return "bounded";
    case cache_mode::strict:
      return "strict";
    case cache_mode::ttl:
      return "ttl";
  }
  return "";
}

const char* name_of(log_level value) noexcept {
  switch (value) {
    case log_level::trace:
      return "trace";
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warn:
      return "warn";
    case log_level::error:
      return "error";
  }
  return "";
}

bool endpoint::is_loopback() const {
  if (host == "localhost" || host == "::1") return true;
  // 127.0.0.0/8 in digits: a name such as 127.example.com is somewhere else.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string to_string(const endpoint& value) {
  const bool brackets = value.host.find(':') != std::string::npos;
  return (brackets ? "[" + value.host + "]" : value.host) + ":" + std::to_string(value.port);
}

bool collection_rule::matches(std::string_view ns) const noexcept {
  const std::string_view text{pattern};
  if (text.ends_with('*')) return ns.starts_with(text.substr(0, text.size() - 1));
  return ns == text;
}

cache_settings settings::cache_for(std::string_view ns) const {
  const collection_rule* best = nullptr;
  for (const auto& rule : collections) {
    if (!rule.matches(ns)) continue;
    const bool exact = !rule.pattern.ends_with('*');
    if (best == nullptr || exact || rule.pattern.size() > best->pattern.size()) best = &rule;
    if (exact) break;
  }
  auto out = cache;
  if (best == nullptr) return out;
  out.enabled = best->enabled.value_or(out.enabled);
  out.memory = best->memory.value_or(out.memory);
  out.max_entry = best->max_entry.value_or(out.max_entry);
  out.ttl = best->ttl.value_or(out.ttl);
  out.negative_ttl = best->negative_ttl.value_or(out.negative_ttl);
  out.mode = best->mode.value_or(out.mode);
  out.max_lag = best->max_lag.value_or(out.max_lag);
  out.serve_stale_on_error = best->serve_stale_on_error.value_or(out.serve_stale_on_error);
  out.verify_share = best->verify_share.value_or(out.verify_share);
  return out;
}

}  // namespace mongocached::config
