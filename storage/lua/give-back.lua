-- Gives the money of a withdrawal back once; what was not taken by now never will be.
-- KEYS: balance, entries, withdrawals
-- ARGV: reference, amount
local reference, amount = checkId(ARGV[1]), checkMoney(ARGV[2])
local before = redis.call('HGET', KEYS[3], reference)
if before ~= 'taken' then
  if not before then redis.call('HSET', KEYS[3], reference, 'refused') end
  return before or 'refused'
end
redis.call('HSET', KEYS[3], reference, 'returned')
redis.call('HINCRBY', KEYS[1], 'withdrawn', minus(amount))
redis.call('HINCRBY', KEYS[1], 'available', amount)
addEntry(KEYS[2], 'give-back', reference, amount, '0', '', '', '')
return 'returned'
