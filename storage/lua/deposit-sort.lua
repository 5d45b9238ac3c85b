-- Gives the waiting deposits of a linked wallet to its account, some at a time; returns how many it found.
-- KEYS: unsorted wallets
-- ARGV: book, wallet, most to give in one call
local book, wallet, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local account = redis.call('HGET', book .. 'wallets', wallet)
if not account then return 0 end
local waiting = book .. 'waiting:' .. wallet
local found = redis.call('ZRANGE', waiting, 0, most - 1, 'WITHSCORES')
for index = 1, #found, 2 do
  own(book, found[index], found[index + 1], account)
  redis.call('ZREM', waiting, found[index])
end
if #found < 2 * most then redis.call('SREM', KEYS[1], wallet) end
return #found / 2
