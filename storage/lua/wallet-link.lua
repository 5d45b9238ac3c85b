-- Uses a challenge up and links the wallet that met it, if it is free.
-- KEYS: challenges of the account
-- ARGV: book, account, wallet, number of the challenge, challenge, time in ms, most wallets of one account
local book, account, wallet = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', KEYS[1], ARGV[4]) ~= ARGV[5] then return 'challenge-unknown' end
redis.call('HDEL', KEYS[1], ARGV[4])
local wallets, walletsOf = book .. 'wallets', book .. 'wallets-of:' .. account
local owner = redis.call('HGET', wallets, wallet)
if owner and owner ~= account then return 'wallet-taken' end
if not owner then
  if redis.call('ZCARD', walletsOf) >= tonumber(ARGV[7]) then return 'wallets-exceeded' end
  redis.call('HSET', wallets, wallet, account)
  redis.call('ZADD', walletsOf, ARGV[6], wallet)
  redis.call('SADD', book .. 'unsorted', wallet)
end
return 'linked'
