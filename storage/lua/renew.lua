-- Lets the lease of an open reservation or hold end leaseMs from now; returns whether it is open.
-- KEYS: leases
-- ARGV: id, leaseMs
local id, leaseMs = checkId(ARGV[1]), checkCount(ARGV[2])
if not redis.call('ZSCORE', KEYS[1], id) then return 0 end
redis.call('ZADD', KEYS[1], integer(nowMs() + leaseMs), id)
return 1
