#include "daemon/metrics_exposition.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "cache/write_plan.hpp"

namespace mongocached::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;

class exposition {
 public:
  explicit exposition(std::span<const thread_metrics* const> blocks) : blocks_(blocks) {}

  void counter_family(const char* name, const char* help) {
    families_.push_back({name, help, MetricType::Counter, {}});
  }

  // Samples go to the family begun last.
  void sample(labels with, double value) {
    ClientMetric metric;
    metric.label = std::move(with);
    metric.counter.value = value;
    families_.back().metric.push_back(std::move(metric));
  }

  void single_counter(const char* name, const char* help, std::uint64_t value) {
    counter_family(name, help);
    sample({}, static_cast<double>(value));
  }

  void gauge_family(const char* name, const char* help) { families_.push_back({name, help, MetricType::Gauge, {}}); }

  void gauge_sample(labels with, double value) {
    ClientMetric metric;
    metric.label = std::move(with);
    metric.gauge.value = value;
    families_.back().metric.push_back(std::move(metric));
  }

  void single_gauge(const char* name, const char* help, double value) {
    gauge_family(name, help);
    gauge_sample({}, value);
  }

  void histogram_family(const char* name, const char* help) {
    families_.push_back({name, help, MetricType::Histogram, {}});
  }

  // `of` picks the histogram from a block.
  template <class Of>
  void histogram_sample(labels with, Of of) {
    ClientMetric metric;
    metric.label = std::move(with);
    auto& out = metric.histogram;
    for (std::size_t i = 0; i <= duration_histogram::bounds.size(); ++i) {
      for (const thread_metrics* const block : blocks_) out.sample_count += of(*block).bucket(i);
      const bool last = i == duration_histogram::bounds.size();
      out.bucket.push_back(
          {out.sample_count, last ? std::numeric_limits<double>::infinity() : duration_histogram::bounds[i]});
    }
    for (const thread_metrics* const block : blocks_) out.sample_sum += of(*block).sum_seconds();
    families_.back().metric.push_back(std::move(metric));
  }

  // `of` picks the counter from a block.
  template <class Of>
  [[nodiscard]] std::uint64_t sum(Of of) const {
    std::uint64_t total = 0;
    for (const thread_metrics* const block : blocks_) total += of(*block).value();
    return total;
  }

  // A gauge kept as two counters; read while they move, so the difference may be off by one for a moment, but not below
  // zero.
  template <class Begun, class Ended>
  [[nodiscard]] std::uint64_t difference(Begun begun, Ended ended) const {
    const std::uint64_t out = sum(ended);  // first: what ended has begun before
    const std::uint64_t in = sum(begun);
    return in > out ? in - out : 0;
  }

  // One counter a value of E, label `label`; `first` skips values that are no label.
  template <class E, class Of>
  void enum_counters(const char* name, const char* help, const char* label, Of of, std::size_t first = 0) {
    counter_family(name, help);
    for (std::size_t i = first; i < static_cast<std::size_t>(E::count_); ++i) {
      const std::uint64_t value = sum([&](const thread_metrics& block) -> const counter& { return of(block)[i]; });
      sample({{label, name_of(static_cast<E>(i))}}, static_cast<double>(value));
    }
  }

  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return std::move(out).str();
  }

 private:
  std::span<const thread_metrics* const> blocks_;
  std::vector<MetricFamily> families_;
};

void add_requests(exposition& to) {
  to.counter_family("mongocached_requests_total", "Requests from clients, by how they were answered and by command.");
  for (std::size_t o = 0; o < static_cast<std::size_t>(outcome::count_); ++o) {
    for (std::size_t c = 0; c < cache::command_label_count() && c < thread_metrics::max_commands; ++c) {
      const std::uint64_t value =
          to.sum([&](const thread_metrics& block) -> const counter& { return block.requests[o][c]; });
      to.sample({{"outcome", name_of(static_cast<outcome>(o))}, {"command", cache::command_label_name(c)}},
                static_cast<double>(value));
    }
  }
  to.histogram_family("mongocached_request_duration_seconds",
                      "Time from a whole request to its whole reply handed to the kernel, by how it was answered; "
                      "without getMores that await something.");
  for (std::size_t o = 0; o < static_cast<std::size_t>(outcome::count_); ++o) {
    to.histogram_sample(
        {{"outcome", name_of(static_cast<outcome>(o))}},
        [&](const thread_metrics& block) -> const duration_histogram& { return block.request_duration[o]; });
  }
  to.enum_counters<cache::bypass_reason>(
      "mongocached_bypass_total", "Reads that were neither answered from the cache nor stored, by reason.", "reason",
      [](const thread_metrics& block) -> const auto& { return block.bypass; }, 1);  // 0 is `none`
  to.single_counter("mongocached_unproven_misses_total",
                    "Misses of clients that had yet to prove, by this very read, that they may read the collection.",
                    to.sum([](const thread_metrics& block) -> const counter& { return block.unproven_misses; }));
}

