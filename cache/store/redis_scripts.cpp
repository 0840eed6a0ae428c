#include "cache/store/redis_scripts.hpp"

#include "cache/store/redis_script_parts.hpp"

namespace mongocached::cache {
namespace {

// What all scripts begin with. Anything in Redis may be of another type or shape than ours: then it counts as missing.
//   hex       `found` if it is that many hex digits, else false
//   covered   time of the coverage mark; a mark of another epoch is none
//   token_of  token and N of a generation key's value; nothing for "hold" and for what is no such value
//   live      of a list of announcements those that have not run out, but for `without`; see redis_keys.hpp
constexpr std::string_view prelude_text = R"lua(
local zero = '0000000000000000'
local function hex(found, size)
  return type(found) == 'string' and #found == size and not string.find(found, '[^0-9a-f]') and found
end
local function epoch_in_force()
  local found = redis.pcall('GET', KEYS[1])
  return type(found) == 'string' and string.sub(found, 1, 32) or ''
end
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function covered(key, epoch)
  local found = redis.pcall('GETRANGE', key, 0, 47)
  return type(found) == 'string' and string.sub(found, 17) == epoch and hex(string.sub(found, 1, 16), 16) or zero
end
local function token_of(found)
  if type(found) ~= 'string' or #found ~= 49 or string.sub(found, 33, 33) ~= ':' then return end
  local token, newest = hex(string.sub(found, 1, 32), 32), hex(string.sub(found, 34), 16)
  if token and newest then return token, newest end
end
local function live(pending, now, without)
  if type(pending) ~= 'string' then return '' end
  local out = {}
  for i = 1, #pending, 45 do
    local till = tonumber(string.sub(pending, i + 32, i + 44)) or 0
    if till > now and string.sub(pending, i, i + 31) ~= without then
      out[#out + 1] = string.sub(pending, i, i + 44)
    end
  end
  return table.concat(out)
end
)lua";

// An epoch belongs to one life of one Redis: a restart or a failover changes the run id, and whoever connects first
// makes a new epoch (coherence C4, mode `ttl`). The old record goes first: it makes room in a full Redis, and lets the
// script go on there.
constexpr std::string_view epoch_text = R"lua(
local found = redis.pcall('GET', KEYS[1])
if ARGV[3] ~= '1' and type(found) == 'string' and string.sub(found, 34) == ARGV[1] then
  return string.sub(found, 1, 32)
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[1])
return ARGV[2]
)lua";

constexpr std::string_view release_text = R"lua(
for i = 1, #KEYS do
  if redis.pcall('HGET', KEYS[i], 'l') == ARGV[i] then redis.call('HDEL', KEYS[i], 'l', 'e') end
end
return false
)lua";

// coherence C3. A mark that is newer already, another process's, says more than ours: it stays, and ours counts as
// kept. The old one goes first, which lets the script go on in a full Redis.
constexpr std::string_view mark_text = R"lua(
local epoch = epoch_in_force()
if epoch ~= ARGV[1] then return {epoch, '0'} end
if covered(KEYS[2], epoch) > ARGV[2] then return {epoch, '1'} end
redis.call('DEL', KEYS[2])
local set = redis.pcall('SET', KEYS[2], ARGV[2] .. epoch .. ARGV[3])
return {epoch, set.err and '0' or '1'}
)lua";

}  // namespace

std::string script_text(redis_script which) {
  const auto with_prelude = [](std::string_view text) { return std::string(prelude_text) + std::string(text); };
  switch (which) {
    case redis_script::epoch:
      return std::string(epoch_text);
    case redis_script::release:
      return std::string(release_text);
    case redis_script::lease:
      return with_prelude(script_parts::lease);
    case redis_script::fill:
      return with_prelude(script_parts::fill);
    case redis_script::inval:
      return with_prelude(script_parts::inval);
    case redis_script::check:
      return with_prelude(script_parts::check);
    case redis_script::announce:
      return with_prelude(script_parts::announce);
    case redis_script::mark:
      return with_prelude(mark_text);
  }
  return {};
}

}  // namespace mongocached::cache
