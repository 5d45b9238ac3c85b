-- Writes what the keeper does next, and what has ended with it, in one step: "fenced" where a later holder of the lease
-- exists, "stale" where something else has been written since the given revision, for example by a command that was late.
-- KEYS: fence operation ended
-- ARGV: token, revision, operation (JSON), end in ms, ended operation (JSON); no JSON where nothing has ended
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if (redis.call('HGET', KEYS[2], 'revision') or '0') ~= ARGV[2] then return 'stale' end
redis.call('HSET', KEYS[2], 'json', ARGV[3])
redis.call('HINCRBY', KEYS[2], 'revision', 1)
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5]) end
return 'committed'
