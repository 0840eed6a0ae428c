// A channel under TLS behaves like a socket: who may be spoken to, what is still to be read, how it ends; and so does
// the load generator on top of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "bench/channel.hpp"
#include "bench/epoll_server.hpp"
#include "bench/find_reply.hpp"
#include "bench/load_worker.hpp"
#include "support/self_signed.hpp"

namespace mongocached::bench {
namespace {

using protocol::as_bytes;
using protocol::byte_buffer;

std::array<channel, 2> connected_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
  return {channel(unique_fd(ends[0])), channel(unique_fd(ends[1]))};
}

struct under_tls : testing::Test {
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "bench_tls_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern + "/";
    test_support::make_certificate(folder, "good", "DNS:localhost");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] tls_context server_context(const std::string& name) const {
    return make_server_context(folder + name + ".pem", folder + name + ".key");
  }
  // A client that trusts `good` only, and a server of that context, both blocking.
  void connect(const tls_context& context) {
    theirs.secure_as_server(context);
    const std::jthread server([this] {
      std::uint8_t byte = 0;
      served = theirs.receive(&byte, 1);
    });
    try {
      ours.secure_as_client(make_client_context(folder + "good.pem"), "localhost");
      send_all(ours, as_bytes("x").data(), 1);
    } catch (...) {
      ours.close();
      throw;
    }
  }
  // What the client says of the server.
  [[nodiscard]] std::string refusal(const tls_context& context) {
    try {
      connect(context);
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "none";
  }

  std::string folder;
  std::array<channel, 2> pair = connected_pair();
  channel& ours = pair[0];
  channel& theirs = pair[1];
  ssize_t served = 0;
};

TEST_F(under_tls, a_certificate_by_another_authority_is_refused) {
  test_support::make_certificate(folder, "other", "DNS:localhost");
  EXPECT_THAT(refusal(server_context("other")), testing::HasSubstr("self-signed certificate"));
  EXPECT_LE(served, 0);
}

TEST_F(under_tls, a_certificate_for_another_host_is_refused) {
  test_support::make_certificate(folder, "good", "DNS:elsewhere");
  EXPECT_THAT(refusal(server_context("good")), testing::HasSubstr("hostname mismatch"));
  EXPECT_LE(served, 0);
}

TEST_F(under_tls, an_older_version_is_refused) {
  const auto old = server_context("good");
  SSL_CTX_set_min_proto_version(old.get(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
  EXPECT_THAT(refusal(old), testing::HasSubstr("version"));
  EXPECT_LE(served, 0);
}

TEST_F(under_tls, files_that_cannot_be_used_are_named) {
  const std::string missing = folder + "missing.pem";
  EXPECT_THROW(static_cast<void>(make_client_context(missing)), std::runtime_error);
  EXPECT_THAT([&] { static_cast<void>(make_server_context(missing, missing)); },
              testing::ThrowsMessage<std::runtime_error>(testing::HasSubstr(missing)));
}

TEST_F(under_tls, bytes_that_the_kernel_no_longer_has_are_told_of) {
  connect(server_context("good"));
  ASSERT_EQ(served, 1);
  byte_buffer message(560, 7);
  send_all(theirs, message.data(), message.size());
  byte_buffer got(400);
  ASSERT_EQ(ours.receive(got.data(), got.size()), 400);
  pollfd kernel{ours.descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&kernel, 1, 0), 0);
  EXPECT_TRUE(ours.holds_bytes());
  ASSERT_EQ(ours.receive(got.data(), got.size()), 160);
  EXPECT_FALSE(ours.holds_bytes());
}

// A half record counts as pending in OpenSSL: who believed that would ask for the other half for ever.
TEST_F(under_tls, half_a_record_is_nothing_to_read_yet) {
  connect(server_context("good"));
  // The kernel takes less than a record at a time, and OpenSSL reads more than one.
  const int room = 4096;
  constexpr std::size_t record = 5000;
  ASSERT_EQ(::setsockopt(theirs.descriptor(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
  set_non_blocking(ours.descriptor());
  set_non_blocking(theirs.descriptor());
  byte_buffer message(100'000);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i * 7 / 5);
  byte_buffer got(2 * message.size());
  std::size_t sent = 0;
  std::size_t have = 0;
  bool was_full = false;
  for (int turn = 0; turn < 1000 && have < message.size(); ++turn) {
    while (sent < message.size()) {
      const auto n = theirs.send(message.data() + sent, std::min(record, message.size() - sent));
      ASSERT_TRUE(n > 0 || errno == EAGAIN);
      was_full = was_full || n < 0;
      if (n < 0) break;
      sent += static_cast<std::size_t>(n);
    }
    const auto n = ours.receive(got.data() + have, got.size() - have);
    ASSERT_TRUE(n > 0 || (n < 0 && errno == EAGAIN));
    have += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    EXPECT_FALSE(ours.holds_bytes());
  }
  got.resize(have);
  EXPECT_EQ(got, message);
  EXPECT_TRUE(was_full);  // else no record was cut in half
}

TEST_F(under_tls, an_end_without_a_goodbye_is_an_end) {
  connect(server_context("good"));
  theirs.close();
  std::uint8_t byte = 0;
  EXPECT_EQ(ours.receive(&byte, 1), 0);
}

// Answers everything with one reply: a single record, and more than the load generator reads at once.
struct long_replies {
  byte_buffer reply;
  std::atomic<bool> wanted = true;  // false: the server's thread is to end

  void on_message(connection& c, protocol::byte_view message) {
    const std::size_t at = c.out.size();
    c.out.insert(c.out.end(), reply.begin(), reply.end());
    std::memcpy(c.out.data() + at + 8, message.data() + 4, 4);
  }
  static int milliseconds_to_wait() { return 10; }
  void on_tick(epoll_server<long_replies>&) {
    if (!wanted) stop_requested = 1;
  }
};

// A server on a thread of its own, until it goes out of scope.
struct running {
  running(epoll_server<long_replies>& server, long_replies& handler)
      : thread([&server] { server.run(); }), wanted(handler.wanted) {}
  ~running() {
    wanted = false;
    thread.join();
    stop_requested = 0;
  }
  std::thread thread;
  std::atomic<bool>& wanted;
};

TEST_F(under_tls, the_load_generator_gets_every_reply) {
  long_replies handler;
  const std::array<std::uint8_t, 12> id{};
  find_reply_writer(10'000).append_one(handler.reply, 0, {protocol::bson_type::object_id, "_id", id, {}}, "bench.docs",
                                       first_operation_time());
  auto listener = listen_on_loopback(0);
  load_options options;
  options.target = {"127.0.0.1", local_port(listener)};
  options.tls_ca = folder + "good.pem";
  options.check = reply_check::ok;
  options.connections = 3;
  options.warm_up_seconds = 0;
  options.count = 200;
  epoll_server<long_replies> server(std::move(listener), handler, server_context("good"));
  const running serving(server, handler);
  load_worker worker(options, nullptr, 0);
  worker.connect();
  worker.warm_up();
  const load_result result = worker.measure();
  EXPECT_EQ(result.errors, 0) << result.first_error;
  EXPECT_EQ(result.latencies.total(), 200);
}

}  // namespace
}  // namespace mongocached::bench
