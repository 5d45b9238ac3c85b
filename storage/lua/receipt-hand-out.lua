-- Gives receipts of one account their place in a tree, and forgets the oldest beyond what is kept. Only what stands first
-- among those that wait is taken, so that a repetition changes nothing.
-- KEYS: receipts, receipts that wait, sealed receipts
-- ARGV: most sealed receipts kept, then of each receipt: id, sealed receipt
for index = 2, #ARGV, 2 do
  local id = ARGV[index]
  if redis.call('LINDEX', KEYS[2], 0) == id then
    redis.call('LPOP', KEYS[2])
    redis.call('HSET', KEYS[1], id, ARGV[index + 1])
    redis.call('RPUSH', KEYS[3], id)
  end
end
local excess = redis.call('LLEN', KEYS[3]) - tonumber(ARGV[1])
for _ = 1, excess do redis.call('HDEL', KEYS[1], redis.call('LPOP', KEYS[3])) end
