-- Takes money out of what is available, or refuses; what is decided under a reference stands for ever.
-- KEYS: balance, entries, withdrawals
-- ARGV: reference, amount
local reference, amount = checkId(ARGV[1]), checkMoney(ARGV[2])
local before = redis.call('HGET', KEYS[3], reference)
if before then return before end
local available = redis.call('HGET', KEYS[1], 'available')
if not available or below(available, amount) then
  redis.call('HSET', KEYS[3], reference, 'refused')
  return 'refused'
end
redis.call('HSET', KEYS[3], reference, 'taken')
redis.call('HINCRBY', KEYS[1], 'available', minus(amount))
redis.call('HINCRBY', KEYS[1], 'withdrawn', amount)
addEntry(KEYS[2], 'withdraw', reference, amount, '0', '', '', '')
return 'taken'
