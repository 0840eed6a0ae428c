// Two ends of a TLS connection on non-blocking sockets. What clients and servers make of it stands in
// tests/integration/test_tls.py.
#include "daemon/tls_layer.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <stdexcept>

#include "support/self_signed.hpp"

namespace mongocached::daemon {
namespace {

namespace ssl = boost::asio::ssl;
using state = io_result::state;

struct tls_layer_test : testing::Test {
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "tls_layer_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    test_support::make_certificate(folder, "good", "DNS:localhost");
    server_context.use_certificate_chain_file(folder + "/good.pem");
    server_context.use_private_key_file(folder + "/good.key", ssl::context::pem);
    client_context.load_verify_file(folder + "/good.pem");
    client_context.set_verify_mode(ssl::verify_peer);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    client = std::make_unique<tls_layer>(client_context, ends[0], "localhost", true);
    server = std::make_unique<tls_layer>(server_context, ends[1]);
    for (int turn = 0; turn < 10 && !(client->is_secured() && server->is_secured()); ++turn) {
      static_cast<void>(client->handshake());
      static_cast<void>(server->handshake());
    }
    ASSERT_TRUE(client->is_secured()) << client->fault();
    ASSERT_TRUE(server->is_secured()) << server->fault();
  }
  void TearDown() override {
    client.reset();
    server.reset();
    for (const int end : ends) ::close(end);
    std::filesystem::remove_all(folder);
  }

  std::string folder;
  ssl::context server_context{ssl::context::tls_server};
  ssl::context client_context{ssl::context::tls_client};
  std::array<int, 2> ends{-1, -1};
  std::unique_ptr<tls_layer> client;
  std::unique_ptr<tls_layer> server;
};

// What somebody else's OpenSSL call left in the thread's queue of errors is no failure of this connection.
TEST_F(tls_layer_test, errors_of_others_are_not_its_own) {
  std::array<std::uint8_t, 16> into{};
  ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
  EXPECT_EQ(server->receive(into).how, state::would_block);
  EXPECT_EQ(server->blocked_on(), EPOLLIN);
  EXPECT_EQ(server->fault(), "");
  ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
  EXPECT_EQ(client->send(std::array<std::uint8_t, 3>{1, 2, 3}).size, 3);
  EXPECT_EQ(server->receive(into).size, 3);
}

TEST_F(tls_layer_test, what_did_not_fit_is_held) {
  std::array<std::uint8_t, 3> into{};
  EXPECT_EQ(client->send(std::array<std::uint8_t, 5>{1, 2, 3, 4, 5}).size, 5);
  EXPECT_EQ(server->receive(into).size, 3);
  EXPECT_TRUE(server->holds_bytes());
  EXPECT_EQ(server->receive(into).size, 2);
  EXPECT_FALSE(server->holds_bytes());
}

// Most drivers close without a goodbye. That is an end like any other, though OpenSSL then takes itself to be in a
// handshake again; it was once reported as "TLS failed".
TEST_F(tls_layer_test, an_end_without_a_goodbye_is_no_fault) {
  std::array<std::uint8_t, 3> into{};
  EXPECT_EQ(client->send(std::array<std::uint8_t, 3>{1, 2, 3}).size, 3);
  EXPECT_EQ(server->receive(into).size, 3);
  ASSERT_EQ(::shutdown(ends[0], SHUT_WR), 0);
  EXPECT_EQ(server->receive(into).how, state::ended);
  EXPECT_EQ(server->fault(), "");
}

TEST_F(tls_layer_test, nor_is_a_servers_end_without_a_goodbye) {
  ASSERT_EQ(::shutdown(ends[1], SHUT_WR), 0);
  EXPECT_EQ(client->peek().how, state::ended);
  EXPECT_EQ(client->fault(), "");
}

TEST_F(tls_layer_test, an_end_within_the_handshake_is_a_fault) {
  std::array<int, 2> other{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other.data()), 0);
  tls_layer unfinished(server_context, other[1]);
  EXPECT_EQ(unfinished.handshake().how, state::would_block);
  ASSERT_EQ(::shutdown(other[0], SHUT_WR), 0);
  EXPECT_EQ(unfinished.handshake().how, state::failed);
  EXPECT_NE(unfinished.fault(), "");
  for (const int end : other) ::close(end);
}

}  // namespace
}  // namespace mongocached::daemon
