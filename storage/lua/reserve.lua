-- Holds money under every limit of the key, or changes nothing.
-- KEYS: balance, open record, leases, entries, limits of the key
-- ARGV: id, keyId, model, endpoint, amount, tokens, leaseMs,
--   then maxima or '' for none: requests/min, tokens/min, parallel, budget of the day, of the month, in total
local balance, open, leases, entries, limits = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, keyId = checkId(ARGV[1]), checkId(ARGV[2])
local model, endpoint = ARGV[3], ARGV[4]
local amount, tokens, leaseMs = checkMoney(ARGV[5]), checkCount(ARGV[6]), checkCount(ARGV[7])
local requestsMax = ARGV[8] ~= '' and checkCount(ARGV[8])
local tokensMax = ARGV[9] ~= '' and checkCount(ARGV[9])
local parallelMax = ARGV[10] ~= '' and checkCount(ARGV[10])
local minuteMs = 60000

local money = redis.call('HMGET', balance, 'available', 'reserved')
if not money[1] then return { 'account-unknown' } end
local now = nowMs()
local state = redis.call('HMGET', limits, 'requestsLevel', 'requestsMs', 'tokensLevel', 'tokensMs', 'parallel', 'held',
  'spent', 'day', 'spentDay', 'month', 'spentMonth')

-- A bucket holds one minute's allowance and refills continuously.
local function levelOf(level, ms, max)
  if not max then return nil end
  if not level then return max end
  local elapsedMs = math.max(0, now - tonumber(ms))
  return math.min(max, tonumber(level) + elapsedMs * max / minuteMs)
end
local function waitMs(level, wanted, max)
  if max == 0 then return minuteMs end
  return math.max(1, math.ceil((wanted - level) * minuteMs / max))
end
local requestsLevel = levelOf(state[1], state[2], requestsMax)
local tokensLevel = levelOf(state[3], state[4], tokensMax)
local function success()
  return { 'reserved', requestsLevel and tostring(requestsLevel) or '', tokensLevel and tostring(tokensLevel) or '' }
end

if redis.call('EXISTS', open) == 1 then return success() end

if tokensMax and tokens > tokensMax then return { 'tokens-oversized' } end
if requestsMax and requestsLevel < 1 then
  return { 'requests-exceeded', waitMs(requestsLevel, 1, requestsMax) }
end
if tokensMax and tokensLevel < tokens then
  return { 'tokens-exceeded', waitMs(tokensLevel, tokens, tokensMax) }
end
if parallelMax and tonumber(state[5] or '0') >= parallelMax then return { 'parallel-exceeded' } end

local held = state[6] or '0'
local function budget(window, max, spent)
  if max == '' then return nil end
  checkMoney(max)
  local wanted = plus(spent, amount)
  if below(max, wanted) then return { 'budget-exhausted', window } end
  if below(max, plus(wanted, held)) then return { 'budget-held', window } end
end
local day, month = windowsAt(now)
local refusal = budget('day', ARGV[11], state[8] == day and state[9] or '0')
  or budget('month', ARGV[12], state[10] == month and state[11] or '0')
  or budget('total', ARGV[13], state[7] or '0')
if refusal then return refusal end

if below(money[1], amount) then
  local all = plus(money[1], money[2])
  if below(all, amount) then return { 'balance-exhausted', all } end
  return { 'balance-held' }
end

redis.call('HINCRBY', balance, 'available', minus(amount))
redis.call('HINCRBY', balance, 'reserved', amount)
redis.call('HSET', open, 'held', amount, 'key', keyId, 'model', model, 'endpoint', endpoint, 'tokens', integer(tokens))
redis.call('ZADD', leases, integer(now + leaseMs), id)
redis.call('HINCRBY', limits, 'held', amount)
redis.call('HINCRBY', limits, 'parallel', 1)
if requestsMax then
  requestsLevel = requestsLevel - 1
  redis.call('HSET', limits, 'requestsLevel', tostring(requestsLevel), 'requestsMs', integer(now))
end
if tokensMax then
  tokensLevel = tokensLevel - tokens
  redis.call('HSET', limits, 'tokensLevel', tostring(tokensLevel), 'tokensMs', integer(now))
end
addEntry(entries, 'reserve', id, amount, '0', keyId, model, '')
return success()
