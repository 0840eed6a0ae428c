#include "daemon/service_notify.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;

// The manager's end.
class manager {
 public:
  explicit manager(const std::string& address) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un here{};
    here.sun_family = AF_UNIX;
    std::memcpy(here.sun_path, address.data(), address.size());
    if (here.sun_path[0] == '@') here.sun_path[0] = '\0';
    const auto size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (address[0] == '@' ? 0 : 1));
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&here), size) != 0) throw std::runtime_error("bind");
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~manager() { ::close(fd_); }
  manager(const manager&) = delete;
  manager& operator=(const manager&) = delete;

  std::string next() {
    std::array<char, 4096> text{};
    const ssize_t got = ::recv(fd_, text.data(), text.size(), 0);
    return got < 0 ? "nothing came" : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  int fd_;
};

class ServiceNotify : public ::testing::Test {
 protected:
  ServiceNotify() {
    std::string pattern = (std::filesystem::temp_directory_path() / "notify-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ServiceNotify() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST_F(ServiceNotify, MessagesArriveOneADatagram) {
  const std::string path = directory_ / "socket";
  manager m(path);
  service_notifier n(path);
  ASSERT_TRUE(n.enabled());
  EXPECT_TRUE(n.ready("accepting clients"));
  EXPECT_EQ(m.next(), "READY=1\nSTATUS=accepting clients");
  EXPECT_TRUE(n.reloading(1234us));
  EXPECT_EQ(m.next(), "RELOADING=1\nMONOTONIC_USEC=1234");
  EXPECT_TRUE(n.status("no primary\nMAINPID=1"));
  EXPECT_EQ(m.next(), "STATUS=no primary MAINPID=1");
  EXPECT_TRUE(n.watchdog());
  EXPECT_EQ(m.next(), "WATCHDOG=1");
  EXPECT_TRUE(n.stopping("draining"));
  EXPECT_EQ(m.next(), "STOPPING=1\nSTATUS=draining");
}

TEST_F(ServiceNotify, AbstractNames) {
  const std::string name = "@" + directory_.string();
  manager m(name);
  service_notifier n(name);
  EXPECT_TRUE(n.watchdog());
  EXPECT_EQ(m.next(), "WATCHDOG=1");
}

TEST_F(ServiceNotify, WithoutAManagerNothingHappens) {
  for (const std::string& address : {std::string(), std::string("/"), std::string("relative"), std::string("vsock:1:2"),
                                     "/" + std::string(200, 'x')}) {
    service_notifier n(address);
    EXPECT_FALSE(n.enabled()) << address;
    EXPECT_FALSE(n.ready("x"));
  }
  service_notifier gone((directory_ / "nobody").string());
  EXPECT_FALSE(gone.watchdog());
}

TEST(WatchdogPeriod, IsReadForThisProcessOnly) {
  EXPECT_EQ(watchdog_period("30000000", nullptr, 7), 30s);
  EXPECT_EQ(watchdog_period("30000000", "7", 7), 30s);
  EXPECT_FALSE(watchdog_period("30000000", "8", 7));
  EXPECT_FALSE(watchdog_period(nullptr, "7", 7));
  for (const char* const wrong : {"", "0", "-5", "1s", "99999999999999999999999"})
    EXPECT_FALSE(watchdog_period(wrong, nullptr, 7)) << wrong;
  EXPECT_FALSE(watchdog_period("5", "", 7));
}

}  // namespace
}  // namespace mongocached::daemon
