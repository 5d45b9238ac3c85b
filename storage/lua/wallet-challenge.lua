-- Keeps a challenge in place of the account's oldest, once there are as many as may be open.
-- KEYS: challenges of the account
-- ARGV: challenge, how long it lives in ms, most open at once
local number = redis.call('HINCRBY', KEYS[1], 'next', 1) % tonumber(ARGV[3])
redis.call('HSET', KEYS[1], string.format('%.0f', number), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
