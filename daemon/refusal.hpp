// Why a command is answered by an error of our own: its code and text as the client sees them.
#pragma once

#include <string>

#include "protocol/reply.hpp"

namespace mongocached::daemon {

struct refusal {
  protocol::error_code code = protocol::error_code::unauthorized;
  std::string text;
};

}  // namespace mongocached::daemon
