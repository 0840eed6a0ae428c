// One message of a client on its way through the daemon.
#pragma once

#include <optional>

#include "cache/bypass_reason.hpp"
#include "cache/time.hpp"
#include "daemon/buffer_budget.hpp"
#include "daemon/in_flight_request.hpp"
#include "daemon/metrics.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::daemon {

struct request {
  protocol::byte_buffer bytes;  // the whole message, or the front of a large one
  held_bytes held;              // for them
  std::size_t unread = 0;       // bytes of the message that are still to be read from the client
  protocol::message_header header;
  protocol::command_view command;    // views into `bytes` (or into `front_body`)
  protocol::byte_buffer front_body;  // of a large message: the elements of its body that were seen, as a document
  bool crowded_out = false;          // there was no room to hold it: it is to be shed
  bool understood = false;           // `command` holds something; a large message's front is looked at by serve()
  cache::instant received{};
  std::size_t label = 0;    // cache::command_label
  in_flight_request place;  // once it is one of those that may be in flight

  [[nodiscard]] bool whole() const noexcept { return unread == 0; }
  // An OP_MSG that says so; of a large one its front is enough.
  [[nodiscard]] bool wants_no_reply() const noexcept {
    constexpr std::size_t flags_at = protocol::header_size;
    return header.code == protocol::opcode::msg && bytes.size() >= flags_at + 4 &&
           (protocol::load_le<std::uint32_t>(bytes.data() + flags_at) & protocol::op_msg_flags::more_to_come) != 0;
  }
};

// How the request ended, for metrics and the slow log.
struct verdict {
  outcome how = outcome::bypass;
  cache::bypass_reason reason = cache::bypass_reason::none;
};

}  // namespace mongocached::daemon
