-- A consistent picture of an account: its balance, its last entry and the money of each open reservation.
-- KEYS: balance, entries, leases
-- ARGV: prefix of open records
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local open = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  open[#open + 1] = id
  open[#open + 1] = redis.call('HGET', ARGV[1] .. id, 'held') or '0'
end
return {
  redis.call('HMGET', KEYS[1], 'available', 'reserved', 'settled', 'deposited', 'withdrawn'),
  last[1] and last[1][1] or '',
  open,
}
