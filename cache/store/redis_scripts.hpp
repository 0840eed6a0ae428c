// The Lua calls that make several steps in Redis one. Each compares the epoch; times of MongoDB travel as 16 hex
// digits.
//
//   script   keys                                       arguments                          answer
//   epoch    epoch                                      run id, new epoch, force 0|1       epoch in force
//   lease    epoch, generation, record...               epoch, new generation, lease ms,   epoch, generation, then a
//   record
//                                                       record ms, generation ms, token... each "1" or "0" and the
//                                                       fence
//   fill     epoch, generation, (value, record)...      epoch, generation,                 epoch, one letter each: s
//   stored,
//                                                       (token, L, ms to live, bytes)...   l lease, f fence, g
//                                                       generation, x failed
//   inval    epoch, documents' generation,              fence, hold ms, record ms,         epoch, "1" all is done
//            lists' generation, (value, record)...      documents 0|1, lists 0|1
//   release  record...                                  token...                           nothing
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mongocached::cache {

enum class redis_script : std::uint8_t { epoch, lease, fill, inval, release };

inline constexpr std::array all_redis_scripts = {redis_script::epoch, redis_script::lease, redis_script::fill,
                                                 redis_script::inval, redis_script::release};

[[nodiscard]] std::string_view script_text(redis_script which) noexcept;

}  // namespace mongocached::cache
