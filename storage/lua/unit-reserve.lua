-- Holds units of a model's stacks.
-- KEYS: pool, holds, leases
-- ARGV: id, units, leaseMs
local id, units, leaseMs = checkId(ARGV[1]), checkCount(ARGV[2]), checkCount(ARGV[3])
if redis.call('HEXISTS', KEYS[2], id) == 1 then return 1 end
local pool = redis.call('HMGET', KEYS[1], 'free', 'held')
if tonumber(pool[1] or '0') - tonumber(pool[2] or '0') < units then return 0 end
redis.call('HINCRBY', KEYS[1], 'held', integer(units))
redis.call('HSET', KEYS[2], id, integer(units))
redis.call('ZADD', KEYS[3], integer(nowMs() + leaseMs), id)
return 1
