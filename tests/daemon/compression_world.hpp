// A session_world whose upstream and proxy compress between them: ours are zstd and zlib, the server's zlib and zstd.
#pragma once

#include "session_world.hpp"

namespace mongocached::daemon {

using protocol::compressor;

inline byte_buffer compressed(byte_view message, compressor with) {
  byte_buffer out;
  protocol::append_compressed(out, message, with);
  return out;
}

class compression_world : public session_world {
 protected:
  explicit compression_world(std::shared_ptr<const config::settings> with = settings())
      : session_world(std::move(with)) {
    for (const auto one : {compressor::zstd, compressor::zlib}) shared.compression.compressors.add(one);
    server_has(array{"zlib", "zstd"});
  }
  void offer_only(compressor one) {
    shared.compression = {};
    shared.compression.compressors.add(one);
    server_has(array{protocol::name_of(one)});
  }
  void server_has(const array& compressors) {
    upstream.on("hello", [compressors](const asked&) {
      return document{{"ok", 1.0}, {"compression", compressors}, {"maxWireVersion", 21}};
    });
  }
  // What the next ping of a new client is sent with.
  compressor agreed() {
    loopback_client other(port());
    EXPECT_TRUE(is_ok(other.ask(ping())));
    return upstream.last("ping").with;
  }
  // The client that asked for this reply is closed, and the next one is served.
  void expect_lost(const std::function<byte_buffer(const asked&)>& reply) {
    upstream.on("aggregate", [reply](const asked& q) { return answer::raw(reply(q)); });
    loopback_client other(port());
    other.send(aggregate());
    EXPECT_TRUE(other.is_closed_by_peer());
    EXPECT_TRUE(is_ok(client.ask(ping())));
  }
  static void wait_until(const std::function<bool()>& so) {
    while (!so()) std::this_thread::yield();
  }
  static document aggregate() {
    return document{{"aggregate", "things"}, {"pipeline", array{}}, {"cursor", document()}, {"$db", "shop"}};
  }
  static byte_buffer reply_to(const asked& question, std::uint32_t flags = 0) {
    return op_msg_message(okay(), {.request_id = 9, .response_to = question.id, .flags = flags});
  }
  static document large_reply(std::size_t size) { return found({document{{"_id", 1}, {"x", std::string(size, 'y')}}}); }

  loopback_client client{port()};
};

}  // namespace mongocached::daemon
