-- Finds an open lock for a sealed request, and uses it up where that is asked for; one sealed request gets one lock, ever.
-- KEYS: locks, mark of the sealed request
-- ARGV: beginning of the lock, how long the mark is kept in ms or '' to look only
local now = nowMs()
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
local beginning = checkId(ARGV[1])
-- The one that ends first is used first.
for _, lock in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. integer(now), '+inf')) do
  if lock:sub(1, #beginning) == beginning then
    if ARGV[2] ~= '' then
      redis.call('ZREM', KEYS[1], lock)
      redis.call('SET', KEYS[2], '1', 'PX', integer(checkCount(ARGV[2])))
    end
    return lock
  end
end
return false
