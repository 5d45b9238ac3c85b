-- Shared by the scripts of a book of deposits; `book` is the prefix of all its keys.

-- Gives a deposit to an account, for ever: whoever links the payer's wallet later gets nothing of it.
local function own(book, id, checkpoint, account)
  if redis.call('HSETNX', book .. 'owners', id, account) == 0 then return end
  redis.call('SADD', book .. 'pending', id)
  redis.call('ZADD', book .. 'owned:' .. account, checkpoint, id)
end
