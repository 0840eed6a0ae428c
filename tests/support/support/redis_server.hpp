// A redis-server of a test's own: on a free port of the loopback address, without files, ended with the test.
//
// run() and friends talk to it on a blocking connection of their own, so that a test can look at what lies in it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mongocached::test {

class redis_server {
 public:
  // `arguments` are redis-server's own, as {"--requirepass", "x"}.
  // With `tls` the port takes nothing else; run() and friends do not work then.
  enum transport : bool { plain, tls };
  explicit redis_server(std::vector<std::string> arguments = {}, transport over = plain)
      : arguments_(std::move(arguments)), transport_(over) {
    char pattern[] = "/tmp/redis_server_XXXXXX";
    if (::mkdtemp(pattern) == nullptr) throw std::runtime_error("no folder for redis-server");
    folder_ = pattern;
    // Somebody may take the port between our look and the server's start.
    for (int attempt = 0; attempt < 20; ++attempt) {
      port_ = free_port();
      if (start_once()) return;
    }
    throw std::runtime_error("redis-server does not start");
  }
  ~redis_server() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  redis_server(const redis_server&) = delete;
  redis_server& operator=(const redis_server&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string uri(std::string_view login = {}, std::string_view scheme = "redis") const {
    return std::string(scheme) + "://" + std::string(login) + "127.0.0.1:" + std::to_string(port_) + "/0";
  }
  // For run(), where the server asks for a password.
  void log_in_with(std::string password) { password_ = std::move(password); }

  void pause() { ::kill(process_, SIGSTOP); }
  void resume() { ::kill(process_, SIGCONT); }
  void kill() {
    hang_up();
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
      process_ = -1;
    }
    if (output_ >= 0) ::close(std::exchange(output_, -1));
  }
  // On the same port; with what was saved by run({"SAVE"}), else empty.
  void start() {
    if (process_ > 0 || !start_once()) throw std::runtime_error("redis-server does not start again");
  }

  // The reply as text: a string as it is, an array's strings joined by blanks, "(nil)", "-ERR ...", a number in digits.
  std::string run(std::initializer_list<std::string_view> command) {
    if (socket_ < 0) connect();
    send(command);
    return read_reply();
  }
  // The names of all keys that match, in no order.
  std::vector<std::string> keys(std::string_view pattern) {
    std::vector<std::string> out;
    const auto all = run({"KEYS", pattern});
    for (std::size_t at = 0; at < all.size();) {
      const auto end = std::min(all.find(' ', at), all.size());
      out.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.sin_port = htons(static_cast<std::uint16_t>(port));
    return out;
  }

  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
  }

  bool start_once() {
    std::vector<std::string> words = {
        "redis-server",       "--bind", "127.0.0.1", "--save", "",
        "--appendonly",       "no",     "--dir",     folder_,  transport_ == tls ? "--tls-port" : "--port",
        std::to_string(port_)};
    if (transport_ == tls) words.insert(words.end(), {"--port", "0"});
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int output[2];
    if (::pipe2(output, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    const pid_t parent = ::getpid();
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
      if (::getppid() != parent) ::_exit(1);
      ::dup2(output[1], STDOUT_FILENO);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(output[1]);
    output_ = output[0];
    // The server says itself when it is ready; if it cannot start, the pipe ends.
    std::string said;
    char part[4096];
    while (said.find("Ready to accept connections") == std::string::npos) {
      pollfd wait{output_, POLLIN, 0};
      const auto size = ::poll(&wait, 1, 20'000) > 0 ? ::read(output_, part, sizeof part) : 0;
      if (size <= 0) {
        kill();
        return false;
      }
      said.append(part, static_cast<std::size_t>(size));
    }
    return true;
  }

  void connect() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(port_);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      hang_up();
      throw std::runtime_error("redis-server takes no connection");
    }
    if (!password_.empty()) {
      send({"AUTH", password_});
      read_reply();
    }
  }

  void hang_up() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    unread_.clear();
  }

  void send(std::initializer_list<std::string_view> command) {
    std::string out = "*" + std::to_string(command.size()) + "\r\n";
    for (const auto word : command) {
      out += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
    }
    if (::send(socket_, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
      throw std::runtime_error("redis-server does not listen");
    }
  }

  void fetch() {
    char part[4096];
    const auto size = ::recv(socket_, part, sizeof part, 0);
    if (size <= 0) throw std::runtime_error("redis-server hung up");
    unread_.append(part, static_cast<std::size_t>(size));
  }

  std::string take(std::size_t size) {
    while (unread_.size() < size) fetch();
    auto out = unread_.substr(0, size);
    unread_.erase(0, size);
    return out;
  }

  std::string read_reply() {
    std::size_t end = 0;
    while ((end = unread_.find("\r\n")) == std::string::npos) fetch();
    const auto line = take(end + 2).substr(0, end);
    if (line[0] == '-') return line;
    if (line[0] != '$' && line[0] != '*') return line.substr(1);
    const auto count = std::stol(line.substr(1));
    if (count < 0) return "(nil)";
    if (line[0] == '$') return take(static_cast<std::size_t>(count) + 2).substr(0, static_cast<std::size_t>(count));
    std::string out;
    for (long i = 0; i < count; ++i) out += (i == 0 ? "" : " ") + read_reply();
    return out;
  }

  std::vector<std::string> arguments_;
  transport transport_;
  std::string folder_;
  std::string password_;
  int port_ = 0;
  pid_t process_ = -1;
  int output_ = -1;
  int socket_ = -1;
  std::string unread_;
};

}  // namespace mongocached::test
