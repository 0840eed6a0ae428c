// Which of the descriptors that a service manager passed are taken, and for what.
#include "daemon/inherited_sockets.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace mongocached::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// Puts sockets at descriptors that follow one another, as a manager does.
class InheritedSockets : public ::testing::Test {
 protected:
  ~InheritedSockets() override {
    for (int fd = first_; fd < next_; ++fd) ::close(fd);
  }

  void pass(int fd) {
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::dup2(fd, next_), next_);
    ::close(fd);
    ++next_;
  }

  void pass_listening(int family = AF_INET) {
    const int fd = ::socket(family, SOCK_STREAM, 0);
    ASSERT_EQ(::listen(fd, 1), 0);  // an unbound socket gets an address of the kernel's choice
    pass(fd);
  }

  [[nodiscard]] inherited_sockets take(const char* count, const char* names = nullptr, const char* pid = "7") const {
    return take_inherited_sockets({pid, count, names}, 7, first_);
  }

  const int first_ = 200;  // far above what the test itself has open
  int next_ = first_;
};

TEST_F(InheritedSockets, NoneIsTheUsualCase) {
  const auto none = take_inherited_sockets({}, 7);
  EXPECT_THAT(none.clients, IsEmpty());
  EXPECT_EQ(none.http, -1);
  EXPECT_THAT(take("0").clients, IsEmpty());
}

TEST_F(InheritedSockets, AUnixSocketServesClientsAndNotTheSidePort) {
  const auto pass_unix = [this] {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr address{};
    address.sa_family = AF_UNIX;
    ASSERT_EQ(::bind(fd, &address, sizeof address.sa_family), 0);  // a name of the kernel's choice
    ASSERT_EQ(::listen(fd, 1), 0);
    pass(fd);
  };
  pass_unix();
  EXPECT_THAT(take("1").clients, ElementsAre(first_));
  EXPECT_THAT(addresses_of(take("1")).clients, ElementsAre(config::endpoint{}));
  EXPECT_THAT([this] { static_cast<void>(take("1", "http")); }, ThrowsMessage<std::runtime_error>(HasSubstr("no TCP")));
}

TEST_F(InheritedSockets, ThoseOfAnotherProcessAreLeftAlone) {
  pass_listening();
  for (const char* const pid : {"8", "", "7x", "-7", "99999999999999999999999"}) {
    EXPECT_THAT(take("1", nullptr, pid).clients, IsEmpty()) << pid;
  }
  EXPECT_THAT(take_inherited_sockets({nullptr, "1", nullptr}, 7, first_).clients, IsEmpty());
}

TEST_F(InheritedSockets, WithoutNamesAllAreForClients) {
  pass_listening();
  pass_listening(AF_INET6);
  EXPECT_THAT(take("2").clients, ElementsAre(200, 201));
  EXPECT_THAT(take("2", "").clients, ElementsAre(200, 201));
}

TEST_F(InheritedSockets, TheOneNamedHttpIsTheSidePorts) {
  pass_listening();
  pass_listening();
  pass_listening();
  const auto taken = take("3", "mongocached.socket:http:more");
  EXPECT_THAT(taken.clients, ElementsAre(200, 202));
  EXPECT_EQ(taken.http, 201);
}

TEST_F(InheritedSockets, TheirAddressesAreKnown) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  pass(fd);
  pass_listening(AF_INET6);
  const auto addresses = addresses_of(take("2", "clients:http"));
  ASSERT_EQ(addresses.clients.size(), 1U);
  EXPECT_EQ(addresses.clients.front().host, "127.0.0.1");
  EXPECT_NE(addresses.clients.front().port, 0);
  ASSERT_TRUE(addresses.http);
  EXPECT_EQ(addresses.http->host, "::");
}

TEST_F(InheritedSockets, TheyAreClosedOnExec) {
  pass_listening();
  ASSERT_EQ(::fcntl(200, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_THAT(take("1").clients, ElementsAre(200));
  EXPECT_EQ(::fcntl(200, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(InheritedSockets, BadNumbersAreRefused) {
  for (const char* const count : {"", "x", "-1", "65", "1 ", "99999999999999999999999"}) {
    EXPECT_THAT([&] { (void)take(count); }, ThrowsMessage<std::runtime_error>(HasSubstr("LISTEN_FDS"))) << count;
  }
}

TEST_F(InheritedSockets, NamesAreAsManyAsSockets) {
  pass_listening();
  EXPECT_THAT([&] { (void)take("1", "a:b"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("LISTEN_FDNAMES has 2 names for 1 sockets")));
}

TEST_F(InheritedSockets, TwoSidePortsAreRefused) {
  pass_listening();
  pass_listening();
  EXPECT_THAT([&] { (void)take("2", "http:http"); }, ThrowsMessage<std::runtime_error>(HasSubstr("\"http\"")));
}

TEST_F(InheritedSockets, ADescriptorThatIsNotOpenIsRefused) {
  EXPECT_THAT([&] { (void)take("1"); }, ThrowsMessage<std::runtime_error>(HasSubstr("descriptor 200")));
}

TEST_F(InheritedSockets, OtherThanTcpIsRefused) {
  const auto refused = [&] { (void)take("1"); };
  pass(::open("/dev/null", O_RDONLY));
  EXPECT_THAT(refused, ThrowsMessage<std::runtime_error>(HasSubstr("descriptor 200")));
  for (const int family : {AF_INET, AF_UNIX}) {
    next_ = first_;
    pass(::socket(family, SOCK_DGRAM, 0));
    EXPECT_THAT(refused, ThrowsMessage<std::runtime_error>(HasSubstr("no TCP socket")));
  }
}

TEST_F(InheritedSockets, AConnectionIsNoListener) {
  pass(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_THAT([&] { (void)take("1"); }, ThrowsMessage<std::runtime_error>(HasSubstr("does not listen")));
}

}  // namespace
}  // namespace mongocached::daemon
