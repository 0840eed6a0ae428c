// OP_COMPRESSED between a session and its upstream: what is agreed on and what is sent.
#include <gtest/gtest.h>

#include "compression_world.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::array all{compressor::snappy, compressor::zlib, compressor::zstd};

class UpstreamCompression : public compression_world {};

TEST_F(UpstreamCompression, is_by_the_first_of_ours_that_the_server_has_too) {
  EXPECT_EQ(agreed(), compressor::zstd);
  const auto sent = upstream.last("hello");
  EXPECT_EQ(protocol::as_text(field_in(sent.body.view(), "compression").value),
            protocol::as_text((array{"zstd", "zlib"}).bytes()));
  server_has(array{"snappy", "zlib"});
  EXPECT_EQ(agreed(), compressor::zlib);
}

TEST_F(UpstreamCompression, is_left_out_where_the_server_has_none_of_ours) {
  server_has(array{"snappy"});
  EXPECT_EQ(agreed(), compressor::none);
  upstream.on("hello", [](const asked&) { return document{{"ok", 1.0}}; });
  EXPECT_EQ(agreed(), compressor::none);
}

TEST_F(UpstreamCompression, is_not_asked_for_unless_the_uri_names_compressors) {
  shared.compression = {};
  EXPECT_EQ(agreed(), compressor::none);
  EXPECT_FALSE(upstream.last("hello").body.view().find("compression"));
}

TEST_F(UpstreamCompression, does_not_show_in_what_the_client_gets) {
  for (const auto with : all) {
    offer_only(with);
    loopback_client other(port());
    upstream.on("aggregate", [](const asked&) { return large_reply(5000); });
    EXPECT_EQ(other.ask(aggregate()).bytes(), large_reply(5000).bytes());
    EXPECT_EQ(upstream.last("aggregate").with, with);
    EXPECT_EQ(upstream.last("aggregate").body.bytes(), aggregate().bytes());
  }
}

TEST_F(UpstreamCompression, has_nothing_to_do_with_the_clients) {
  offer_only(compressor::zlib);
  for (const auto with : {compressor::snappy, compressor::zlib}) {
    client.send(compressed(op_msg_message(ping(), {.request_id = 6}), with));
    byte_buffer reply;
    compressor used{};
    ASSERT_EQ(protocol::decompress(client.receive(), reply, used), protocol::compression_error::none);
    EXPECT_EQ(used, with);
    EXPECT_EQ(loopback_client::response_to(reply), 6);
    EXPECT_EQ(upstream.last("ping").with, compressor::zlib);
  }
}

TEST_F(UpstreamCompression, leaves_out_what_is_secret) {
  for (const auto* name : {"saslStart", "saslContinue", "authenticate", "getnonce", "createUser", "updateUser",
                           "copydb", "copydbgetnonce", "copydbSaslStart"}) {
    EXPECT_TRUE(is_ok(client.ask(document{{name, 1}, {"mechanism", "PLAIN"}, {"$db", "admin"}})));
    EXPECT_EQ(upstream.last(name).with, compressor::none) << name;
  }
  EXPECT_TRUE(is_ok(client.ask(document{{"dropUser", "ann"}, {"$db", "admin"}})));
  EXPECT_EQ(upstream.last("dropUser").with, compressor::zstd);
}

TEST_F(UpstreamCompression, is_agreed_on_by_a_clients_hello_that_travels_H3) {
  const document hello{
      {"hello", 1}, {"saslSupportedMechs", "admin.ann"}, {"compression", array{"snappy"}}, {"$db", "admin"}};
  const auto reply = client.ask(hello);
  EXPECT_EQ(protocol::as_text(field_in(reply.view(), "compression").value),
            protocol::as_text((array{"snappy"}).bytes()));
  const auto sent = upstream.last("hello");
  EXPECT_EQ(sent.with, compressor::none);
  EXPECT_EQ(protocol::as_text(field_in(sent.body.view(), "compression").value),
            protocol::as_text((array{"zstd", "zlib"}).bytes()));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.last("ping").with, compressor::zstd);
  server_has(array{});  // the last hello counts
  static_cast<void>(client.ask(hello));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.last("ping").with, compressor::none);
}

TEST_F(UpstreamCompression, may_begin_with_the_reply_to_the_hello) {
  upstream.on("hello", [](const asked& q) {
    const document reply{{"ok", 1.0}, {"compression", array{"zlib"}}};
    return answer::raw(compressed(op_msg_message(reply, {.response_to = q.id}), compressor::zlib));
  });
  EXPECT_EQ(agreed(), compressor::zlib);
}

TEST_F(UpstreamCompression, fills_the_cache) {
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(upstream.last("find").with, compressor::zstd);
  const auto hit = client.ask(find());
  EXPECT_EQ(finds(), 1U);
  EXPECT_EQ(hit.bytes(), found({document{{"_id", 1}, {"x", "value"}}}).bytes());
}

