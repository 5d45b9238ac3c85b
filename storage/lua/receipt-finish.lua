-- Forgets the batch of that number, and no later one.
-- KEYS: batch
-- ARGV: number of its root
if redis.call('HGET', KEYS[1], 'number') == ARGV[1] then redis.call('DEL', KEYS[1]) end
