#include "cache/store/redis_scripts.hpp"

namespace mongocached::cache {
namespace {

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

// coherence R4, W2: returns the fence, whether or not the lease is granted ('1'; '2': another flight has it). Nothing
// is granted in another epoch, while the namespace or the key is on hold, or where Redis has no room for the record.
constexpr std::string_view lease_text = R"lua(
local epoch = redis.call('GET', KEYS[1])
epoch = epoch and string.sub(epoch, 1, 32) or ''
if epoch ~= ARGV[1] then return {epoch, ''} end
local generation = redis.pcall('GET', KEYS[2])
if type(generation) == 'table' then
  redis.call('DEL', KEYS[2])
  generation = false
end
local held = generation == 'hold'
if not generation then
  generation = ARGV[2]
  local set = redis.pcall('SET', KEYS[2], generation, 'PX', ARGV[5])
  if set.err then
    generation = ''
    held = true
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {epoch, generation}
for i = 3, #KEYS do
  local record = redis.pcall('HMGET', KEYS[i], 'f', 'l', 'e', 'h')
  if record.err then
    redis.call('DEL', KEYS[i])
    record = {false, false, false, false}
  end
  local fence = record[1] or '0000000000000000'
  local taken = record[2] and (tonumber(record[3]) or 0) > now
  local free = not held and not taken and (tonumber(record[4] or 0) or 0) <= now
  if free then
    local set = redis.pcall('HSET', KEYS[i], 'f', fence, 'l', ARGV[i + 3], 'e', string.format('%.0f', now + ARGV[3]))
    if type(set) == 'table' then
      free = false
    else
      redis.call('PEXPIRE', KEYS[i], ARGV[4])
    end
  end
  answer[#answer + 1] = (free and '1' or (taken and not held) and '2' or '0') .. fence
end
if not held then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
return answer
)lua";

// coherence R6: stored only under our own live lease, with the fence not above L, in our epoch and an unchanged
// generation (T2). A missing record holds no lease, so that its eviction or expiry can only refuse (W2).
constexpr std::string_view fill_text = R"lua(
local epoch = redis.call('GET', KEYS[1])
epoch = epoch and string.sub(epoch, 1, 32) or ''
if epoch ~= ARGV[1] then return {epoch, ''} end
local same = redis.pcall('GET', KEYS[2]) == ARGV[2]
local answer = ''
for i = 3, #KEYS, 2 do
  local a = 3 + (i - 3) * 2
  local record = redis.pcall('HMGET', KEYS[i + 1], 'f', 'l')
  local code
  if record.err or record[2] ~= ARGV[a] then
    code = 'l'
  else
    if not same then
      code = 'g'
    elseif (record[1] or '') > ARGV[a + 1] then
      code = 'f'
    else
      local set = redis.pcall('SET', KEYS[i], ARGV[a + 3], 'PX', ARGV[a + 2])
      code = set.err and 'x' or 's'
    end
  end
  answer = answer .. code
end
for i = 1, #answer do
  if string.sub(answer, i, i) ~= 'l' then redis.call('HDEL', KEYS[2 * i + 2], 'l', 'e') end
end
return {epoch, answer}
)lua";

// coherence W2: every value and lease goes before anything that a full Redis can refuse. Where a fence cannot be raised
// its record goes: no lease, no fill. A hold is never shortened. The epoch is reported, not required: a value is void
// in any epoch.
constexpr std::string_view inval_text = R"lua(
local epoch = redis.pcall('GET', KEYS[1])
epoch = type(epoch) == 'string' and string.sub(epoch, 1, 32) or ''
local hold = tonumber(ARGV[2])
local records = {}
for i = 4, #KEYS, 2 do
  redis.call('DEL', KEYS[i])
  local record = redis.pcall('HMGET', KEYS[i + 1], 'f', 'h')
  if record.err then
    redis.call('DEL', KEYS[i + 1])
    record = {false, false}
  else
    redis.call('HDEL', KEYS[i + 1], 'l', 'e')
  end
  records[i] = record
end
local done = '1'
for i = 2, 3 do
  if ARGV[i + 2] == '1' then
    local found = redis.pcall('GET', KEYS[i])
    local held = found == 'hold' and redis.call('PTTL', KEYS[i]) or 0
    if hold > held then
      redis.call('DEL', KEYS[i])
      local set = redis.pcall('SET', KEYS[i], 'hold', 'PX', ARGV[2])
      if set.err then done = '0' end
    elseif held <= 0 then
      redis.call('DEL', KEYS[i])
    end
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, #KEYS, 2 do
  local fence = records[i][1] or ''
  if fence < ARGV[1] then fence = ARGV[1] end
  local till = tonumber(records[i][2] or 0) or 0
  if hold > 0 and now + hold > till then till = now + hold end
  local set = redis.pcall('HSET', KEYS[i + 1], 'f', fence, 'h', string.format('%.0f', till))
  if type(set) == 'table' then
    redis.call('DEL', KEYS[i + 1])
    if till > now then done = '0' end
  else
    redis.call('PEXPIRE', KEYS[i + 1], math.max(tonumber(ARGV[3]), till - now))
  end
end
return {epoch, done}
)lua";

constexpr std::string_view release_text = R"lua(
for i = 1, #KEYS do
  if redis.pcall('HGET', KEYS[i], 'l') == ARGV[i] then redis.call('HDEL', KEYS[i], 'l', 'e') end
end
return false
)lua";

}  // namespace

std::string_view script_text(redis_script which) noexcept {
  switch (which) {
    case redis_script::epoch:
      return epoch_text;
    case redis_script::lease:
      return lease_text;
    case redis_script::fill:
      return fill_text;
    case redis_script::inval:
      return inval_text;
    case redis_script::release:
      return release_text;
  }
  return {};
}

}  // namespace mongocached::cache
