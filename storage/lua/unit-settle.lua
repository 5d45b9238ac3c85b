-- Ends a hold and charges the stack that served, if any did.
-- KEYS: pool, holds, leases
-- ARGV: id, stack or '', units used
local id, stack, used = checkId(ARGV[1]), ARGV[2], checkCount(ARGV[3])
local held = redis.call('HGET', KEYS[2], id)
if not held then return 0 end
redis.call('HDEL', KEYS[2], id)
redis.call('ZREM', KEYS[3], id)
redis.call('HINCRBY', KEYS[1], 'held', minus(held))
if stack == '' then return 1 end

local record = redis.call('HMGET', KEYS[1], 'units:' .. stack, 'used:' .. stack, 'live:' .. stack)
local units, before = tonumber(record[1] or '0'), tonumber(record[2] or '0')
redis.call('HINCRBY', KEYS[1], 'used:' .. stack, integer(used))
if used > 0 then redis.call('HDEL', KEYS[1], 'rests:' .. stack) end
if record[3] == '1' then
  local freeBefore, freeAfter = math.max(0, units - before), math.max(0, units - before - used)
  redis.call('HINCRBY', KEYS[1], 'free', integer(freeAfter - freeBefore))
end
return 1
