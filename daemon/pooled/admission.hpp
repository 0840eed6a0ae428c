// What a client of the pool may ask for at all (wire rule I3): upstream everything runs under the proxy's own user, so
// who is behind a command is for the proxy to check. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/refusal.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::daemon {

struct caller {
  bool logged_in = false;  // or need not
  bool admin = false;
};

// Empty: nothing against it. Of a command that the proxy does not answer by itself. Refused are: what belongs to a
// handshake; before the login nearly everything; fields by which a trusted peer speaks for others ($audit,
// $impersonatedUsers, ...); fields of a session that only a server sets; fields that stand there twice; and, for all
// but administrators, users and roles, what reaches collections of theirs (private_names.hpp), and what ends other
// users' sessions.
[[nodiscard]] std::optional<refusal> check_admission(const protocol::command_view& command, const caller& who);

// The 16 bytes of the session's UUID; empty where there is no lsid. Of a command that was admitted.
[[nodiscard]] std::string_view session_of(const protocol::command_view& command) noexcept;
// The sessions that endSessions, refreshSessions and killSessions name; empty optional where one is named in another
// way than {id: UUID}.
[[nodiscard]] std::optional<std::vector<std::string_view>> sessions_named(const protocol::command_view& command);
[[nodiscard]] bool names_sessions(std::string_view command) noexcept;

// "db.collection" of the cursors that getMore and killCursors name, and their ids.
struct named_cursors {
  std::string ns;
  std::vector<std::int64_t> ids;
};
// Empty where the command cannot be read: the server would refuse it too.
[[nodiscard]] std::optional<named_cursors> cursors_named(const protocol::command_view& command);

}  // namespace mongocached::daemon
