// The command that the program answers about itself: {mongocached: 1}, its status, and
// {mongocached: "explain", command: {...}}, what the cache would do with that command. It never travels upstream,
// whatever it holds. Parsed here; pure.
#pragma once

#include <variant>

#include "daemon/refusal.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::daemon {

inline constexpr std::string_view own_command_name = "mongocached";

struct own_command {
  enum class kind : std::uint8_t { status, explain };
  kind what = kind::status;
  protocol::bson_view explained;  // the command in question, a view into the one that was parsed
};

// Beside its own fields it takes the generic ones that drivers add; anything else is refused, and what is allowed is
// named.
[[nodiscard]] std::variant<own_command, refusal> parse_own_command(const protocol::command_view& command);

// Whether it asks for the status: that is answered under any load.
[[nodiscard]] bool asks_for_status(const protocol::command_view& command) noexcept;

// The command in question as the message that a client would send: on the database `db`, its own $db, if it names one,
// being the same.
[[nodiscard]] std::variant<protocol::byte_buffer, refusal> message_of(protocol::bson_view explained,
                                                                      std::string_view db, std::int32_t request_id);

}  // namespace mongocached::daemon
