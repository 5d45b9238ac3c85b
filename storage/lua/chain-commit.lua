-- Writes rows, and how far the ledger has been read, in one step: "fenced" where a later holder of the lease exists,
-- "stale" where something else has been written since the given revision, for example by a command that was late.
-- KEYS: fence progress, then the hash of each table
-- ARGV: token, revision, progress, number of tables to empty first, their places among the tables, then of each row:
-- place, id, JSON; no JSON deletes the row
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if (redis.call('HGET', KEYS[2], 'revision') or '0') ~= ARGV[2] then return 'stale' end
local tables = 2
local first = 5 + tonumber(ARGV[4])
for index = 5, first - 1 do redis.call('DEL', KEYS[tables + tonumber(ARGV[index])]) end
for index = first, #ARGV, 3 do
  local key = KEYS[tables + tonumber(ARGV[index])]
  if ARGV[index + 2] == '' then
    redis.call('HDEL', key, ARGV[index + 1])
  else
    redis.call('HSET', key, ARGV[index + 1], ARGV[index + 2])
  end
end
redis.call('HSET', KEYS[2], 'json', ARGV[3])
redis.call('HINCRBY', KEYS[2], 'revision', 1)
return 'committed'
