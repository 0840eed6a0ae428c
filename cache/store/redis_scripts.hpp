// The Lua calls that make several steps in Redis one. Each compares the epoch; times of MongoDB travel as 16 hex
// digits, names as 32. "tokens" are the namespace's generation keys, "pending" the announcements of writes on all of
// it.
//
//   script    keys                                         arguments                         answer
//   epoch     epoch                                        run id, new epoch, force 0|1      epoch in force
//   lease     epoch, mark, token, pending, record...       epoch, new token, lease ms,       epoch, token and N, then a
//                                                          record ms, token ms, lease...     record: 1 granted, 2 taken
//                                                                                            or 0, and the fence
//   fill      epoch, token, pending, (value, record)...    epoch, token,                     epoch, one letter each:
//                                                          (lease, L, ms to live, bytes)...  s stored, l lease, f
//                                                          fence,
//                                                                                            g generation, x failed
//   inval     epoch, mark, documents' token, lists' token, fence, hold ms, record ms,        epoch, "1" all is done
//             pending, (value, record)...                  documents 0|1, lists 0|1,
//                                                          seen 0|1, announcement or "",
//                                                          channel, message or ""
//   release   record...                                    lease...                          nothing
//   check     epoch, token, pending, (value, record)...    none                              epoch, token and N, then
//                                                                                            ms left and bytes of each
//   announce  epoch, pending, (value, record)...           announcement, limit ms,           epoch, "1" all is done
//                                                          documents 0|1
//   mark      epoch, mark                                  epoch, time, token                epoch, "1" kept
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace mongocached::cache {

enum class redis_script : std::uint8_t { epoch, lease, fill, inval, release, check, announce, mark };

inline constexpr std::array all_redis_scripts = {redis_script::epoch,    redis_script::lease,   redis_script::fill,
                                                 redis_script::inval,    redis_script::release, redis_script::check,
                                                 redis_script::announce, redis_script::mark};

[[nodiscard]] std::string script_text(redis_script which);

}  // namespace mongocached::cache
