#include "daemon/process_limits.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace mongocached::daemon {

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max() : limit.rlim_cur;
}

connection_budget fit_connections(std::uint32_t wanted, std::uint64_t descriptor_limit, const descriptor_needs& needs) {
  const std::uint64_t a_client = std::max<std::uint32_t>(needs.a_client, 1);
  const std::uint64_t reserve = needs.reserve();
  const std::uint64_t left = descriptor_limit > reserve ? descriptor_limit - reserve : 0;
  const std::uint64_t fitting = std::max<std::uint64_t>(left / a_client, 1);
  connection_budget out;
  out.max_connections = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, fitting));
  if (out.max_connections < wanted) {
    const std::uint64_t needed = wanted * a_client + reserve;
    out.warning = "listen.max_connections is cut from " + std::to_string(wanted) + " to " +
                  std::to_string(out.max_connections) + ": the limit on open files is " +
                  std::to_string(descriptor_limit) + ", " + std::to_string(needed) +
                  " would be needed (LimitNOFILE= of the service, or ulimit -Hn)";
  }
  return out;
}

}  // namespace mongocached::daemon
