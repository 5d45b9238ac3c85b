-- Ends an open reservation without a charge, and appends the usage record that says why.
-- KEYS: balance, open record, leases, entries, usage
-- ARGV: id, prefix of limits, usage record, most records kept
local id = checkId(ARGV[1])
local keys = { balance = KEYS[1], open = KEYS[2], leases = KEYS[3], entries = KEYS[4] }
local charged = resolve(keys, ARGV[2], id, 'release', '0', 0, '', nowMs())
if not charged then return false end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[4], '*', 'charged', charged, 'record', ARGV[3])
return charged
