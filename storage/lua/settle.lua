-- Ends an open reservation with a charge of at most what is held, and appends the usage record.
-- KEYS: balance, open record, leases, entries, usage
-- ARGV: id, prefix of limits, cost, tokens used, price version, usage record, most records kept
local id, cost, tokensUsed = checkId(ARGV[1]), checkMoney(ARGV[3]), checkCount(ARGV[4])
local keys = { balance = KEYS[1], open = KEYS[2], leases = KEYS[3], entries = KEYS[4] }
local charged = resolve(keys, ARGV[2], id, 'settle', cost, tokensUsed, ARGV[5], nowMs())
if not charged then return false end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[7], '*', 'charged', charged, 'record', ARGV[6])
return charged
