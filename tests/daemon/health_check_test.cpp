#include "daemon/health_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "daemon/side_port.hpp"

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr auto patience = 10s;  // longer than anything here takes

side_port_hooks hooks_that_say(readiness now) {
  side_port_hooks out;
  out.stalled = [] { return false; };
  out.ready = [now] { return now; };
  return out;
}

side_port_options on(const std::string& host) {
  side_port_options out;
  out.host = host;
  return out;
}

TEST(HealthCheck, ReadyIsGood) {
  side_port port(on("127.0.0.1"), hooks_that_say({true, ""}));
  const auto answer = ask_health({"127.0.0.1", port.port()}, "readyz", patience);
  EXPECT_TRUE(answer.good);
  EXPECT_EQ(answer.text, R"({"ready":true})");
}

TEST(HealthCheck, NotReadyIsBadAndSaysWhy) {
  side_port port(on("127.0.0.1"), hooks_that_say({false, "no primary"}));
  const auto answer = ask_health({"127.0.0.1", port.port()}, "readyz", patience);
  EXPECT_FALSE(answer.good);
  EXPECT_THAT(answer.text, HasSubstr("no primary"));
  EXPECT_TRUE(ask_health({"127.0.0.1", port.port()}, "healthz", patience).good);
}

TEST(HealthCheck, AWildcardAddressIsAskedOnLoopback) {
  side_port port(on("0.0.0.0"), hooks_that_say({true, ""}));
  EXPECT_TRUE(ask_health({"0.0.0.0", port.port()}, "readyz", patience).good);
}

class HealthCheckOfNobody : public ::testing::Test {
 protected:
  HealthCheckOfNobody() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&here), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&here), &size) != 0) {
      throw std::runtime_error("bind");
    }
    port_ = ntohs(here.sin_port);
  }
  ~HealthCheckOfNobody() override { ::close(fd_); }

  int fd_;
  std::uint16_t port_ = 0;
};

TEST_F(HealthCheckOfNobody, ARefusedConnectionIsBad) {
  const auto answer = ask_health({"127.0.0.1", port_}, "readyz", patience);  // bound, and does not listen
  EXPECT_FALSE(answer.good);
  EXPECT_THAT(answer.text, HasSubstr("/readyz: Connection refused"));
}

TEST_F(HealthCheckOfNobody, SilenceEndsWithThePatience) {
  ASSERT_EQ(::listen(fd_, 1), 0);  // connects, and is never answered
  const auto answer = ask_health({"127.0.0.1", port_}, "readyz", 50ms);
  EXPECT_FALSE(answer.good);
  EXPECT_THAT(answer.text, HasSubstr("timeout"));
}

TEST(HealthCheck, ANameThatIsNoneIsBad) {
  EXPECT_FALSE(ask_health({"not a name", 1}, "readyz", patience).good);
}

}  // namespace
}  // namespace mongocached::daemon
