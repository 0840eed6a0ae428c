// Who may ask the program about itself (wire rule I4): a [[user]] with admin = true who has proven to be that user.
// With pooled clients the proxy itself knows; in passthrough mode the cluster says, each time, who the client's own
// connection has logged in as. With no authentication anywhere it is whoever is on this machine. Not sure: no.
#pragma once

#include <span>

#include "daemon/session/relay.hpp"

namespace mongocached::daemon {

// Empty: this client may. Else why not, and what to configure.
[[nodiscard]] task<std::optional<refusal>> check_administrator(session& s, const request& r);

// Whether the reply to connectionStatus names a user of database admin who is an administrator of the settings. Pure.
[[nodiscard]] bool names_administrator(protocol::bson_view status, std::span<const config::user> users) noexcept;

}  // namespace mongocached::daemon
