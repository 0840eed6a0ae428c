#include "daemon/metrics_exposition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <regex>
#include <sstream>

#include "cache/write_plan.hpp"

namespace mongocached::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

class MetricsExposition : public ::testing::Test {
 protected:
  std::string text() {
    const std::array<const thread_metrics*, 2> blocks{one_.get(), two_.get()};
    input_.blocks = blocks;
    input_.version = "1.2.3";
    return expose(input_);
  }

  exposition_input input_;
  std::unique_ptr<thread_metrics> one_ = std::make_unique<thread_metrics>();
  std::unique_ptr<thread_metrics> two_ = std::make_unique<thread_metrics>();
};

TEST_F(MetricsExposition, EveryPromisedNameIsThereFromTheStart) {
  const std::string all = text();
  for (const char* const name : {"mongocached_requests_total",
                                 "mongocached_bypass_total",
                                 "mongocached_unproven_misses_total",
                                 "mongocached_request_duration_seconds",
                                 "mongocached_invalidations_total",
                                 "mongocached_fills_rejected_total",
                                 "mongocached_cache_entries",
                                 "mongocached_cache_bytes",
                                 "mongocached_evictions_total",
                                 "mongocached_expired_total",
                                 "mongocached_cache_limit_bytes",
                                 "mongocached_list_key_bytes",
                                 "mongocached_verified_total",
                                 "mongocached_staleness_seconds",
                                 "mongocached_redis_up",
                                 "mongocached_redis_configured",
                                 "mongocached_redis_subscribed",
                                 "mongocached_redis_commands_total",
                                 "mongocached_redis_errors_total",
                                 "mongocached_redis_duration_seconds",
                                 "mongocached_upstream_up",
                                 "mongocached_upstream_connections",
                                 "mongocached_upstream_duration_seconds",
                                 "mongocached_upstream_compressed_bytes_total",
                                 "mongocached_upstream_uncompressed_bytes_total",
                                 "mongocached_stream_up",
                                 "mongocached_stream_state",
                                 "mongocached_stream_lag_seconds",
                                 "mongocached_stream_events_total",
                                 "mongocached_client_connections",
                                 "mongocached_client_connections_total",
                                 "mongocached_client_disconnects_total",
                                 "mongocached_requests_in_flight",
                                 "mongocached_buffered_bytes",
                                 "mongocached_buffered_limit_bytes",
                                 "mongocached_shed_total",
                                 "mongocached_build_info",
                                 "mongocached_log_lines_dropped_total",
                                 "process_cpu_seconds_total",
                                 "process_open_fds",
                                 "process_max_fds",
                                 "process_resident_memory_bytes",
                                 "process_virtual_memory_bytes",
                                 "process_start_time_seconds"}) {
    EXPECT_THAT(all, HasSubstr(std::string("# TYPE ") + name + " ")) << name;
    EXPECT_THAT(all, HasSubstr(std::string("# HELP ") + name + " ")) << name;
    EXPECT_TRUE(std::regex_search(all, std::regex(std::string("\n") + name + "(_count)?[{ ]"))) << name;
  }
}

TEST_F(MetricsExposition, EveryLabelValueIsThereFromTheStart) {
  const std::string all = text();
  for (std::size_t o = 0; o < static_cast<std::size_t>(outcome::count_); ++o) {
    const std::string name = name_of(static_cast<outcome>(o));
    EXPECT_THAT(all, HasSubstr("mongocached_request_duration_seconds_count{outcome=\"" + name + "\"} 0\n"));
    for (std::size_t c = 0; c < cache::command_label_count(); ++c) {
      EXPECT_THAT(all, HasSubstr("mongocached_requests_total{outcome=\"" + name + "\",command=\"" +
                                 cache::command_label_name(c) + "\"} 0\n"));
    }
  }
  for (std::size_t r = 1; r < static_cast<std::size_t>(cache::bypass_reason::count_); ++r) {
    EXPECT_THAT(all, HasSubstr(std::string("mongocached_bypass_total{reason=\"") +
                               name_of(static_cast<cache::bypass_reason>(r)) + "\"} 0\n"));
  }
  EXPECT_THAT(all, HasSubstr("mongocached_upstream_connections{state=\"idle\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_verified_total{result=\"mismatch\"} 0\n"));
  for (const char* const reason : {"in_flight", "memory", "connections", "no_upstream"}) {
    EXPECT_THAT(all, HasSubstr(std::string("mongocached_shed_total{reason=\"") + reason + "\"} 0\n"));
  }
  EXPECT_THAT(all, HasSubstr("mongocached_client_disconnects_total{reason=\"primary_changed\"} 0\n"));
}

