// What a reload may change. Where a key takes effect says its row in keys.cpp.
#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"

namespace mongocached::config {

// Gives `fresh`, read anew, the values of `running` for all that changes with a restart only, so that it says what is
// in force. Returns the keys, "listen.address" first, of which another value was asked for. With another
// upstream.auth the users wait as well ("user"): they were written for that one.
[[nodiscard]] std::vector<std::string> keep_until_restart(const settings& running, settings& fresh);

// Adds to the faults of `fresh`, in which keep_until_restart() has left what waits as it is, what does not hold
// together so: a mode strict that came along with its Redis. The notes stay those of what was written.
void check_in_force(result& fresh);

}  // namespace mongocached::config
