-- Appends a root and keeps what it covers, in one step: "fenced" where a later holder of the lease exists, "stale" where
-- another root came first, or the receipts of the last one have not all got their proof.
-- KEYS: fence roots batch keys
-- ARGV: token, number of the root, root (JSON), batch, id of the key that signed, time in ms
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if redis.call('LLEN', KEYS[2]) + 1 ~= tonumber(ARGV[2]) or redis.call('EXISTS', KEYS[3]) == 1 then return 'stale' end
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[3], 'number', ARGV[2], 'text', ARGV[4])
local signer = redis.call('HGET', KEYS[4], 'signer')
if signer and signer ~= ARGV[5] then redis.call('HSET', KEYS[4], 'until:' .. signer, ARGV[6]) end
redis.call('HSET', KEYS[4], 'signer', ARGV[5])
redis.call('HDEL', KEYS[4], 'until:' .. ARGV[5])
return 'committed'