void add_cache(exposition& to, const cache_gauges& cache) {
  to.counter_family("mongocached_invalidations_total",
                    "Invalidations of cached data, by what caused them; ttl: entries found in memory past their time.");
  for (std::size_t i = 0; i < static_cast<std::size_t>(invalidation_source::count_); ++i) {
    const auto source = static_cast<invalidation_source>(i);
    const auto told = to.sum([i](const thread_metrics& b) -> const counter& { return b.invalidations[i]; });
    to.sample({{"source", name_of(source)}},
              static_cast<double>(source == invalidation_source::ttl ? cache.expired : told));
  }
  to.enum_counters<fill_rejection>("mongocached_fills_rejected_total",
                                   "Answers of the upstream that were not stored, by reason.", "reason",
                                   [](const thread_metrics& block) -> const auto& { return block.fills_rejected; });
  to.single_gauge("mongocached_cache_entries", "Entries in this process' memory.", static_cast<double>(cache.entries));
  to.single_gauge("mongocached_cache_bytes", "Bytes that the entries in memory take.",
                  static_cast<double>(cache.bytes));
  to.single_gauge("mongocached_cache_limit_bytes", "Bytes that the entries in memory may take.",
                  static_cast<double>(cache.limit_bytes));
  to.single_gauge("mongocached_list_key_bytes",
                  "Bytes, beside the entries, that the keys of lists take by which writes find them.",
                  static_cast<double>(cache.list_key_bytes));
  to.single_counter("mongocached_evictions_total", "Entries dropped from memory for want of room.", cache.evictions);
  to.single_counter("mongocached_cache_refused_total", "Entries too large for the memory that there is.",
                    cache.refused);
  to.single_counter("mongocached_expired_total", "Entries found in memory past their time to live.", cache.expired);
  to.enum_counters<verification>("mongocached_verified_total",
                                 "Hits that were compared with the upstream's answer, by result.", "result",
                                 [](const thread_metrics& block) -> const auto& { return block.verified; });
  to.histogram_family("mongocached_staleness_seconds",
                      "Age of stale answers behind the write that made them stale, where known.");
  to.histogram_sample({}, [](const thread_metrics& block) -> const duration_histogram& { return block.staleness; });
  to.single_counter("mongocached_stale_served_total",
                    "Hits that only serve_stale_on_error allowed, while the upstream was away.",
                    to.sum([](const thread_metrics& block) -> const counter& { return block.stale_served; }));
}

void add_redis(exposition& to, const redis_gauges& redis) {
  to.single_gauge("mongocached_redis_up", "1 while Redis is in use and answers.", redis.up ? 1 : 0);
  to.single_gauge("mongocached_redis_configured", "1 if the settings name a Redis.", redis.configured ? 1 : 0);
  to.single_gauge("mongocached_redis_subscribed",
                  "1 while Redis tells at once what other processes invalidate; 0, too, where no mode asks for it.",
                  redis.subscribed ? 1 : 0);
  to.single_counter("mongocached_redis_commands_total", "Commands sent to Redis.", redis.commands);
  to.single_counter("mongocached_redis_errors_total", "Commands to Redis that failed or timed out.", redis.errors);
  to.histogram_family("mongocached_redis_duration_seconds",
                      "Time from what was asked of or told to Redis, invalidations and fills too, to the reply, or "
                      "until it was given up (redis.timeout).");
  to.histogram_sample({},
                      [](const thread_metrics& block) -> const duration_histogram& { return block.redis_duration; });
}

void add_upstream_compression(exposition& to) {
  using direction = compressed_bytes thread_metrics::*;
  const auto add = [&to](const char* name, const char* help, counter compressed_bytes::*form) {
    to.counter_family(name, help);
    const auto sample = [&](const char* label, direction way) {
      const auto bytes = to.sum([=](const thread_metrics& b) -> const counter& { return b.*way.*form; });
      to.sample({{"direction", label}}, static_cast<double>(bytes));
    };
    sample("sent", &thread_metrics::upstream_sent);
    sample("received", &thread_metrics::upstream_received);
  };
  add("mongocached_upstream_compressed_bytes_total",
      "Bytes of compressed messages to and from the upstream, as they travelled.", &compressed_bytes::wire);
  add("mongocached_upstream_uncompressed_bytes_total", "What the same messages would have taken without compression.",
      &compressed_bytes::plain);
}

