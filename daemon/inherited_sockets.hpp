// Listening sockets that a service manager opened before it started us: the protocol of sd_listen_fds(3), without
// libsystemd. The manager keeps its own copy of each, so that a client which connects while the daemon is started anew
// waits in the queue instead of being refused.
#pragma once

#include <vector>

#include "config/load.hpp"

namespace mongocached::daemon {

// Descriptors that stay open until whoever listens on them closes them. The name of a socket ($LISTEN_FDNAMES,
// FileDescriptorName= of a socket unit) says what it is for.
struct inherited_sockets {
  std::vector<int> clients;  // all that are not named "http"; empty: none, listen.address counts
  int http = -1;             // named "http": the side port's; -1: none, http.address counts
};

// As the environment has them; each may be null.
struct listen_environment {
  const char* pid = nullptr;    // $LISTEN_PID
  const char* count = nullptr;  // $LISTEN_FDS
  const char* names = nullptr;  // $LISTEN_FDNAMES: as many, with ':' between them
};

// The sockets meant for the process `own_pid`, from descriptor `first` on (3, but for tests), from now on closed on
// exec. Throws std::runtime_error with one clear line where one of them does not listen, is no TCP socket, or (for
// clients) no Unix socket.
[[nodiscard]] inherited_sockets take_inherited_sockets(const listen_environment& from, long own_pid, int first = 3);

// Where they listen.
[[nodiscard]] config::inherited_addresses addresses_of(const inherited_sockets& sockets);

// AF_INET, AF_INET6 or AF_UNIX; -1, with errno set, of what is no socket.
[[nodiscard]] int socket_family(int fd) noexcept;

}  // namespace mongocached::daemon
