-- Adds a lock on a node, unless the account has too many that are open; returns 1 where it was added.
-- KEYS: locks
-- ARGV: lock, life in ms, most open locks
local lock, lifeMs, max = checkId(ARGV[1]), checkCount(ARGV[2]), checkCount(ARGV[3])
local now = nowMs()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', integer(now))
if redis.call('ZCARD', KEYS[1]) >= max then return 0 end
redis.call('ZADD', KEYS[1], integer(now + lifeMs), lock)
redis.call('PEXPIRE', KEYS[1], integer(lifeMs))
return 1
