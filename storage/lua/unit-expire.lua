-- Ends holds whose lease is over without a charge; returns how many.
-- KEYS: pool, holds, leases
-- ARGV: most to end in one call
local ids = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', integer(nowMs()), 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  local held = redis.call('HGET', KEYS[2], id)
  if held then
    redis.call('HDEL', KEYS[2], id)
    redis.call('HINCRBY', KEYS[1], 'held', minus(held))
  end
  redis.call('ZREM', KEYS[3], id)
end
return #ids
