-- Writes a withdrawal, once per reference: "reference-used" where another one has it.
-- KEYS: withdrawals
-- ARGV: treasury, reference, withdrawal (JSON)
local treasury, reference, json = ARGV[1], checkId(ARGV[2]), ARGV[3]
local before = redis.call('HGET', KEYS[1], reference)
if before then return before == json and 'repeated' or 'reference-used' end
redis.call('HSET', KEYS[1], reference, json)
redis.call('HSET', treasury .. 'withdrawal-states', reference, 'proposed')
redis.call('ZADD', treasury .. 'withdrawal-times', integer(nowMs()), reference)
redis.call('SADD', treasury .. 'withdrawals-pending', reference)
return 'proposed'
