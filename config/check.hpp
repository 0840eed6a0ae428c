// Checks that need more than one key. Internal to config/.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "config/load.hpp"

namespace mongocached::config {

// Adds to out.faults and out.notes. `bad` names keys that already have a fault: no check is made on those.
void check_together(result& out, const std::set<std::string, std::less<>>& bad);

// Whether a client of `upstream_uri` would reach `listen`: mongocached as its own upstream.
[[nodiscard]] bool is_own_address(std::string_view upstream_uri, const endpoint& listen);

}  // namespace mongocached::config
