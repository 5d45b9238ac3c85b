-- Writes what the keeper does next, and what has ended with it, in one step: "fenced" where a later holder of the lease
-- exists, "stale" where something else has been written since the given revision, for example by a command that was late,
-- or where the withdrawal cannot come to that state, for example because it was cancelled.
-- KEYS: fence operation ended
-- ARGV: token, revision, operation (JSON), end in ms, ended operation (JSON), prefix of the treasury's keys,
-- reference and state of a withdrawal; no JSON where nothing has ended, no reference where it concerns no withdrawal
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if (redis.call('HGET', KEYS[2], 'revision') or '0') ~= ARGV[2] then return 'stale' end
if ARGV[7] ~= '' and not move(ARGV[6], ARGV[7], ARGV[8]) then return 'stale' end
redis.call('HSET', KEYS[2], 'json', ARGV[3])
redis.call('HINCRBY', KEYS[2], 'revision', 1)
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5]) end
return 'committed'
