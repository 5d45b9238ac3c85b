-- Ends an open reservation with a charge of at most what is held, and appends the usage record; where there is evidence
-- (JSON, or nothing) also the receipt, which waits to be sealed.
-- KEYS: balance, open record, leases, entries, usage, receipts, receipts that wait
-- ARGV: id, prefix of limits, cost, tokens used, price version, usage record, most records kept, evidence
local id, cost, tokensUsed = checkId(ARGV[1]), checkMoney(ARGV[3]), checkCount(ARGV[4])
local keys = { balance = KEYS[1], open = KEYS[2], leases = KEYS[3], entries = KEYS[4] }
local charged = resolve(keys, ARGV[2], id, 'settle', cost, tokensUsed, ARGV[5], nowMs())
if not charged then return false end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[7], '*', 'charged', charged, 'record', ARGV[6])
if ARGV[8] ~= '' then
  local receipt = '{"charged":"' .. charged .. '","record":' .. ARGV[6] .. ',"evidence":' .. ARGV[8] .. '}'
  if redis.call('HSETNX', KEYS[6], id, receipt) == 1 then redis.call('RPUSH', KEYS[7], id) end
end
return charged
