#include "daemon/upstream_tls_files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include "daemon/tls_contexts.hpp"

namespace mongocached::daemon {
namespace {

constexpr unsigned no_execution = 0x0008U;  // MFD_NOEXEC_SEAL of Linux 6.3, which a hardened system insists on

int memory_file() {
  const int fd = ::memfd_create("mongocached-tls", MFD_CLOEXEC | no_execution);
  return fd < 0 && errno == EINVAL ? ::memfd_create("mongocached-tls", MFD_CLOEXEC) : fd;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw std::runtime_error("upstream.uri: " + name + " cannot be " + why);
}

}  // namespace

file_copy::file_copy(const std::string& name) {
  if (name.empty()) return;
  std::ifstream file(name, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) refuse(name, "read");
  fd_ = memory_file();
  if (fd_ >= 0 && write_all(fd_, bytes) && ::access(path_of(fd_).c_str(), R_OK) == 0) return;
  const std::string why = std::strerror(errno);
  if (fd_ >= 0) ::close(fd_);
  refuse(name, "copied into memory: " + why);
}

file_copy::~file_copy() {
  if (fd_ >= 0) ::close(fd_);
}

std::string file_copy::path() const {
  return fd_ < 0 ? "" : path_of(fd_);
}

void file_copy::become(file_copy& other) noexcept {
  if (fd_ >= 0 && other.fd_ >= 0) ::dup3(other.fd_, fd_, O_CLOEXEC);
}

std::shared_ptr<boost::asio::ssl::context> upstream_tls_files::take() {
  auto context = make_upstream_tls(named_);
  file_copy ca(named_.ca_file);
  file_copy certificate_key(named_.certificate_key_file);
  ca_.become(ca);
  certificate_key_.become(certificate_key);
  return context;
}

}  // namespace mongocached::daemon
