// The texts of the longer scripts, by what they serve. Internal to redis_scripts.cpp.
#pragma once

#include <string_view>

namespace mongocached::cache::script_parts {

// Reads (redis_scripts_read.cpp).
extern const std::string_view lease;
extern const std::string_view fill;
extern const std::string_view check;
// Writes (redis_scripts_write.cpp).
extern const std::string_view inval;
extern const std::string_view announce;

}  // namespace mongocached::cache::script_parts
