// OP_COMPRESSED between a session and its upstream where something is amiss: replies that are none, and no room.
#include <gtest/gtest.h>

#include "compression_world.hpp"

namespace mongocached::daemon {
namespace {

class UpstreamCompressionFaults : public compression_world {
 protected:
  using compression_world::compression_world;
};

TEST_F(UpstreamCompressionFaults, what_is_broken_ends_the_connection) {
  const auto patched = [](std::size_t at, auto value) {
    return [=](const asked& q) {
      auto out = compressed(reply_to(q), compressor::zstd);
      protocol::store_le(out.data() + at, value);
      return out;
    };
  };
  EXPECT_EQ(agreed(), compressor::zstd);
  expect_lost(patched(16, std::int32_t{2012}));        // nested
  expect_lost(patched(20, std::int32_t{-1}));          // inside: less than nothing
  expect_lost(patched(20, std::int32_t{48'000'000}));  // more than a message may have
  expect_lost(patched(20, std::int32_t{47'999'984}));  // as much as one may have, but not what is there
  expect_lost(patched(20, std::int32_t{10}));          // less than is there
  for (const int number : {0, 1, 4, 255}) expect_lost(patched(24, static_cast<std::uint8_t>(number)));
  expect_lost(patched(30, std::uint64_t{0x1234567812345678}));  // damaged
  for (const std::size_t size : {16UL, 20UL, 24UL}) {
    expect_lost([size](const asked& q) {
      auto out = compressed(reply_to(q), compressor::zstd);
      out.resize(size);
      fix_length(out);
      return out;
    });
  }
  wait_until([this] { return shared.buffers.used() == 0; });
}

TEST_F(UpstreamCompressionFaults, what_was_not_agreed_on_ends_the_connection) {
  server_has(array{"zlib"});
  expect_lost([](const asked& q) { return compressed(reply_to(q), compressor::zstd); });
  server_has(array{});
  loopback_client fresh(port());
  EXPECT_TRUE(is_ok(fresh.ask(ping())));
  expect_lost([](const asked& q) { return compressed(reply_to(q), compressor::zlib); });
}

TEST_F(UpstreamCompressionFaults, what_was_not_offered_ends_the_connection) {
  shared.compression = {};
  expect_lost([](const asked& q) { return compressed(reply_to(q), compressor::zlib); });
}

TEST_F(UpstreamCompressionFaults, a_large_reply_waits_for_room) {
  EXPECT_TRUE(is_ok(client.ask(ping())));
  upstream.on("aggregate", [](const asked&) { return large_reply(300'000); });
  auto nearly_all = shared.buffers.hold(shared.buffers.limit() - 1000);
  ASSERT_FALSE(shared.buffers.is_short());
  client.send(aggregate());
  wait_until([this] { return shared.buffers.is_short(); });  // somebody is in line
  nearly_all.release();
  EXPECT_EQ(client.reply().bytes(), large_reply(300'000).bytes());
  wait_until([this] { return shared.buffers.used() == 0; });
}

TEST_F(UpstreamCompressionFaults, a_small_reply_needs_no_room) {
  EXPECT_TRUE(is_ok(client.ask(ping())));
  upstream.on("aggregate", [](const asked&) { return large_reply(20'000); });
  const auto everything = shared.buffers.hold(shared.buffers.limit());
  EXPECT_EQ(client.ask(aggregate()).bytes(), large_reply(20'000).bytes());
}

TEST_F(UpstreamCompressionFaults, what_the_proxy_asks_for_itself_needs_no_room) {
  upstream.on("listCollections", [](const asked&) {
    return collection_listed("collection", document{{"validator", document{{"x", std::string(60'000, 'v')}}}});
  });
  shared.buffers.set_limit(1'000'000);
  const auto others = shared.buffers.hold(950'000);
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(upstream.last("listCollections").with, compressor::zstd);
}

TEST_F(UpstreamCompressionFaults, a_hello_for_whose_reply_there_is_no_room_is_not_made_up) {
  shared.compression = {};
  upstream.on("hello", [](const asked&) { return document{{"pad", std::string(100'000, 'h')}, {"ok", 1.0}}; });
  shared.buffers.set_limit(1'000'000);
  const auto others = shared.buffers.hold(950'000);
  client.send(document{{"hello", 1}, {"saslSupportedMechs", "admin.ann"}, {"$db", "admin"}});
  EXPECT_TRUE(client.is_closed_by_peer());
}

class UpstreamCompressionCrowded : public UpstreamCompressionFaults {
 protected:
  UpstreamCompressionCrowded() : UpstreamCompressionFaults(impatient()) {}
  static std::shared_ptr<const config::settings> impatient() {
    auto out = std::make_shared<config::settings>(*settings());
    out->listen.buffer_timeout = std::chrono::milliseconds(1);
    return out;
  }
};

TEST_F(UpstreamCompressionCrowded, a_large_reply_for_which_no_room_comes_ends_the_connection) {
  EXPECT_TRUE(is_ok(client.ask(ping())));
  upstream.on("aggregate", [](const asked&) { return large_reply(300'000); });
  {
    const auto everything = shared.buffers.hold(shared.buffers.limit());
    client.send(aggregate());
    EXPECT_TRUE(client.is_closed_by_peer());
    EXPECT_EQ(thread.metrics.shed[static_cast<std::size_t>(shed_reason::memory)].value(), 1U);
  }
  wait_until([this] { return shared.buffers.used() == 0; });
}

class UpstreamCompressionPooled : public UpstreamCompressionFaults {
 protected:
  UpstreamCompressionPooled() : UpstreamCompressionFaults(pooled()) { log_in_without_a_user(); }
};

TEST_F(UpstreamCompressionPooled, is_agreed_on_once_a_connection) {
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.last("ping").with, compressor::zstd);
  EXPECT_EQ(upstream.last("hello").with, compressor::none);
  EXPECT_EQ(agreed(), compressor::zstd);  // another client, the same connection
  EXPECT_EQ(upstream.count("hello"), 1U);
  upstream.on("aggregate", [](const asked&) { return large_reply(9'000'000); });
  EXPECT_EQ(client.ask(aggregate()).bytes(), large_reply(9'000'000).bytes());
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.count("hello"), 1U);
}

TEST_F(UpstreamCompressionPooled, what_is_broken_ends_the_connection_and_the_client_is_told_F4) {
  upstream.on("aggregate", [](const asked& q) { return answer::raw(compressed(reply_to(q), compressor::snappy)); });
  EXPECT_EQ(code_of(client.ask(aggregate())), 6);
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.count("hello"), 2U);
}

}  // namespace
}  // namespace mongocached::daemon
