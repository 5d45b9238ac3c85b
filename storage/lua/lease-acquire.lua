-- Gives the lease with a new token, the highest so far; false where somebody holds it.
-- KEYS: lease fence
-- ARGV: lease in ms
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local token = string.format('%.0f', redis.call('INCR', KEYS[2]))
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token
