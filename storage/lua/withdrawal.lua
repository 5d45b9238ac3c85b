-- Shared by the scripts of a treasury's withdrawals; `treasury` is the prefix of all its keys.

-- By state, those that may follow it; the others are final.
local following = {
  proposed = { queued = true, refused = true, cancelling = true },
  queued = { paying = true, cancelling = true },
  paying = { paid = true, queued = true },
  cancelling = { cancelled = true },
}

-- Brings a withdrawal to a state, of which more may be told behind a space; false where it cannot follow.
local function move(treasury, reference, state)
  local kind = state:match('^%a+')
  local before = redis.call('HGET', treasury .. 'withdrawal-states', reference)
  local nexts = before and following[before:match('^%a+')]
  if not (nexts and nexts[kind]) then return false end
  local time = redis.call('ZSCORE', treasury .. 'withdrawal-times', reference)
  redis.call('HSET', treasury .. 'withdrawal-states', reference, state)
  if kind == 'queued' then
    redis.call('ZADD', treasury .. 'withdrawal-queue', time, reference)
  elseif kind ~= 'paying' then
    redis.call('ZREM', treasury .. 'withdrawal-queue', reference)
  end
  redis.call(kind == 'cancelling' and 'SADD' or 'SREM', treasury .. 'withdrawals-pending', reference)
  return true
end
