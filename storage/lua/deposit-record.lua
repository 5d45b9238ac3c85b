-- Writes deposits, each once, and how far the ledger has been read, in one step. A deposit belongs to whoever has linked the
-- payer's wallet, or waits. Returns "stale", with nothing written, where progress was written since the given revision;
-- otherwise "recorded" and the ids that stand there with other contents.
-- KEYS: rows progress
-- ARGV: book, revision or '' where there is no progress to write, progress, then of each deposit:
-- id, JSON, payer or '', checkpoint
local book = ARGV[1]
if ARGV[2] ~= '' then
  if (redis.call('HGET', KEYS[2], 'revision') or '0') ~= ARGV[2] then return { 'stale' } end
  redis.call('HSET', KEYS[2], 'json', ARGV[3])
  redis.call('HINCRBY', KEYS[2], 'revision', 1)
end
local reply = { 'recorded' }
for index = 4, #ARGV, 4 do
  local id, json, payer, checkpoint = ARGV[index], ARGV[index + 1], ARGV[index + 2], ARGV[index + 3]
  if redis.call('HSETNX', KEYS[1], id, json) == 1 then
    local account = payer ~= '' and redis.call('HGET', book .. 'wallets', payer)
    if account then
      own(book, id, checkpoint, account)
    else
      redis.call('ZADD', book .. 'waiting:' .. payer, checkpoint, id)
    end
  elseif redis.call('HGET', KEYS[1], id) ~= json then
    reply[#reply + 1] = id
  end
end
return reply
