-- Prolongs the lease; also one that has run out, while nobody else has taken it.
-- KEYS: lease fence
-- ARGV: token, lease in ms
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
