-- Brings a withdrawal to a state where that may follow; returns the one in which it is then.
-- KEYS: withdrawal-states
-- ARGV: treasury, reference, state
move(ARGV[1], ARGV[2], ARGV[3])
return redis.call('HGET', KEYS[1], ARGV[2])
