-- Makes the keys in use those given.
-- KEYS: keys in use
-- ARGV: the keys
redis.call('DEL', KEYS[1])
for first = 1, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return 1