void add_upstream(exposition& to, const exposition_input& input) {
  to.single_gauge("mongocached_upstream_up", "1 while clients can be sent to the upstream.", input.upstream_up ? 1 : 0);
  const std::uint64_t busy =
      to.difference([](const thread_metrics& b) -> const counter& { return b.upstream_busy_begun; },
                    [](const thread_metrics& b) -> const counter& { return b.upstream_busy_ended; });
  const std::uint64_t all = to.difference([](const thread_metrics& b) -> const counter& { return b.upstream_opened; },
                                          [](const thread_metrics& b) -> const counter& { return b.upstream_closed; });
  to.gauge_family("mongocached_upstream_connections",
                  "Connections to the upstream that carry clients' traffic, by state.");
  to.gauge_sample({{"state", "busy"}}, static_cast<double>(busy));
  to.gauge_sample({{"state", "idle"}}, static_cast<double>(all > busy ? all - busy : 0));
  to.histogram_family("mongocached_upstream_duration_seconds",
                      "Time from a request sent upstream to its reply, without getMores that await something.");
  to.histogram_sample({},
                      [](const thread_metrics& block) -> const duration_histogram& { return block.upstream_duration; });
  add_upstream_compression(to);
  to.single_gauge("mongocached_stream_up", "1 while the change stream that invalidates the cache is open.",
                  input.stream.up ? 1 : 0);
  to.gauge_family("mongocached_stream_state", "1 for the state that the change stream is in, as in /status.");
  for (const auto state : {stream_state::opened, stream_state::lost, stream_state::history_lost, stream_state::refused,
                           stream_state::denied}) {
    to.gauge_sample({{"state", name_of(state)}}, input.stream.state == state ? 1 : 0);
  }
  to.gauge_sample({{"state", "not asked for"}}, input.stream.state ? 0 : 1);
  to.single_gauge("mongocached_stream_lag_seconds", "How far the change stream is behind the cluster.",
                  input.stream.lag_seconds);
  to.single_counter("mongocached_stream_events_total", "Events received from the change stream.", input.stream.events);
}

void add_clients(exposition& to) {
  const std::uint64_t now = to.difference([](const thread_metrics& b) -> const counter& { return b.clients_opened; },
                                          [](const thread_metrics& b) -> const counter& { return b.clients_closed; });
  to.single_gauge("mongocached_client_connections", "Connections of clients now.", static_cast<double>(now));
  to.single_counter("mongocached_client_connections_total", "Connections of clients that were accepted.",
                    to.sum([](const thread_metrics& block) -> const counter& { return block.connections_total; }));
  to.enum_counters<disconnect>("mongocached_client_disconnects_total", "Connections of clients that ended, by reason.",
                               "reason", [](const thread_metrics& block) -> const auto& { return block.disconnects; });
}

void add_load(exposition& to, const load_gauges& load) {
  to.single_gauge("mongocached_requests_in_flight", "Requests that are not answered within their turn, now.",
                  static_cast<double>(load.in_flight));
  to.single_gauge("mongocached_buffered_bytes", "Bytes held for clients: requests, replies, what is not taken yet.",
                  static_cast<double>(load.buffered_bytes));
  to.single_gauge("mongocached_buffered_limit_bytes", "Bytes that may be held for clients.",
                  static_cast<double>(load.buffered_limit_bytes));
  to.enum_counters<shed_reason>("mongocached_shed_total", "Requests and clients that were refused, by reason.",
                                "reason", [](const thread_metrics& block) -> const auto& { return block.shed; });
}

void add_certificates(exposition& to, const std::vector<certificate_gauge>& certificates) {
  if (certificates.empty()) return;
  to.gauge_family("mongocached_certificate_expiry_timestamp_seconds",
                  "Until when, in seconds since the Unix epoch, the certificate is valid that is shown to clients or "
                  "to the upstream.");
  for (const auto& one : certificates) to.gauge_sample({{"side", one.side}}, one.ends_seconds);
}

void add_process(exposition& to, const exposition_input& input) {
  to.gauge_family("mongocached_build_info", "1; the labels say what runs.");
  to.gauge_sample({{"version", input.version}, {"compiler", __VERSION__}}, 1);
  to.single_counter("mongocached_log_lines_dropped_total", "Lines of the log that were lost: nobody took them in time.",
                    input.log_lines_dropped);
  const process_stats& p = input.process;
  to.counter_family("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
  to.sample({}, p.cpu_seconds);
  to.single_gauge("process_resident_memory_bytes", "Resident memory size in bytes.",
                  static_cast<double>(p.resident_memory_bytes));
  to.single_gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                  static_cast<double>(p.virtual_memory_bytes));
  to.single_gauge("process_open_fds", "Number of open file descriptors.", static_cast<double>(p.open_fds));
  to.single_gauge("process_max_fds", "Maximum number of open file descriptors.", static_cast<double>(p.max_fds));
  to.single_gauge("process_threads", "Number of threads.", static_cast<double>(p.threads));
  to.single_gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
                  p.start_time_seconds);
}

}  // namespace

std::string expose(const exposition_input& input) {
  exposition all(input.blocks);
  add_requests(all);
  add_cache(all, input.cache);
  add_redis(all, input.redis);
  add_upstream(all, input);
  add_clients(all);
  add_load(all, input.load);
  add_certificates(all, input.certificates);
  add_process(all, input);
  return all.text();
}

}  // namespace mongocached::daemon
