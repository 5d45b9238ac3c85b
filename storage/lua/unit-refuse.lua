-- Takes a stack that its node refused out of the pool: for good, or for a rest that doubles with each refusal since it last
-- paid. While a stack is out, further refusals change nothing; neither does one of a request that does not fit by our own
-- count, or whose hold has ended. Returns 1 where the stack was in, or was resting and is now closed.
-- KEYS: pool, holds
-- ARGV: stack, 'closed' or 'resting', id of the request that was too large for it or '', first rest in ms, longest rest in ms
local stack, kind, request = checkId(ARGV[1]), ARGV[2], ARGV[3]
local firstMs, longestMs = checkCount(ARGV[4]), checkCount(ARGV[5])
local record = redis.call('HMGET', KEYS[1], 'units:' .. stack, 'used:' .. stack, 'live:' .. stack, 'out:' .. stack,
  'rests:' .. stack)
if not record[1] or record[4] == 'closed' then return 0 end
local left = math.max(0, tonumber(record[1]) - tonumber(record[2] or '0'))
local now = nowMs()
if kind == 'closed' then
  redis.call('HSET', KEYS[1], 'out:' .. stack, 'closed')
else
  if tonumber(record[4] or '0') > now then return 0 end
  local asked = request ~= '' and redis.call('HGET', KEYS[2], request)
  if request ~= '' and (not asked or tonumber(asked) > left) then return 0 end
  local rests = tonumber(record[5] or '0')
  local restMs = math.min(longestMs, firstMs * 2 ^ rests)
  redis.call('HSET', KEYS[1], 'out:' .. stack, integer(now + restMs), 'rests:' .. stack, integer(rests + 1))
end
if record[3] == '1' then
  redis.call('HSET', KEYS[1], 'live:' .. stack, '0')
  redis.call('HINCRBY', KEYS[1], 'free', minus(integer(left)))
end
return 1
