#include "cache/store/redis_script_parts.hpp"

namespace mongocached::cache::script_parts {

// coherence W2: every value and lease goes before anything that a full Redis can refuse. Where a fence cannot be raised
// its record goes: no lease, no fill. A hold is never shortened. The epoch is reported, not required: a value is void
// in any epoch. `seen` leaves a value that holds the write already and, where the fence says that the write was known,
// the lease (C1). Announcements are taken back last. A message that cannot be published changes nothing (race 16).
const std::string_view inval = R"lua(
local epoch = epoch_in_force()
local now = clock()
local fence, hold, id = ARGV[1], tonumber(ARGV[2]), ARGV[7]
local seen = ARGV[6] == '1' and hold == 0 and fence ~= zero
local records = {}
for i = 6, #KEYS, 2 do
  local record = redis.pcall('HMGET', KEYS[i + 1], 'f', 'h', 'p', 'v', 'l')
  if record.err then
    redis.call('DEL', KEYS[i + 1])
    record = {}
  end
  local lower = seen and hex(record[4], 16)
  if not lower or lower < fence then
    local had = redis.call('DEL', KEYS[i])
    local found = record[1] or record[2] or record[3] or record[5]
    redis.call('HDEL', KEYS[i + 1], 'v')
    local known = hex(record[1], 16)
    if not seen or not known or known < fence then redis.call('HDEL', KEYS[i + 1], 'l', 'e') end
    if seen and not found and had == 0 then record = false end
  end
  records[i] = record
end
local done = '1'
local base = covered(KEYS[2], epoch)
for i = 3, 4 do
  local found = redis.pcall('GET', KEYS[i])
  local token, newest = token_of(found)
  if i == 3 and newest and newest > base then base = newest end
  if ARGV[i + 1] == '1' then
    local held = found == 'hold' and redis.call('PTTL', KEYS[i]) or 0
    if hold > held then
      redis.call('DEL', KEYS[i])
      local set = redis.pcall('SET', KEYS[i], 'hold', 'PX', ARGV[2])
      if set.err then done = '0' end
    elseif held <= 0 then
      redis.call('DEL', KEYS[i])
    end
  elseif token and newest < fence then
    local set = redis.pcall('SET', KEYS[i], token .. ':' .. fence, 'KEEPTTL')
    if set.err then redis.call('DEL', KEYS[i]) end
  end
end
for i = 6, #KEYS, 2 do
  local record = records[i]
  if record then
    local raised = hex(record[1], 16) or base
    if raised < fence then raised = fence end
    local till = tonumber(record[2] or 0) or 0
    if hold > 0 and now + hold > till then till = now + hold end
    local pending = live(record[3], now, id)
    local left = redis.call('PTTL', KEYS[i + 1])
    local function raise()
      return redis.pcall('HSET', KEYS[i + 1], 'f', raised, 'h', string.format('%.0f', till))
    end
    local set = raise()
    if type(set) == 'table' then
      redis.call('DEL', KEYS[i])
      set = raise()
    end
    if type(set) == 'table' then
      redis.call('DEL', KEYS[i + 1])
      if till > now then done = '0' end
    else
      if pending ~= '' then
        redis.call('HSET', KEYS[i + 1], 'p', pending)
      elseif record[3] then
        redis.call('HDEL', KEYS[i + 1], 'p')
      end
      redis.call('PEXPIRE', KEYS[i + 1], math.max(tonumber(ARGV[3]), till - now, left))
    end
  end
end
if id ~= '' and ARGV[4] == '1' then
  local found = redis.pcall('GET', KEYS[5])
  local pending = live(found, now, id)
  if pending == '' then
    redis.call('DEL', KEYS[5])
  elseif pending ~= found then
    redis.call('SET', KEYS[5], pending, 'KEEPTTL')
  end
end
if ARGV[9] ~= '' then redis.pcall('PUBLISH', ARGV[8], ARGV[9]) end
return {epoch, done}
)lua";

// Mode `strict`, W1. Values and leases go first, which lets the script go on in a full Redis. A key takes 1000
// announcements at a time; one more is not acknowledged.
const std::string_view announce = R"lua(
local now = clock()
local entry = ARGV[1] .. string.format('%013.0f', now + ARGV[2])
local done = '1'
local function with_entry(pending)
  local rest = live(pending, now, ARGV[1])
  if #rest >= 45000 then
    done = '0'
    return rest
  end
  return rest .. entry
end
for i = 3, #KEYS, 2 do
  redis.call('DEL', KEYS[i])
  local pending = redis.pcall('HGET', KEYS[i + 1], 'p')
  if type(pending) == 'table' then
    redis.call('DEL', KEYS[i + 1])
    pending = ''
  end
  redis.call('HDEL', KEYS[i + 1], 'l', 'e', 'v')
  local left = redis.call('PTTL', KEYS[i + 1])
  local set = redis.pcall('HSET', KEYS[i + 1], 'p', with_entry(pending))
  if type(set) == 'table' then
    done = '0'
  else
    redis.call('PEXPIRE', KEYS[i + 1], math.max(tonumber(ARGV[2]), left))
  end
end
if ARGV[3] == '1' then
  local pending = with_entry(redis.pcall('GET', KEYS[2]))
  redis.call('DEL', KEYS[2])
  local set = redis.pcall('SET', KEYS[2], pending, 'PX', ARGV[2])
  if set.err then done = '0' end
end
return {epoch_in_force(), done}
)lua";

}  // namespace mongocached::cache::script_parts
