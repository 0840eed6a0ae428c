#include "daemon/status.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "config/print.hpp"
#include "daemon/json_document.hpp"
#include "daemon/json_text.hpp"
#include "daemon/milliseconds.hpp"

namespace mongocached::daemon {
namespace {

namespace json = boost::json;

std::uint64_t bypassed(const status_input& in, std::size_t reason) {
  std::uint64_t sum = 0;
  for (const auto& thread : in.threads) sum += thread->metrics.bypass[reason].value();
  return sum;
}

std::uint64_t requests(const status_input& in, outcome how) {
  std::uint64_t sum = 0;
  for (const auto& thread : in.threads) {
    for (const auto& command : thread->metrics.requests[static_cast<std::size_t>(how)]) sum += command.value();
  }
  return sum;
}

double ratio(std::uint64_t part, std::uint64_t rest) {
  return part + rest == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(part + rest);
}

// One of [section], or one more of [[section]]: "collection[2]".
json::object& add_section(json::object& to, std::string_view name) {
  const auto bracket = name.find('[');
  auto& place = to[name.substr(0, bracket)];
  if (bracket == std::string_view::npos) return place.emplace_object();
  if (!place.is_array()) place.emplace_array();
  return place.get_array().emplace_back(json::object()).get_object();
}

// Every key as the file would have it; describe() masks what is secret.
json::object all_settings(const config::settings& s) {
  json::object out;
  json::object* section = nullptr;
  std::string current;
  for (const auto& [key, text] : config::describe(s)) {
    const auto dot = key.find('.');
    if (section == nullptr || key.substr(0, dot) != current) {
      current = key.substr(0, dot);
      section = &add_section(out, current);
    }
    (*section)[key.substr(dot + 1)] = text;
  }
  return out;
}

json::object settings_of(const config::settings& s) {
  return {{"all", all_settings(s)},
          {"listen", to_string(s.listen.address)},
          {"upstream", s.upstream.uri.masked()},
          {"redis", s.redis.uri ? s.redis.uri->masked() : "none"},
          {"cache",
           {{"enabled", s.cache.enabled},
            {"memory_bytes", s.cache.memory},
            {"max_entry_bytes", s.cache.max_entry},
            {"ttl_ms", milliseconds(s.cache.ttl)},
            {"negative_ttl_ms", milliseconds(s.cache.negative_ttl)},
            {"mode", name_of(s.cache.mode)},
            {"max_lag_ms", milliseconds(s.cache.max_lag)},
            {"serve_stale_on_error_ms", milliseconds(s.cache.serve_stale_on_error)},
            {"verify_share", s.cache.verify_share}}}};
}

json::object outcomes_of(const status_input& in) {
  json::object out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(outcome::count_); ++i) {
    const auto how = static_cast<outcome>(i);
    out[name_of(how)] = requests(in, how);
  }
  return out;
}

json::array reasons_of(const status_input& in) {
  std::vector<std::pair<std::uint64_t, const char*>> reasons;
  for (std::size_t i = 1; i < static_cast<std::size_t>(cache::bypass_reason::count_); ++i) {
    if (const auto n = bypassed(in, i); n > 0) reasons.emplace_back(n, name_of(static_cast<cache::bypass_reason>(i)));
  }
  std::ranges::sort(reasons, std::greater<>{});
  json::array out;
  for (const auto& [n, name] : reasons) out.push_back({{"reason", name}, {"requests", n}});
  return out;
}

// No value of a client's is in them (query_shape.hpp).
json::array uncached_queries_of(const status_input& in) {
  constexpr std::size_t most = 20;
  std::vector<uncached_queries::summary> parts;
  parts.reserve(in.threads.size());
  for (const auto& thread : in.threads) parts.push_back(thread->uncached.now());
  json::array out;
  for (const auto& query : cache::merge<uncached_query>(parts)) {
    if (out.size() == most) break;
    out.push_back({{"shape", query.what.shape},
                   {"namespace", query.what.ns},
                   {"reason", name_of(query.what.reason)},
                   {"requests", query.count},
                   {"at_most_over", query.over}});
  }
  return out;
}

json::array namespaces_of(const status_input& in) {
  auto& coherence = in.shared.coherence;
  std::map<std::string, std::uint64_t, std::less<>> entries;
  coherence.local().erase_if([&entries](const cache::entry& e) {
    const auto name = cache::namespace_of(e.key());
    auto count = entries.find(name);
    if (count == entries.end()) count = entries.emplace(name, 0).first;
    ++count->second;
    return false;
  });
  json::array out;
  for (auto* ns : coherence.namespaces().all()) {
    out.push_back({{"namespace", valid_utf8(ns->name())},
                   {"collection", name_of(ns->last_known())},
                   {"hits", ns->hits()},
                   {"misses", ns->misses()},
                   {"hit_ratio", ratio(ns->hits(), ns->misses())},
                   {"entries", entries[ns->name()]}});
  }
  return out;
}

json::array servers_of(const upstream_snapshot& upstream) {
  json::array out;
  for (const auto& server : upstream.servers) {
    out.push_back({{"host", server.host}, {"port", server.port}, {"type", name_of(server.type)}});
  }
  return out;
}

// What is offered to servers, and how many connections use what.
json::object compression_of(const status_input& in) {
  json::array offered;
  json::object connections;
  for (const auto one : in.shared.compression.compressors.all()) {
    const auto index = static_cast<std::size_t>(one);
    std::uint64_t closed = 0;  // first: see exposition::difference
    std::uint64_t all = 0;
    for (const auto& thread : in.threads) closed += thread->metrics.upstream_agreed_closed[index].value();
    for (const auto& thread : in.threads) all += thread->metrics.upstream_agreed[index].value();
    offered.emplace_back(protocol::name_of(one));
    connections[protocol::name_of(one)] = all - closed;
  }
  return {{"offered", std::move(offered)}, {"connections", std::move(connections)}};
}

const char* text_of(cache::promise mode) noexcept {
  switch (mode) {
    case cache::promise::bounded:
      return "writes through this proxy are seen at once; every other write within max_lag, as a rule in a fraction of "
             "it";
    case cache::promise::strict:
      return "look-ups by _id are checked in Redis at each hit: writes through any proxy are seen at once, others "
             "within max_lag";
    case cache::promise::ttl:
      break;
  }
  return "writes through this proxy are seen at once; other writes after at most ttl";
}

// How stale can an answer be? Of the mode that is in force for [cache], whatever was asked for.
json::object freshness_of(const status_input& in, const config::settings& settings) {
  const auto& cache = settings.cache;
  const auto mode = promise_of(cache.mode, in.shared.stream_refused.load());
  json::object out{{"mode", cache::name_of(mode)},
                   {"promise", text_of(mode)},
                   {"serve_stale_on_error_ms", milliseconds(cache.serve_stale_on_error)}};
  if (mode == cache::promise::ttl) {
    out["ttl_ms"] = milliseconds(cache.ttl);
  } else {
    out["max_lag_ms"] = milliseconds(cache.max_lag);
  }
  return out;
}

json::object stream_of(const status_input& in) {
  if (!in.stream) return {{"up", false}, {"state", "not asked for"}, {"lag_ms", nullptr}};
  const bool known = in.stream->lag >= cache::duration{};
  return {{"up", in.stream->open},
          {"state", name_of(in.stream->state)},
          {"reason", in.stream->reason},
          {"lag_ms", known ? json::value(milliseconds(in.stream->lag)) : json::value(nullptr)},
          {"events", in.stream->events}};
}

json::object status_of(const status_input& in) {
  const auto settings = in.shared.settings.load();
  const auto stats = in.shared.local.stats();
  const auto hits = requests(in, outcome::l1_hit) + requests(in, outcome::redis_hit) + requests(in, outcome::coalesced);
  std::size_t clients = 0;
  for (const auto& thread : in.threads) clients += thread->session_count();
  json::object all_of_it{
      {"version", in.version},
      {"uptime_seconds", std::chrono::duration<double>(in.uptime).count()},
      {"settings", settings_of(*settings)},
      {"freshness", freshness_of(in, *settings)},
      {"upstream",
       {{"kind", name_of(in.upstream->kind)},
        {"available", in.upstream->available},
        {"description", in.upstream->description},
        {"target", in.upstream->host + ':' + std::to_string(in.upstream->port)},
        {"servers", servers_of(*in.upstream)},
        {"compression", compression_of(in)}}},
      {"redis",
       {{"configured", settings->redis.uri.has_value()},
        {"up", in.redis != nullptr && in.redis->up()},
        {"state", in.redis_state},
        {"covered", in.shared.redis_covered.load()},
        {"subscribed", in.redis != nullptr && in.redis->subscribed()},
        {"cluster_id", in.redis != nullptr ? json::value(in.redis->cluster_id()) : json::value(nullptr)}}},
      {"stream", stream_of(in)},
      {"clients", clients},
      {"overload",
       {{"in_flight", in.shared.in_flight.load()},
        {"max_in_flight", settings->listen.max_in_flight},
        {"buffered_bytes", in.shared.buffers.used()},
        {"max_buffered_bytes", in.shared.buffers.limit()}}},
      {"cache",
       {{"entries", stats.entries},
        {"bytes", stats.bytes},
        {"limit_bytes", stats.limit_bytes},
        {"evictions", stats.evictions},
        {"expired", stats.expired}}},
      {"requests", outcomes_of(in)},
      {"hit_ratio", ratio(hits, requests(in, outcome::miss))},
      {"not_served_from_cache", reasons_of(in)},
      {"uncached_queries", uncached_queries_of(in)},
      {"namespaces", namespaces_of(in)}};
  return all_of_it;
}

}  // namespace

std::string status_json(const status_input& in) {
  return json::serialize(status_of(in));
}

void append_status(protocol::bson_builder& out, const status_input& in) {
  append_members(out, status_of(in));
}

}  // namespace mongocached::daemon