TEST_F(MetricsExposition, ThreadsAreSummed) {
  one_->count(outcome::l1_hit, 1);
  two_->count(outcome::l1_hit, 1);
  two_->count(outcome::l1_hit, 1);
  const std::string command = cache::command_label_name(1);
  EXPECT_THAT(text(), HasSubstr("mongocached_requests_total{outcome=\"l1_hit\",command=\"" + command + "\"} 3\n"));
}

// It was promised, and stayed at 0.
TEST_F(MetricsExposition, AnEntryThatExpiredIsAnInvalidationToo) {
  input_.cache.expired = 7;
  one_->invalidations[static_cast<std::size_t>(invalidation_source::write)].add();
  EXPECT_THAT(text(), HasSubstr("mongocached_invalidations_total{source=\"ttl\"} 7\n"));
  EXPECT_THAT(text(), HasSubstr("mongocached_invalidations_total{source=\"write\"} 1\n"));
  EXPECT_THAT(text(), HasSubstr("mongocached_expired_total 7\n"));
}

TEST_F(MetricsExposition, HistogramsAreCumulative) {
  auto& first = one_->request_duration[static_cast<std::size_t>(outcome::miss)];
  auto& second = two_->request_duration[static_cast<std::size_t>(outcome::miss)];
  first.observe(5us);
  second.observe(20us);
  second.observe(60s);
  const std::string all = text();
  EXPECT_THAT(all, HasSubstr("mongocached_request_duration_seconds_bucket{outcome=\"miss\",le=\"1e-05\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_request_duration_seconds_bucket{outcome=\"miss\",le=\"10\"} 2\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_request_duration_seconds_bucket{outcome=\"miss\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_request_duration_seconds_count{outcome=\"miss\"} 3\n"));
}

TEST_F(MetricsExposition, GaugesFromPairsOfCountersNeverFallBelowZero) {
  one_->upstream_opened.add(3);
  two_->upstream_closed.add(1);
  one_->upstream_busy_begun.add(1);
  one_->clients_closed.add(2);  // read while they move
  one_->clients_opened.add(1);
  const std::string all = text();
  EXPECT_THAT(all, HasSubstr("mongocached_upstream_connections{state=\"busy\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_upstream_connections{state=\"idle\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_client_connections 0\n"));
}

TEST_F(MetricsExposition, GaugesAreWhatWasPassedIn) {
  input_.cache.bytes = 268435456;
  input_.cache.list_key_bytes = 4096;
  input_.redis.up = true;
  input_.redis.configured = true;
  input_.redis.subscribed = true;
  input_.load = {.buffered_bytes = 70'000, .buffered_limit_bytes = 80'000, .in_flight = 3};
  input_.log_lines_dropped = 12;
  input_.stream.lag_seconds = 0.25;
  input_.stream.state = stream_state::denied;
  const std::string all = text();
  EXPECT_THAT(all, HasSubstr("mongocached_cache_bytes 268435456\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_list_key_bytes 4096\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_redis_up 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_redis_configured 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_redis_subscribed 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_buffered_bytes 70000\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_buffered_limit_bytes 80000\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_requests_in_flight 3\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_log_lines_dropped_total 12\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_stream_lag_seconds 0.25\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_stream_state{state=\"denied\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_stream_state{state=\"opened\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_stream_state{state=\"not asked for\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("mongocached_build_info{version=\"1.2.3\""));
}

TEST_F(MetricsExposition, CertificatesAreThereOnlyWhereTheyAreShown) {
  EXPECT_THAT(text(), Not(HasSubstr("mongocached_certificate")));
  input_.certificates = {{"listen", 1'800'000'000}};
  EXPECT_THAT(text(), HasSubstr("mongocached_certificate_expiry_timestamp_seconds{side=\"listen\"} 1800000000\n"));
}

TEST_F(MetricsExposition, EveryLineIsASampleOrAComment) {
  const std::regex sample(
      R"(^[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9eE.+-]+|[a-z_]+_bucket\{.*le="\+Inf"\} [0-9]+$)");
  std::istringstream lines(text());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.rfind("# ", 0) == 0 || std::regex_match(line, sample)) << line;
  }
}

}  // namespace
}  // namespace mongocached::daemon
