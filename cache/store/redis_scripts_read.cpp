#include "cache/store/redis_script_parts.hpp"

namespace mongocached::cache::script_parts {

// coherence R4, W2: returns the fence, whether or not the lease is granted ('1'; '2': another flight has it). Nothing
// is granted in another epoch, while the namespace or the key is on hold or a write of it announced, or where Redis has
// no room for the record: nothing is written before the first of them, which would let a full Redis take all. A record
// that is made starts from the newest time known: the coverage mark, or N.
const std::string_view lease = R"lua(
local epoch = epoch_in_force()
if epoch ~= ARGV[1] then return {epoch, ''} end
local now = clock()
local base = covered(KEYS[2], epoch)
local found = redis.pcall('GET', KEYS[3])
local held = found == 'hold'
local token, newest = token_of(found)
if not held and not token then
  token, newest = ARGV[2], base
  if found then redis.call('DEL', KEYS[3]) end
  local set = redis.pcall('SET', KEYS[3], token .. ':' .. newest, 'PX', ARGV[5])
  held = set.err ~= nil
end
if newest and newest > base then base = newest end
local pending = redis.pcall('GET', KEYS[4])
if type(pending) == 'table' then redis.call('DEL', KEYS[4]) end
local blocked = held or type(pending) == 'table' or live(pending, now) ~= ''
local answer = {epoch, held and '' or token .. ':' .. newest}
for i = 5, #KEYS do
  local record = redis.pcall('HMGET', KEYS[i], 'f', 'l', 'e', 'h', 'p')
  if record.err then
    redis.call('DEL', KEYS[i])
    record = {}
  end
  local fence = hex(record[1], 16) or base
  local taken = record[2] and (tonumber(record[3]) or 0) > now
  local free = not taken and not blocked and (tonumber(record[4] or 0) or 0) <= now and live(record[5], now) == ''
  if free then
    local set = redis.pcall('HSET', KEYS[i], 'f', fence, 'l', ARGV[i + 1], 'e', string.format('%.0f', now + ARGV[3]))
    if type(set) == 'table' then
      free = false
    else
      redis.call('PEXPIRE', KEYS[i], ARGV[4])
    end
  end
  answer[#answer + 1] = (free and '1' or (taken and not blocked) and '2' or '0') .. fence
end
if not held then redis.call('PEXPIRE', KEYS[3], ARGV[5]) end
return answer
)lua";

// coherence R6: stored only under our own live lease, with the fence not above L, in our epoch and an unchanged
// generation (T2), no write of the namespace being announced; an announced write of the key took the lease. A missing
// record holds no lease, so that its eviction or expiry can only refuse (W2). The record then lives as long as the
// value, without which it would be a miss (mode `strict`). No write comes before the last SET that a full Redis is to
// refuse.
const std::string_view fill = R"lua(
local epoch = epoch_in_force()
if epoch ~= ARGV[1] then return {epoch, ''} end
local pending = redis.pcall('GET', KEYS[3])
local same = token_of(redis.pcall('GET', KEYS[2])) == ARGV[2]
same = same and type(pending) ~= 'table' and live(pending, clock()) == ''
local answer = ''
for i = 4, #KEYS, 2 do
  local a = 3 + (i - 4) * 2
  local record = redis.pcall('HMGET', KEYS[i + 1], 'f', 'l')
  local code
  if record.err or record[2] ~= ARGV[a] then
    code = 'l'
  elseif not same then
    code = 'g'
  elseif not hex(record[1], 16) or record[1] > ARGV[a + 1] then
    code = 'f'
  else
    local set = redis.pcall('SET', KEYS[i], ARGV[a + 3], 'PX', ARGV[a + 2])
    code = set.err and 'x' or 's'
  end
  answer = answer .. code
end
for n = 1, #answer do
  local code, i, a = string.sub(answer, n, n), 2 + 2 * n, 4 * n - 1
  if code ~= 'l' then redis.call('HDEL', KEYS[i + 1], 'l', 'e') end
  if code == 's' then
    redis.call('HSET', KEYS[i + 1], 'v', ARGV[a + 1])
    if redis.call('PTTL', KEYS[i + 1]) < tonumber(ARGV[a + 2]) then
      redis.call('PEXPIRE', KEYS[i + 1], ARGV[a + 2])
    end
  end
end
return {epoch, answer}
)lua";

// Mode `strict`: a value counts only while its record is there, vouches for it (v >= f), and no write is announced.
const std::string_view check = R"lua(
local now = clock()
local found = redis.pcall('GET', KEYS[2])
local pending = redis.pcall('GET', KEYS[3])
local open = type(pending) ~= 'table' and live(pending, now) == ''
local answer = {epoch_in_force(), type(found) == 'string' and found or ''}
for i = 4, #KEYS, 2 do
  local left, value = 0, ''
  local record = open and redis.pcall('HMGET', KEYS[i + 1], 'f', 'v', 'p') or {}
  local fence, lower = hex(record[1], 16), hex(record[2], 16)
  if fence and lower and lower >= fence and live(record[3], now) == '' then
    left = redis.call('PTTL', KEYS[i])
    value = redis.pcall('GET', KEYS[i])
    if type(value) ~= 'string' then value = '' end
  end
  answer[#answer + 1] = left
  answer[#answer + 1] = value
end
return answer
)lua";

}  // namespace mongocached::cache::script_parts
