// One data thread with real sessions between loopback clients and a scripted upstream.
#pragma once

#include <gtest/gtest.h>

#include "cache/write_plan.hpp"
#include "daemon/data_thread.hpp"
#include "daemon/listener.hpp"
#include "support/scripted_upstream.hpp"

namespace mongocached::daemon {

using namespace test_support;  // NOLINT: tests read as JSON

class session_world : public ::testing::Test {
 protected:
  // `names`: where the upstream is looked up; null: by the system.
  explicit session_world(std::shared_ptr<const config::settings> with = settings(),
                         std::shared_ptr<name_lookup> names = nullptr)
      : shared(std::move(with), log, 1) {
    if (names) shared.names = std::move(names);
    shared.max_connections = 100;
    shared.request_topology_check = [this] { ++topology_checks; };
    thread.set_upstream(std::make_shared<upstream_snapshot>(known()));
    thread.start();
    door.start();
  }
  ~session_world() override {
    door.stop();
    thread.stop();
  }

  // The upstream as the control plane would describe it.
  [[nodiscard]] upstream_snapshot known() const {
    upstream_snapshot out;
    out.kind = upstream_kind::replica_set;
    out.available = true;
    out.host = "127.0.0.1";
    out.port = upstream.port();
    out.hello = document{
        {"setName", "rs0"},
        {"hosts", array{"a:1"}},
        {"me", "a:1"},
        {"primary", "a:1"},
        {"setVersion", 1},
        {"secondary", false},
        {"electionId", object_id{}},
        {"lastWrite", document()},
        {"topologyVersion", document()},
        {"maxBsonObjectSize", 16'777'216},
        {"maxMessageSizeBytes", 48'000'000},
        {"maxWriteBatchSize", 100'000},
        {"logicalSessionTimeoutMinutes", 30},
        {"minWireVersion", 0},
        {"maxWireVersion",
         21}}.bytes();
    out.version = 1;
    return out;
  }
  void lose_upstream() {
    auto gone = known();
    gone.available = false;
    gone.description = "nobody is there";
    gone.version = 2;
    thread.set_upstream(std::make_shared<upstream_snapshot>(gone));
  }

  // By then the thread has seen what was stored before, settings for one, and swept its sessions.
  void wait_for_sweeps(std::uint64_t count = 2) const {
    const auto seen = thread.metrics.ticks.value();
    while (thread.metrics.ticks.value() < seen + count) std::this_thread::yield();
  }

  [[nodiscard]] std::uint16_t port() const { return door.bound().port; }
  [[nodiscard]] std::uint64_t closed(disconnect why) const {
    return thread.metrics.disconnects[static_cast<std::size_t>(why)].value();
  }
  [[nodiscard]] std::uint64_t counted(outcome how, std::string_view command) const {
    return thread.metrics.requests[static_cast<std::size_t>(how)][cache::command_label(command)].value();
  }
  [[nodiscard]] std::uint64_t timed(outcome how) const {
    const auto& histogram = thread.metrics.request_duration[static_cast<std::size_t>(how)];
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= duration_histogram::bounds.size(); ++i) sum += histogram.bucket(i);
    return sum;
  }
  [[nodiscard]] std::size_t finds() const { return upstream.count("find"); }

  static document find(int id = 1) {
    return document{{"find", "things"}, {"filter", document{{"_id", id}}}, {"$db", "shop"}};
  }
  static document update(int id = 1) {
    const document one{{"q", document{{"_id", id}}}, {"u", document{{"$set", document{{"x", 2}}}}}};
    return document{{"update", "things"}, {"updates", array{one}}, {"$db", "shop"}};
  }
  static document ping() { return document{{"ping", 1}, {"$db", "admin"}}; }
  static std::int64_t code_of(const document& reply) {
    const auto code = reply.view().find("code");
    return code ? must(code->integer()) : 0;
  }
  static bool is_ok(const document& reply) { return field_in(reply.view(), "ok").truthy() == true; }
  // Whether the reply carries the error label.
  static bool has_label(const document& reply, std::string_view label) {
    const auto labels = reply.view().find("errorLabels");
    if (!labels) return false;
    protocol::bson_element one;
    for (protocol::bson_cursor cursor(must(labels->document())); cursor.next(one);) {
      if (one.text() == label) return true;
    }
    return false;
  }

  static std::shared_ptr<const config::settings> settings() {
    auto out = std::make_shared<config::settings>();
    out->log.slow = {};
    return out;
  }
  // upstream.auth = "pooled", with so many connections. The constructor then calls log_in_without_a_user().
  static std::shared_ptr<const config::settings> pooled(std::uint32_t connections = 1) {
    auto out = std::make_shared<config::settings>(*settings());
    out->upstream.auth = config::auth_kind::pooled;
    out->upstream.pool_size = connections;
    return out;
  }
  void log_in_without_a_user() {
    std::string error;
    shared.account = upstream_account::make(upstream_uri{}, "1.0", error);
  }
  // One find to prove the right to read and to fill, one to see that it hits.
  void prime(loopback_client& by) {
    static_cast<void>(by.ask(find()));
    static_cast<void>(by.ask(find()));
    ASSERT_EQ(finds(), 1U);
  }

  scripted_upstream upstream;
  std::atomic<int> topology_checks{0};
  logger log{config::log_level::error, config::log_format::text};
  process shared;
  data_thread thread{shared, 0};
  listener door{{"127.0.0.1", 0}, {&thread}};
};

}  // namespace mongocached::daemon
