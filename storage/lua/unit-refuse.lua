-- Takes a stack that its node refused out of the pool: for good, or for a rest that doubles with each refusal since it last
-- paid. While a stack is out, further refusals change nothing. Returns 1 where it was in, or was resting and is now closed.
-- KEYS: pool
-- ARGV: stack, 'closed' or 'resting', first rest in ms, longest rest in ms
local stack, kind = checkId(ARGV[1]), ARGV[2]
local firstMs, longestMs = checkCount(ARGV[3]), checkCount(ARGV[4])
local record = redis.call('HMGET', KEYS[1], 'units:' .. stack, 'used:' .. stack, 'live:' .. stack, 'out:' .. stack,
  'rests:' .. stack)
if not record[1] or record[4] == 'closed' then return 0 end
local now = nowMs()
if kind == 'closed' then
  redis.call('HSET', KEYS[1], 'out:' .. stack, 'closed')
else
  if tonumber(record[4] or '0') > now then return 0 end
  local rests = tonumber(record[5] or '0')
  local restMs = math.min(longestMs, firstMs * 2 ^ rests)
  redis.call('HSET', KEYS[1], 'out:' .. stack, integer(now + restMs), 'rests:' .. stack, integer(rests + 1))
end
if record[3] == '1' then
  redis.call('HSET', KEYS[1], 'live:' .. stack, '0')
  redis.call('HINCRBY', KEYS[1], 'free', integer(math.min(0, tonumber(record[2] or '0') - tonumber(record[1]))))
end
return 1
