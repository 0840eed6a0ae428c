#include "daemon/inherited_sockets.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mongocached::daemon {
namespace {

constexpr std::string_view http_name = "http";
// More than anyone listens on; it bounds what a wrong number may cost.
constexpr int max_sockets = 64;

[[noreturn]] void refuse(const std::string& why) {
  throw std::runtime_error("sockets of the service manager: " + why);
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && at == end;
}

// Empty where there are no names at all.
std::vector<std::string_view> split_names(const char* text) {
  std::vector<std::string_view> out;
  if (text == nullptr || *text == '\0') return out;
  std::string_view rest(text);
  while (true) {
    const auto colon = rest.find(':');
    out.push_back(rest.substr(0, colon));
    if (colon == std::string_view::npos) return out;
    rest.remove_prefix(colon + 1);
  }
}

int option_of(int fd, int option) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// Clients may come by a Unix socket, too.
void check_socket(int fd, bool for_clients) {
  const std::string which = "descriptor " + std::to_string(fd);
  const int family = socket_family(fd);
  if (family < 0) refuse(which + ": " + std::strerror(errno));
  const bool fits = family == AF_INET || family == AF_INET6 || (for_clients && family == AF_UNIX);
  if (!fits || option_of(fd, SO_TYPE) != SOCK_STREAM) {
    refuse(which + " is no TCP socket (ListenStream=HOST:PORT in the socket unit)");
  }
  if (option_of(fd, SO_ACCEPTCONN) != 1) refuse(which + " does not listen (Accept=no in the socket unit)");
}

config::endpoint address_of(int fd) {
  if (socket_family(fd) == AF_UNIX) return {};
  boost::asio::ip::tcp::endpoint at;
  auto size = static_cast<socklen_t>(at.capacity());
  if (::getsockname(fd, at.data(), &size) != 0) return {};
  return {at.address().to_string(), at.port()};
}

}  // namespace

int socket_family(int fd) noexcept {
  return option_of(fd, SO_DOMAIN);
}

inherited_sockets take_inherited_sockets(const listen_environment& from, long own_pid, int first) {
  inherited_sockets out;
  long meant_for = 0;
  if (from.pid == nullptr || from.count == nullptr) return out;
  if (!read_number(from.pid, meant_for) || meant_for != own_pid) return out;  // a parent's, left in the environment
  int count = 0;
  if (!read_number(from.count, count) || count < 0 || count > max_sockets) {
    refuse("LISTEN_FDS: allowed is a whole number from 0 to " + std::to_string(max_sockets));
  }
  const auto names = split_names(from.names);
  if (!names.empty() && names.size() != static_cast<std::size_t>(count)) {
    refuse("LISTEN_FDNAMES has " + std::to_string(names.size()) + " names for " + std::to_string(count) + " sockets");
  }
  for (int i = 0; i < count; ++i) {
    const int fd = first + i;
    const bool for_clients = names.empty() || names[static_cast<std::size_t>(i)] != http_name;
    check_socket(fd, for_clients);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (for_clients) {
      out.clients.push_back(fd);
    } else if (out.http < 0) {
      out.http = fd;
    } else {
      refuse("two are named \"http\"; the side port has one address");
    }
  }
  return out;
}

config::inherited_addresses addresses_of(const inherited_sockets& sockets) {
  config::inherited_addresses out;
  for (const int fd : sockets.clients) out.clients.push_back(address_of(fd));
  if (sockets.http >= 0) out.http = address_of(sockets.http);
  return out;
}

}  // namespace mongocached::daemon
