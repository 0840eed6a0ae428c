#include "daemon/service_notify.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstring>

namespace mongocached::daemon {
namespace {

std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';  // a newline would begin another assignment
  }
  return out;
}

template <class Number>
bool read_number(const char* text, Number& out) {
  const char* const end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, out);
  return error == std::errc() && at == end;
}

}  // namespace

service_notifier::service_notifier(std::string_view address) : address_(address) {
  if (address_.size() < 2 || (address_[0] != '/' && address_[0] != '@')) return;
  if (address_.size() >= sizeof(sockaddr_un::sun_path)) return;
  if (address_[0] == '@') address_[0] = '\0';
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return;
  const timeval patience{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

service_notifier::~service_notifier() {
  if (socket_ >= 0) ::close(socket_);
}

bool service_notifier::ready(std::string_view status) {
  return send("READY=1\nSTATUS=" + one_line(status));
}

bool service_notifier::reloading(std::chrono::microseconds monotonic_now) {
  return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_now.count()));
}

bool service_notifier::stopping(std::string_view status) {
  return send("STOPPING=1\nSTATUS=" + one_line(status));
}

bool service_notifier::status(std::string_view text) {
  return send("STATUS=" + one_line(text));
}

bool service_notifier::watchdog() {
  return send("WATCHDOG=1");
}

bool service_notifier::send(const std::string& message) {
  if (!enabled()) return false;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  // A path ends with a NUL, an abstract name with its length.
  const std::size_t name = address_.size() + (address_[0] == '\0' ? 0 : 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name);
  const ssize_t sent =
      ::sendto(socket_, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), size);
  return sent == static_cast<ssize_t>(message.size());
}

std::optional<std::chrono::microseconds> watchdog_period(const char* usec, const char* pid, long own_pid) {
  if (usec == nullptr) return std::nullopt;
  std::int64_t period = 0;
  if (!read_number(usec, period) || period <= 0) return std::nullopt;
  if (pid != nullptr) {
    long wanted = 0;
    if (!read_number(pid, wanted) || wanted != own_pid) return std::nullopt;
  }
  return std::chrono::microseconds(period);
}

}  // namespace mongocached::daemon
