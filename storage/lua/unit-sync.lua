-- Makes the live stacks of a pool those given that no node refuses; the use of each stack is kept, also of those that are gone.
-- KEYS: pool
-- ARGV: id and units of each stack in turn
local given, free, now = {}, 0, nowMs()
for index = 1, #ARGV, 2 do given[checkId(ARGV[index])] = checkCount(ARGV[index + 1]) end
local fields = redis.call('HGETALL', KEYS[1])
for index = 1, #fields, 2 do
  local stack = fields[index]:match('^live:(.+)$')
  if stack and not given[stack] then redis.call('HSET', KEYS[1], fields[index], '0') end
end
for stack, units in pairs(given) do
  local record = redis.call('HMGET', KEYS[1], 'used:' .. stack, 'out:' .. stack)
  local isOut = record[2] == 'closed' or tonumber(record[2] or '0') > now
  redis.call('HSET', KEYS[1], 'units:' .. stack, integer(units), 'live:' .. stack, isOut and '0' or '1')
  if not isOut then free = free + math.max(0, units - tonumber(record[1] or '0')) end
end
redis.call('HSET', KEYS[1], 'free', integer(free))
return 1
