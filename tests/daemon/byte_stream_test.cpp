// Connecting by a name that has several addresses.
#include "daemon/byte_stream.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace mongocached::daemon {
namespace {

using asio::ip::tcp;

// A port on loopback; a silent one takes no connection and refuses none, because as many wait as may.
class loopback_port {
 public:
  explicit loopback_port(bool silent) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, where, size), 0);
    EXPECT_EQ(::listen(listener_, silent ? 0 : 8), 0);
    ::getsockname(listener_, where, &size);
    port_ = ntohs(address.sin_port);
    for (int i = 0; silent && i < 4; ++i) {
      waiting_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(waiting_.back(), where, size);
    }
  }
  ~loopback_port() {
    for (const int fd : waiting_) ::close(fd);
    ::close(listener_);
  }
  loopback_port(const loopback_port&) = delete;
  loopback_port& operator=(const loopback_port&) = delete;

  [[nodiscard]] tcp::endpoint endpoint() const { return {asio::ip::address_v4::loopback(), port_}; }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::vector<int> waiting_;
};

class ByteStream : public ::testing::Test {
 protected:
  error_code connect(const std::vector<tcp::endpoint>& addresses) {
    const auto found =
        asio::ip::basic_resolver_results<tcp>::create(addresses.begin(), addresses.end(), "two.test", "27017");
    error_code out = asio::error::would_block;
    spawn(try_all(found, out), [](const std::exception_ptr&) { ADD_FAILURE(); });
    context.restart();
    context.run();
    return out;
  }

  asio::io_context context{1};
  poller sockets{context, [] {}};
  byte_stream stream{context, sockets};

 private:
  task<void> try_all(asio::ip::basic_resolver_results<tcp> addresses, error_code& out) {
    out = co_await stream.connect(addresses);
  }
};

TEST_F(ByteStream, one_address_that_does_not_answer_does_not_keep_the_next_from_its_turn) {
  const loopback_port silent(true);
  const loopback_port open(false);
  EXPECT_FALSE(connect({silent.endpoint(), open.endpoint()}));
  EXPECT_FALSE(stream.start_plain());
}

TEST_F(ByteStream, one_that_refuses_is_passed_at_once) {
  tcp::endpoint refusing;
  {
    const loopback_port gone(false);
    refusing = gone.endpoint();
  }
  const loopback_port open(false);
  EXPECT_FALSE(connect({refusing, open.endpoint()}));
  EXPECT_EQ(connect({refusing}), asio::error::connection_refused);
}

TEST_F(ByteStream, a_stream_that_is_closed_stops_connecting) {
  const loopback_port silent(true);
  asio::post(context, [this] { stream.close(); });
  EXPECT_TRUE(connect({silent.endpoint(), silent.endpoint()}));
}

}  // namespace
}  // namespace mongocached::daemon
