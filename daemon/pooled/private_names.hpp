// What not everybody may see or change, though the proxy's own user may: collections `system.*` of admin (users, roles
// and their keys), config and local. Whether a command reaches one, by whichever of its parts. Pure.
#pragma once

#include <string_view>

#include "protocol/command_view.hpp"

namespace mongocached::daemon {

// No other field of it names a collection than the first one.
[[nodiscard]] bool names_by_first_field_only(std::string_view command) noexcept;

// Errs on the side of yes: a part of a form that is not known counts if it holds such a name anywhere. Of a command
// that names by more than its first field, the whole message must be there.
[[nodiscard]] bool reaches_private(const protocol::command_view& command) noexcept;

}  // namespace mongocached::daemon
