#include "bench/zerocopy_queue.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>  // errqueue.h needs it and does not say so

#include <linux/errqueue.h>

#include <array>
#include <cstring>

#include "bench/net.hpp"

namespace mongocached::bench {

zerocopy_queue::zerocopy_queue(int fd, zerocopy_counts& counts) : counts_(counts) {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0) fail_with_errno("SO_ZEROCOPY");
}

protocol::byte_buffer zerocopy_queue::exchange(protocol::byte_buffer sent) {
  leaving_.push_back({sends_ - 1, std::move(sent)});
  if (spare_.empty()) return {};
  auto out = std::move(spare_.back());
  spare_.pop_back();
  return out;
}

bool zerocopy_queue::collect(int fd) {
  bool any = false;
  for (;;) {
    alignas(cmsghdr) std::array<char, 256> control{};
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(fd, &message, MSG_ERRQUEUE) < 0) return any;
    const cmsghdr* c = CMSG_FIRSTHDR(&message);
    if (c == nullptr || c->cmsg_level != SOL_IP || c->cmsg_type != IP_RECVERR) continue;
    sock_extended_err e{};
    std::memcpy(&e, CMSG_DATA(c), sizeof e);
    if (e.ee_errno != 0 || e.ee_origin != SO_EE_ORIGIN_ZEROCOPY) continue;
    any = true;
    if ((e.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0) counts_.copied += e.ee_data - e.ee_info + 1;
    left(e.ee_data);
  }
}

// TCP tells them in order: all sends up to `last` have left. Numbers wrap.
void zerocopy_queue::left(std::uint32_t last) {
  while (!leaving_.empty() && static_cast<std::int32_t>(leaving_.front().last_send - last) <= 0) {
    leaving_.front().bytes.clear();
    spare_.push_back(std::move(leaving_.front().bytes));
    leaving_.pop_front();
  }
}

}  // namespace mongocached::bench
