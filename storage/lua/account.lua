-- Shared by the scripts of an account.

-- The number of the UTC day and month at a time; months count from year 0 (civil-from-days of H. Hinnant).
local function windowsAt(now)
  local day = math.floor(now / 86400000)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local dayOfEra = z - era * 146097
  local yearOfEra = math.floor((dayOfEra - math.floor(dayOfEra / 1460) + math.floor(dayOfEra / 36524)
    - math.floor(dayOfEra / 146096)) / 365)
  local dayOfYear = dayOfEra - (365 * yearOfEra + math.floor(yearOfEra / 4) - math.floor(yearOfEra / 100))
  local marchMonth = math.floor((5 * dayOfYear + 2) / 153)
  return integer(day), integer((yearOfEra + era * 400) * 12 + marchMonth)
end

-- One line of the ledger. Every kind has the same fields, which streams store once.
local function addEntry(entries, kind, id, held, charged, key, model, price)
  redis.call('XADD', entries, '*', 'kind', kind, 'id', id, 'held', held, 'charged', charged,
    'key', key, 'model', model, 'price', price)
end

-- Adds the charge to what the key has spent; a window that has passed starts again from nothing.
local function addSpend(limits, held, charged, now)
  local day, month = windowsAt(now)
  local windows = redis.call('HMGET', limits, 'day', 'month')
  if windows[1] ~= day then redis.call('HSET', limits, 'day', day, 'spentDay', '0') end
  if windows[2] ~= month then redis.call('HSET', limits, 'month', month, 'spentMonth', '0') end
  redis.call('HINCRBY', limits, 'held', minus(held))
  if charged ~= '0' then
    redis.call('HINCRBY', limits, 'spent', charged)
    redis.call('HINCRBY', limits, 'spentDay', charged)
    redis.call('HINCRBY', limits, 'spentMonth', charged)
  end
end

-- Ends an open reservation: `keys` names balance, open, leases and entries. Nothing where it is not open.
local function resolve(keys, limitsPrefix, id, kind, cost, tokensUsed, price, now)
  local record = redis.call('HMGET', keys.open, 'held', 'key', 'model', 'tokens')
  local held, key, model = record[1], record[2], record[3]
  if not held then return nil end

  local charged = below(cost, held) and cost or held
  redis.call('HINCRBY', keys.balance, 'reserved', minus(held))
  redis.call('HINCRBY', keys.balance, 'available', held)
  if charged ~= '0' then
    redis.call('HINCRBY', keys.balance, 'available', minus(charged))
    redis.call('HINCRBY', keys.balance, 'settled', charged)
  end
  redis.call('DEL', keys.open)
  redis.call('ZREM', keys.leases, id)

  local limits = limitsPrefix .. key
  addSpend(limits, held, charged, now)
  redis.call('HINCRBY', limits, 'parallel', -1)
  local unused = tonumber(record[4]) - tokensUsed
  if unused > 0 and redis.call('HEXISTS', limits, 'tokensLevel') == 1 then
    redis.call('HINCRBYFLOAT', limits, 'tokensLevel', integer(unused))
  end
  addEntry(keys.entries, kind, id, held, charged, key, model, price)
  return charged, key, model
end