TEST_F(UpstreamCompression, takes_large_replies_and_what_follows_them) {
  for (const auto with : all) {
    offer_only(with);
    loopback_client other(port());
    for (const std::size_t size : {16'200UL, 16'300UL, 65'536UL, 262'000UL, 262'144UL, 300'000UL, 9'000'000UL}) {
      upstream.on("aggregate", [size](const asked&) { return large_reply(size); });
      EXPECT_EQ(other.ask(aggregate()).bytes(), large_reply(size).bytes()) << size;
      EXPECT_TRUE(is_ok(other.ask(ping()))) << size;
      EXPECT_EQ(upstream.last("ping").with, with);
    }
  }
  wait_until([this] { return shared.buffers.used() == 0; });
}

TEST_F(UpstreamCompression, takes_a_plain_reply_too) {
  upstream.on("aggregate", [](const asked& q) { return answer::raw(reply_to(q)); });
  EXPECT_TRUE(is_ok(client.ask(aggregate())));
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(UpstreamCompression, takes_any_compressor_that_the_two_have_in_common) {
  upstream.on("aggregate", [](const asked& q) { return answer::raw(compressed(reply_to(q), compressor::zlib)); });
  EXPECT_TRUE(is_ok(client.ask(aggregate())));
}

TEST_F(UpstreamCompression, leaves_out_large_requests) {
  const document insert{{"insert", "things"},
                        {"documents", array{document{{"_id", 1}, {"x", std::string(300'000, 'y')}}}},
                        {"$db", "shop"}};
  EXPECT_TRUE(is_ok(client.ask(insert)));
  EXPECT_EQ(upstream.last("insert").body.bytes(), insert.bytes());
  EXPECT_EQ(upstream.last("insert").with, compressor::none);
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.last("ping").with, compressor::zstd);
  client.send(compressed(op_msg_message(insert), compressor::snappy));
  EXPECT_FALSE(client.receive().empty());
  EXPECT_EQ(upstream.last("insert").body.bytes(), insert.bytes());
  EXPECT_EQ(upstream.last("insert").with, compressor::none);
}

TEST_F(UpstreamCompression, a_checksum_goes_through) {
  client.send(with_checksum(op_msg_message(ping())));
  EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_EQ(upstream.last("ping").with, compressor::zstd);  // who checked it
  upstream.on("aggregate",
              [](const asked& q) { return answer::raw(compressed(with_checksum(reply_to(q)), compressor::zstd)); });
  EXPECT_TRUE(is_ok(client.ask(aggregate())));
}

TEST_F(UpstreamCompression, of_a_write_that_wants_no_answer) {
  upstream.on("insert", [](const asked&) { return answer::none(); });
  client.send(document{{"insert", "things"}, {"documents", array{document()}}, {"$db", "shop"}},
              {.flags = protocol::op_msg_flags::more_to_come});
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.last("insert").with, compressor::zstd);
}

TEST_F(UpstreamCompression, of_many_replies_to_one_request_U4) {
  upstream.on("getMore", [](const asked& q) {
    byte_buffer out;
    for (const auto flags : {protocol::op_msg_flags::more_to_come, protocol::op_msg_flags::more_to_come, 0U}) {
      protocol::append_compressed(out, reply_to(q, flags), compressor::zstd);
    }
    return answer::raw(out);
  });
  client.send(document{{"getMore", 5L}, {"collection", "things"}, {"$db", "shop"}}, {.flags = 1U << 16});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

// R4: a fill whose whole document is too large is given up, and the client's own find sent.
TEST_F(UpstreamCompression, of_a_fill_that_is_asked_again_in_the_clients_words) {
  upstream.on("find", [](const asked& q) {
    return q.body.view().find("projection") ? found({document{{"_id", 1}}}) : large_reply(3'000'000);
  });
  const document projected{
      {"find", "things"}, {"filter", document{{"_id", 1}}}, {"projection", document{{"_id", 1}}}, {"$db", "shop"}};
  EXPECT_EQ(client.ask(projected).bytes(), found({document{{"_id", 1}}}).bytes());
  EXPECT_EQ(finds(), 2U);
  EXPECT_EQ(upstream.last("find").with, compressor::zstd);
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(UpstreamCompression, what_it_saves_is_counted) {
  upstream.on("aggregate", [](const asked&) { return large_reply(100'000); });
  EXPECT_TRUE(is_ok(client.ask(aggregate())));
  const auto& sent = thread.metrics.upstream_sent;
  const auto& received = thread.metrics.upstream_received;
  EXPECT_EQ(sent.plain.value(), op_msg_message(aggregate()).size());
  EXPECT_EQ(sent.wire.value(), compressed(op_msg_message(aggregate()), compressor::zstd).size());
  EXPECT_EQ(received.plain.value(), op_msg_message(large_reply(100'000)).size());
  EXPECT_LT(received.wire.value(), 2000U);
  const auto zstd = static_cast<std::size_t>(compressor::zstd);
  EXPECT_EQ(thread.metrics.upstream_agreed[zstd].value(), 1U);
  EXPECT_EQ(thread.metrics.upstream_agreed_closed[zstd].value(), 0U);
  {
    loopback_client leaving(port());
    EXPECT_TRUE(is_ok(leaving.ask(ping())));
  }
  wait_until([this] { return thread.metrics.upstream_agreed_closed[zstd].value() == 1; });
  EXPECT_EQ(thread.metrics.upstream_agreed[zstd].value(), 2U);
}

}  // namespace
}  // namespace mongocached::daemon
