-- Adds a deposit once per reference.
-- KEYS: balance, entries, credits
-- ARGV: amount, reference, the most that may ever be deposited
local amount, reference, max = checkMoney(ARGV[1]), checkId(ARGV[2]), checkMoney(ARGV[3])
local deposited = redis.call('HGET', KEYS[1], 'deposited')
if not deposited then return { 'account-unknown' } end
local before = redis.call('HGET', KEYS[3], reference)
if before == amount then return { 'repeated' } end
if before then return { 'reference-used', before } end
if below(max, plus(deposited, amount)) then return { 'deposits-exceeded' } end
redis.call('HSET', KEYS[3], reference, amount)
redis.call('HINCRBY', KEYS[1], 'deposited', amount)
redis.call('HINCRBY', KEYS[1], 'available', amount)
addEntry(KEYS[2], 'deposit', reference, amount, '0', '', '', '')
return { 'credited' }
