// Asks a running mongocached over its side port how it fares: `--health-check`, for images that have no HTTP client.
// Beast and Asio stay out of this header.
#pragma once

#include <chrono>
#include <string>

#include "config/settings.hpp"

namespace mongocached::daemon {

struct health {
  bool good = false;
  std::string text;  // one line: what the port said, or why nothing was heard
};

// GET http://`side_port`/`path`, answered with 200 within `patience`. A wildcard address is asked on loopback.
[[nodiscard]] health ask_health(const config::endpoint& side_port, const std::string& path,
                                std::chrono::milliseconds patience);

}  // namespace mongocached::daemon
