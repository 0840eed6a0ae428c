// How many clients the process can hold by its limit on file descriptors.
#pragma once

#include <cstdint>
#include <string>

namespace mongocached::daemon {

// Raises the soft limit on open files to the hard one (the soft one is low for programs that use select(), which this
// one does not) and returns what holds then. Once, at the start.
[[nodiscard]] std::uint64_t raise_descriptor_limit();

struct connection_budget {
  std::uint32_t max_connections = 0;
  std::string warning;  // a sentence where it is less than was asked for
};

struct descriptor_needs {
  std::uint32_t a_client = 2;  // its own, and in passthrough mode one upstream
  std::uint64_t threads = 1;   // data threads
  bool redis = false;
  std::uint64_t pool = 0;  // connections of the pool, with auth "pooled"

  // Beside the clients: what each thread waits on, listeners, control plane, side port, files, ...
  [[nodiscard]] std::uint64_t reserve() const noexcept { return 64 + threads * (redis ? 8 : 6) + pool; }
};

// What of `wanted` fits; never 0, so that an operator can at least look inside.
[[nodiscard]] connection_budget fit_connections(std::uint32_t wanted, std::uint64_t descriptor_limit,
                                                const descriptor_needs& needs = {});

}  // namespace mongocached::daemon
